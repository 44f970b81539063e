/* SPDX-License-Identifier: MIT */
/* A vendor's library, opened with dlopen through one list of symbols. */
#include "config.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "mem/dl.h"

static void *open_one(const struct dv_dl_lib *lib, const char **name)
{
	const char *own = secure_getenv(lib->env);
	void *so = NULL;

	*name = own ? own : lib->names[0];
	if (own)
		return dlopen(own, RTLD_NOW | RTLD_LOCAL);
	/* The one that the application has loaded is the one whose pointers it has. */
	for (int i = 0; !so && lib->names[i]; i++)
		so = dlopen(lib->names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	for (int i = 0; !so && lib->names[i]; i++)
		so = dlopen(lib->names[i], RTLD_NOW | RTLD_LOCAL);
	return so;
}

/* 0 or the name of a symbol that must be there and is not. */
static const char *resolve(const struct dv_dl_lib *lib, void *so, void **found)
{
	for (size_t i = 0; i < lib->nr; i++) {
		const struct dv_dl_sym *s = &lib->syms[i];

		found[i] = dlsym(so, s->name);
		if (!found[i] && s->alt)
			found[i] = dlsym(so, s->alt);
		if (!found[i] && !s->optional)
			return s->name;
	}
	return NULL;
}

int dv_dl_load(const struct dv_dl_lib *lib, void *table)
{
	const char *name, *missing, *why;
	void *so, **found = calloc(lib->nr, sizeof(*found));

	if (!found)
		return dv_err(-ENOMEM, "mem %s: no memory for the symbols of its library", lib->what);
	so = open_one(lib, &name);
	if (!so) {
		why = dlerror();
		free(found);
		return dv_err(-ENODEV, "mem %s: its library does not load: %s; %s", lib->what,
			      why ? why : name, lib->cure);
	}
	missing = resolve(lib, so, found);
	if (missing) {
		dv_err(-ENODEV, "mem %s: %s has no %s: it is too old; %s", lib->what, name, missing, lib->cure);
		free(found);
		dlclose(so);
		return -ENODEV;
	}
	for (size_t i = 0; i < lib->nr; i++)
		memcpy((char *)table + lib->syms[i].off, &found[i], sizeof(found[i]));
	free(found);
	return 0;
}
