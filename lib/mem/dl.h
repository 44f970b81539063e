/* SPDX-License-Identifier: MIT */
/* Loading a vendor library with dlopen() from a list of symbols. */
#ifndef DV_MEM_DL_H
#define DV_MEM_DL_H

#include <stdbool.h>
#include <stddef.h>

struct dv_dl_sym {
	const char *name;
	const char *alt;  /* an older name with the same prototype, or NULL */
	size_t off;       /* of the function pointer in the table */
	bool optional;    /* the pointer is NULL if the symbol is missing */
};

struct dv_dl_lib {
	const char *what;         /* "cuda", for error messages */
	const char *env;          /* environment variable that overrides the library */
	const char *const *names; /* tried in this order, NULL-terminated */
	const char *hint;         /* what to install */
	const struct dv_dl_sym *syms;
	size_t nr;
};

/* Whether the application has loaded the library, or dv_dl_load() has. */
bool dv_dl_loaded(const struct dv_dl_lib *lib);

#define DV_DL_SYM(table, field, sym) { sym, NULL, offsetof(struct table, field), false }
#define DV_DL_ALT(table, field, sym, old) { sym, old, offsetof(struct table, field), false }
#define DV_DL_OPT(table, field, sym) { sym, NULL, offsetof(struct table, field), true }

/*
 * Fills the table of function pointers. 0, or -ENODEV with an error message and the
 * table unchanged. The library stays loaded: vendors' threads and exit handlers do
 * not survive dlclose(). Call with dv_share_lock() held.
 */
int dv_dl_load(const struct dv_dl_lib *lib, void *table);

#endif
