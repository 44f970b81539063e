/* SPDX-License-Identifier: MIT */
/* The fragment table and the token batch: what does not run per fragment. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "sock/frag_table.h"

int dv_frag_table_init(struct dv_frag_table *t, uint64_t buffers)
{
	uint64_t n = buffers / 2;

	if (t->place)
		return 0;
	n = n < DV_FRAG_TABLE_MIN ? DV_FRAG_TABLE_MIN : n > DV_FRAG_TABLE_MAX ? DV_FRAG_TABLE_MAX : n;
	t->place = calloc(n, sizeof(*t->place));
	if (!t->place)
		return -ENOMEM;
	t->max = (uint32_t)n;
	return 0;
}

int dv_token_batch_flush(struct dv_token_batch *b, int fd)
{
	int want = (int)b->frags, rc = 0;

	if (want)
		rc = setsockopt(fd, SOL_SOCKET, SO_DEVMEM_DONTNEED, b->range, b->nr * sizeof(b->range[0]));
	b->nr = b->frags = 0;
	return rc < 0 ? -errno : want - rc;
}
