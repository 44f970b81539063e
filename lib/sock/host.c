/* SPDX-License-Identifier: MIT */
/* sock-host: the kernel copies between the socket and the ordinary pages of host memory. */
#include "config.h"
#include <errno.h>
#include "sock/sock.h"

#define MAX_PART (64u << 20)

static int can(struct devio_ring *r, const struct dv_op *op, struct dv_pair *pair, uint8_t *why)
{
	(void)r;
	(void)pair;
	*why = DEVIO_REASON_NOT_HOST;
	return op->mem->caps & DEVIO_MEM_HOST_PAGES ? 0 : -EOPNOTSUPP;
}

/* can() checked the first range's memory; the others may be of another type. */
static uint8_t suits(const struct dv_op *op)
{
	for (uint32_t i = 0; i < op->nr_ranges; i++)
		if (!(op->ranges[i].mem->caps & DEVIO_MEM_HOST_PAGES))
			return DEVIO_REASON_RANGES;
	return 0;
}

static int issue(struct devio_ring *r, struct dv_op *op)
{
	uint64_t off, left;
	const struct devio_mem *m = dv_op_at(op, op->issued, &off, &left);
	struct dv_part *p;

	if (left > MAX_PART)
		left = MAX_PART;
	p = dv_transfer_get(r, op, op->issued, left);
	if (!p)
		return -EAGAIN;
	p->mode = DV_MODE_CACHE;
	p->sock.step = op->write ? DV_STEP_READY : DV_STEP_MOVE;
	p->addr = (uintptr_t)m->ptr + off;
	p->len = left;
	op->issued += left;
	dv_transfer_part(r, p);
	return 0;
}

const struct dv_sock_path dv_path_sock_host = {
	.path = {
		.name = "sock-host",
		.id = DEVIO_PATH_SOCK_HOST,
		.can = can,
		.suits = suits,
		.issue = issue,
	},
};
