/* SPDX-License-Identifier: MIT */
/* The device memory of a tool: the one that the user named, or the best one with room. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "toolmem.h"

struct choice {
	char *specs[64];
	unsigned int count;
};

static int keep_spec(void *arg, const char *spec)
{
	struct choice *c = arg;

	if (c->count == sizeof(c->specs) / sizeof(*c->specs))
		return 0;
	c->specs[c->count] = strdup(spec);
	if (c->specs[c->count])
		c->count++;
	return 0;
}

static int alloc_best(struct devio_ctx *ctx, uint64_t size, struct devio_mem **mem)
{
	struct choice c = { .count = 0 };
	int rc = devio_mem_list(ctx, keep_spec, &c);
	bool found = false;

	rc = rc < 0 ? rc : -ENODEV;
	for (unsigned int i = 0; i < c.count; i++) {
		if (!found) {
			rc = devio_mem_alloc(ctx, c.specs[i], size, NULL, mem);
			found = !rc;
			if (rc)
				tool_info("memory %s skipped: %s", c.specs[i], devio_errmsg());
		}
		free(c.specs[i]);
	}
	return rc;
}

int toolmem_alloc(struct toolmem *t, struct devio_ctx *ctx, const char *spec, uint64_t size, struct devio_mem **mem,
		  struct tool_error *e)
{
	struct devio_mem_info info = DEVIO_OPTS(info);
	int rc;

	if (!size)
		size = 1;
	rc = strcmp(spec, "auto") ? devio_mem_alloc(ctx, spec, size, NULL, mem) : alloc_best(ctx, size, mem);
	if (!rc)
		rc = devio_mem_get_info(*mem, &info);
	if (rc)
		return tool_fail(e, rc == -EINVAL ? TOOL_USAGE : TOOL_FAILED, "mem:%s: %s", spec, devio_errmsg());
	memcpy(t->spec, info.spec, sizeof(t->spec));
	memcpy(t->bdf, info.bdf, sizeof(t->bdf));
	t->device = info.caps & DEVIO_MEM_DEVICE;
	return 0;
}

void toolmem_print(const struct toolmem *t, FILE *out)
{
	fprintf(out, "memory: %s%s%s%s\n", t->spec, *t->bdf ? " at " : "", t->bdf,
		t->device ? " (in a device)" : " (in host memory)");
}
