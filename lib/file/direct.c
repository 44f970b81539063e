/* SPDX-License-Identifier: MIT */
/*
 * Common code of the direct paths: the aligned middle is transferred directly between
 * device and memory, head and tail are copied.
 */
#include "config.h"
#include <errno.h>
#include "file/file.h"

/* The address of byte off of m, as the kernel expects it. */
static uint64_t address(const struct dv_op *op, const struct devio_mem *m, uint64_t off)
{
	return op->path->id == DEVIO_PATH_FILE_DMABUF ? op->file.dmabuf.off + off : (uintptr_t)m->ptr + off;
}

static uint32_t alignment(const struct dv_op *op)
{
	return op->write ? dv_file_of(op)->write_align : dv_file_of(op)->off_align;
}

/*
 * How many of the `left` bytes at x must be copied before the next direct I/O can start:
 * 0 if it can start here.
 */
static uint64_t edge(const struct dv_op *op, uint64_t x, uint64_t addr, uint64_t left)
{
	uint32_t align = alignment(op);
	uint64_t head = -(op->file.off + x) & (align - 1);

	if (head >= left || left - head < align || (addr + head) & (dv_file_of(op)->mem_align - 1))
		return left;
	return head;
}

/*
 * Whether direct I/O is possible. Only single ranges may have copied edges; of several
 * ranges, each must be aligned, since otherwise copying everything is better.
 */
uint8_t dv_direct_suits(const struct dv_op *op)
{
	uint32_t align = alignment(op);
	uint64_t pos = op->file.off;

	if (op->nr_ranges == 1 && !(op->want & DEVIO_FILE_DIRECT_ONLY)) {
		const struct devio_range *g = op->ranges;

		/* Something must remain to be transferred directly. */
		return edge(op, 0, address(op, g->mem, g->off), g->len) == g->len ? DEVIO_REASON_ALIGN : 0;
	}
	for (uint32_t i = 0; i < op->nr_ranges; i++) {
		const struct devio_range *g = &op->ranges[i];

		if (g->mem != op->mem)
			return DEVIO_REASON_RANGES;
		if ((pos | g->len) & (align - 1) || address(op, g->mem, g->off) & (dv_file_of(op)->mem_align - 1))
			return DEVIO_REASON_ALIGN;
		pos += g->len;
	}
	return 0;
}

/* Edges of a write go through the page cache, after the middle: both must not use the same pages concurrently. */
static int issue_edge(struct devio_ring *r, struct dv_op *op, uint64_t len)
{
	uint64_t taken = len;
	int rc = 0;

	if (op->write) {
		op->file.edge[op->file.nr_edges].x = op->issued;
		op->file.edge[op->file.nr_edges++].len = len;
	} else {
		rc = dv_staged_issue(r, op, op->issued, len, DV_MODE_STAGED, &taken);
	}
	if (!rc)
		op->issued += taken;
	return rc;
}

/*
 * Bytes of the file among the `left` at x, in whole blocks: the block in which the file
 * ends is read directly only where nothing may be copied.
 */
static uint64_t before_end(const struct dv_op *op, uint64_t x, uint64_t left)
{
	uint64_t align = alignment(op), pos = op->file.off + x, end = op->file.end;

	if (op->write || end >= pos + left)
		return left & ~(align - 1);
	if (op->want & DEVIO_FILE_DIRECT_ONLY)
		end = (end > pos ? end : pos + 1) + align - 1;
	return end > pos ? (end - pos) & ~(align - 1) : 0;
}

int dv_direct_issue(struct devio_ring *r, struct dv_op *op)
{
	uint64_t off, left, x = op->issued, len;
	struct devio_mem *m = dv_op_at(op, x, &off, &left);
	uint64_t addr = address(op, m, off);
	struct dv_part *p;

	len = edge(op, x, addr, left);
	if (len)
		return issue_edge(r, op, len);
	len = before_end(op, x, left);
	if (!len) { /* the file may have grown */
		op->file.end = dv_file_end(dv_file_of(op), op->file.off + x + left);
		len = before_end(op, x, left);
	}
	if (!len)
		return issue_edge(r, op, left < alignment(op) ? left : alignment(op));
	if (len > DV_DIRECT_MAX)
		len = DV_DIRECT_MAX;
	p = dv_io_get(r, op, x, len);
	if (!p)
		return -EAGAIN;
	p->mode = DV_MODE_DIRECT;
	p->file.fd = dv_file_of(op)->dfd;
	p->file.buf = op->file.dmabuf.buf;
	p->addr = addr;
	p->file.off = op->file.off + x;
	p->len = len;
	op->issued += len;
	dv_io_queue(r, p);
	return 0;
}
