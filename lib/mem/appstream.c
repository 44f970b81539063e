/* SPDX-License-Identifier: MIT */
/* The vendors whose streams an operation can be ordered with. */
#include "config.h"
#include <string.h>
#include "core/err.h"
#include "mem/appstream.h"

static const struct dv_appstream_ops *const table[] = { &dv_appstream_cuda, NULL };

const struct dv_appstream_ops *dv_appstream_find(const char *name)
{
	for (int i = 0; name && table[i]; i++)
		if (!strcmp(table[i]->name, name))
			return table[i];
	dv_err(-EOPNOTSUPP, "stream: operations cannot be ordered with streams of '%s': use cuda",
	       name ? name : "NULL");
	return NULL;
}
