/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: what comes to devio-nicd from its clients, and to them from it.
 * What is taken is within the limits of the protocol.
 */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include "nic/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_nicwire: %s\n", what);
	abort();
}

static void request(const void *from, size_t n, unsigned int fds)
{
	struct dv_nicd_request q;
	int rc = dv_nicd_get_request(from, n, fds, &q);

	check(!rc || rc == -EPROTO || rc == -EPROTONOSUPPORT || rc == -EBADF, "why not");
	if (rc)
		return;
	check(n == sizeof(q) && !memcmp(from, &q, n), "all of it");
	check(q.op >= DV_NICD_OPEN && q.op <= DV_NICD_CLOSE && fds == (q.op != DV_NICD_CLOSE), "an operation");
	if (q.op == DV_NICD_OPEN)
		check(*q.ifname && strlen(q.ifname) < sizeof(q.ifname) && q.steer <= DV_NICD_STEER_MAX && q.queues &&
		      q.queues <= DV_NICD_QUEUES_MAX && q.size && q.size <= INT64_MAX, "what is to be opened");
	else
		check(!q.size && !q.queues && !*q.ifname, "nothing else");
}

static void answer(const void *from, size_t n, uint32_t op)
{
	struct dv_nicd_answer a;
	int rc = dv_nicd_get_answer(from, n, op, &a);

	check(!rc || rc == -EPROTO || rc == -EPROTONOSUPPORT, "why not");
	if (rc)
		return;
	check(n == sizeof(a) && strlen(a.text) < sizeof(a.text), "all of it");
	check(a.err <= 0 && a.err >= -4095, "an error");
	check(a.op == op || (a.op == DV_NICD_REFUSE && a.err), "of the request");
	check(!a.err || *a.text, "a sentence");
	check(a.err || op != DV_NICD_OPEN || (a.queue && a.queues && a.queues <= DV_NICD_QUEUES_MAX && a.binding),
	      "a NIC");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint32_t head[2] = { DV_NICD_MAGIC, DV_NICD_VERSION };
	unsigned char *s;

	if (!size)
		return 0;
	/* A copy of its size, behind which nothing may be read; else hardly one in 2^64 gets beyond its magic number.
	 */
	s = malloc(size);
	memcpy(s, data + 1, size - 1);
	if (data[0] & 0x80 && size - 1 >= sizeof(head))
		memcpy(s, head, sizeof(head));
	s = realloc(s, size > 1 ? size - 1 : 1);
	request(s, size - 1, data[0] & 3);
	answer(s, size - 1, 1 + (data[0] >> 2) % 3);
	free(s);
	return 0;
}
