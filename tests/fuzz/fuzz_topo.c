/* SPDX-License-Identifier: MIT */
/* libFuzzer: the topology's parsers. The first byte chooses one, the rest is its text. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "topo/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mounts(char *text)
{
	struct dv_mount m;
	char *line;

	while ((line = dv_parse_line(&text)))
		if (!dv_parse_mount(line, &m) && strlen(m.where) + strlen(m.source) + strlen(m.super) > 1 << 30)
			abort();
}

static void short_texts(const char *text)
{
	struct dv_bdf bdf;
	uint64_t size[6], lock;
	char value[16];

	if (!dv_parse_bdf(text, &bdf) && (bdf.dev > 31 || bdf.fn > 7))
		abort();
	dv_parse_resource(text, size);
	dv_parse_colon(text, "vendor_id", value, sizeof(value));
	dv_parse_memlock(text, &lock);
	dv_parse_release(text);
	dv_parse_config(text, "PCI_P2PDMA");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	switch (data[0] % 3) {
	case 0:
		mounts(text);
		break;
	case 1:
		short_texts(text);
		break;
	default:
		dv_parse_acs(data + 1, size - 1);
		dv_parse_port(data + 1, size - 1);
	}
	free(text);
	return 0;
}
