/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: what a user types. The first byte chooses: a spec of a memory (on
 * a machine without devices), the name of a path, a tool's size or count,
 * numbers for the texts.
 */
#include "config.h"
#include <devio.h>
#include <stdlib.h>
#include <string.h>
#include "common/opts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct devio_ctx *context(void)
{
	static struct devio_ctx *ctx;
	struct devio_ctx_opts o = DEVIO_OPTS(o);

	o.sysfs_root = "/nonexistent";
	if (!ctx && devio_ctx_open(&o, &ctx))
		abort();
	return ctx;
}

static void try_spec(const char *spec, uint64_t bytes)
{
	struct devio_mem_info info = DEVIO_OPTS(info);
	struct devio_mem *m = NULL;
	int rc = devio_mem_alloc(context(), spec, bytes, NULL, &m);

	if (rc) {
		if (rc > 0 || m || !*devio_errmsg())
			abort();
		return;
	}
	if (devio_mem_get_info(m, &info) || info.size != bytes || strcmp(info.spec, spec))
		abort();
	devio_mem_free(m);
}

static void try_path(const char *name)
{
	int p = devio_path_parse(name);

	if (p >= DEVIO_PATH_MAX || (p >= 0 && strcmp(devio_path_name(p), name)))
		abort();
}

static void try_options(const char *text)
{
	uint64_t size;
	unsigned int n;
	char buf[32];

	if (!opt_size(text, &size) && size > INT64_MAX)
		abort();
	opt_human(size = strlen(text) * 0x9e3779b97f4a7c15ULL, buf, sizeof(buf));
	if (!opt_count(text, 2, 900, &n) && (n < 2 || n > 900))
		abort();
	opt_mem_spec(text);
}

static void try_texts(const uint8_t *data, size_t size)
{
	struct devio_completion c = { 0 };
	char buf[400];
	int n;

	memcpy(&c, data, size < sizeof(c) ? size : sizeof(c));
	n = devio_completion_text(&c, buf, size % sizeof(buf) + 1);
	if (n < 0 || strlen(buf) > size % sizeof(buf))
		abort();
	devio_path_name(c.path);
	devio_reason_text(c.reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 2)
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	switch (data[0] % 5) {
	case 0:
		try_spec(text, 4096);
		break;
	case 1:
		try_spec(text, size * 512);
		break;
	case 2:
		try_path(text);
		break;
	case 4:
		try_options(text);
		break;
	default:
		try_texts(data + 1, size - 1);
	}
	free(text);
	return 0;
}
