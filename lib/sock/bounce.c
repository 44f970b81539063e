/* SPDX-License-Identifier: MIT */
/*
 * sock-bounce: the kernel copies between the socket and staging buffers, the
 * device between staging buffers and memory, and the two overlap.
 *
 * A connection may stay idle forever, and its staging buffer with it. So only
 * half of the staging memory is for parts that wait with a buffer; beyond that
 * the connection is polled first, and the buffer is taken once it is ready, for
 * bytes that can be moved at once.
 */
#include "config.h"
#include <errno.h>
#include "sock/sock.h"

static int can(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	(void)r;
	(void)op;
	(void)pair;
	*why = DEVIO_REASON_NONE;
	return 0;
}

static bool is_scarce(const struct dv_staging *s, uint32_t len)
{
	return (s->used + len) * 2 > (uint64_t)s->nr_chunks * s->chunk_size;
}

static int issue(struct devio_ring *r, struct dv_op *op)
{
	uint64_t left = op->len - op->issued;
	uint32_t len = left < r->staging.chunk_size ? left : r->staging.chunk_size;
	bool scarce = is_scarce(&r->staging, len);
	struct dv_staging_buf slot = { .buf = NULL };
	struct dv_part *p;
	int rc;

	if (!dv_part_available(r))
		return -EAGAIN;
	if (!scarce) {
		rc = dv_part_stage(r, op, len, &slot);
		if (rc == -ENOMEM)
			return rc;
		scarce = rc;
	}
	if (scarce && len > r->staging.chunk_size / 4)
		len = r->staging.chunk_size / 4;
	if (scarce && op->write && dv_transfer_full(op, true))
		return -EBUSY;
	p = dv_transfer_get(r, op, op->issued, len);
	p->mode = DV_MODE_STAGED_CACHE;
	p->sock.step = scarce ? DV_STEP_POLL : op->write ? DV_STEP_COPY : DV_STEP_MOVE;
	p->slot = slot;
	p->addr = (uintptr_t)slot.buf;
	p->len = len;
	op->issued += len;
	dv_transfer_part(r, p);
	return 0;
}

const struct dv_sock_path dv_path_sock_bounce = {
	.path = {
		.name = "sock-bounce",
		.id = DEVIO_PATH_SOCK_BOUNCE,
		.can = can,
		.issue = issue,
	},
};
