/* SPDX-License-Identifier: MIT */
/* A vendor's library, opened with dlopen through one list of symbols. */
#ifndef DV_MEM_DL_H
#define DV_MEM_DL_H

#include <stdbool.h>
#include <stddef.h>

struct dv_dl_sym {
	const char *name;
	const char *alt;  /* an older name with the same prototype, or NULL */
	size_t off;       /* of the function pointer in the table */
	bool optional;    /* without it the pointer is NULL and the rest works */
};

struct dv_dl_lib {
	const char *what;         /* "cuda", for sentences */
	const char *env;          /* a variable that names another library */
	const char *const *names; /* tried in this order, NULL at the end */
	const char *cure;         /* what to install */
	const struct dv_dl_sym *syms;
	size_t nr;
};

#define DV_DL_SYM(table, field, sym) { sym, NULL, offsetof(struct table, field), false }
#define DV_DL_ALT(table, field, sym, old) { sym, old, offsetof(struct table, field), false }
#define DV_DL_OPT(table, field, sym) { sym, NULL, offsetof(struct table, field), true }

/*
 * Fills the table of function pointers. 0, or -ENODEV with a sentence, the
 * table untouched. The library stays loaded: vendors' threads and exit
 * handlers do not survive dlclose(). Call it with dv_share_lock() held.
 */
int dv_dl_load(const struct dv_dl_lib *lib, void *table);

#endif
