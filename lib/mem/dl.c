/* SPDX-License-Identifier: MIT */
/* Loading a vendor library with dlopen() from a list of symbols. */
#include "config.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "mem/dl.h"

static void *open_one(const struct dv_dl_lib *lib, const char **name)
{
	const char *override = secure_getenv(lib->env);
	void *so = NULL;

	*name = override ? override : lib->names[0];
	if (override)
		return dlopen(override, RTLD_NOW | RTLD_LOCAL);
	/* Prefer the library that the application has loaded: its pointers come from it. */
	for (int i = 0; !so && lib->names[i]; i++)
		so = dlopen(lib->names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	for (int i = 0; !so && lib->names[i]; i++)
		so = dlopen(lib->names[i], RTLD_NOW | RTLD_LOCAL);
	return so;
}

bool dv_dl_loaded(const struct dv_dl_lib *lib)
{
	const char *override = secure_getenv(lib->env);
	const char *const own[] = { override, NULL };
	void *so = NULL;

	for (const char *const *n = override ? own : lib->names; !so && *n; n++)
		so = dlopen(*n, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	if (so)
		dlclose(so);
	return so;
}

/* NULL, or the name of the first required symbol that is missing. */
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
	const char *name, *missing, *error;
	void *so, **found = calloc(lib->nr, sizeof(*found));

	if (!found)
		return dv_err(-ENOMEM, "mem %s: cannot allocate the symbol table of its library", lib->what);
	so = open_one(lib, &name);
	if (!so) {
		error = dlerror();
		free(found);
		return dv_err(-ENODEV, "mem %s: cannot load its library: %s; %s", lib->what, error ? error : name,
			      lib->hint);
	}
	missing = resolve(lib, so, found);
	if (missing) {
		dv_err(-ENODEV, "mem %s: %s is too old: it lacks the symbol %s; %s", lib->what, name, missing,
		       lib->hint);
		free(found);
		dlclose(so);
		return -ENODEV;
	}
	for (size_t i = 0; i < lib->nr; i++)
		memcpy((char *)table + lib->syms[i].off, &found[i], sizeof(found[i]));
	free(found);
	return 0;
}
