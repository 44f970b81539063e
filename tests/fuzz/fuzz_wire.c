/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: what comes from the other side of a data server's connection, and
 * names of files there. What is taken is within the limits of the protocol,
 * survives being written and read again, and a name leads where it says.
 */
#include "config.h"
#include <devio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "load/url.h"
#include "load/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_wire: %s (%s)\n", what, devio_errmsg());
	abort();
}

static void heads(const uint8_t *data, size_t size)
{
	unsigned char head[DV_WIRE_HEAD] = { 0 }, again[DV_WIRE_HEAD];
	struct dv_wire_request q;
	struct dv_wire_answer a;

	memcpy(head, data, size < sizeof(head) ? size : sizeof(head));
	if (size && data[size - 1] & 1) /* else hardly one in 2^32 gets beyond its magic number */
		memcpy(head, "dvs1", 4);
	if (dv_wire_get_request(head, &q)) {
		check((q.op == DV_WIRE_OPEN && q.len <= DV_WIRE_PATH) ||
		      (q.op == DV_WIRE_READ && q.len <= DV_WIRE_READ_MAX && q.off + q.len > q.off), "a request");
		check(q.len && q.file < DV_WIRE_FILES, "a request's numbers");
		dv_wire_put(again, q.op, q.file, q.len, q.off, q.version);
		check(!memcmp(head, again, sizeof(head)), "a request again");
	}
	for (unsigned int op = DV_WIRE_OPEN; op <= DV_WIRE_READ; op++) {
		uint32_t want = op == DV_WIRE_READ ? size : 0;

		if (!dv_wire_get_answer(head, op, want, &a))
			continue;
		check(a.op == op ? a.len == want : a.op == DV_WIRE_REFUSE && a.status, "an answer");
		check(op != DV_WIRE_OPEN || a.status || a.version, "an answer's version");
		check((dv_wire_errno(a.status) == 0) == (a.status == 0), "a status");
		dv_wire_put(again, a.op, a.status, a.len, a.size, a.version);
		check(!memcmp(head, again, sizeof(head)), "an answer again");
	}
}

static void name(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 7), *again;
	struct dv_url u;
	int rc;

	memcpy(text, "tcp://", 6);
	memcpy(text + 6, data, size);
	text[size + 6] = '\0';
	rc = dv_url_parse(text, &u);
	check(rc == 0 || (rc == -EINVAL && strstr(devio_errmsg(), "tcp://HOST:PORT/PATH")), "0, or a sentence");
	if (!rc) {
		check(*u.host && *u.port && atoi(u.port) > 0 && atoi(u.port) < 65536, "host and port");
		check(*u.path && *u.path != '/' && strlen(u.path) <= DV_WIRE_PATH && u.path > text, "a path");
		check(asprintf(&again, text[6] == '[' ? "tcp://[%s]:%s/%s" : "tcp://%s:%s/%s", u.host, u.port, u.path) >
			      0,
		      "memory");
		check(!strcmp(text, again), "the same name");
		free(again);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	heads(data, size);
	name(data, size);
	return 0;
}
