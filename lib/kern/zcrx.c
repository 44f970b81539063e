/* SPDX-License-Identifier: MIT */
/* Zero-copy receive: registration, and the refill ring, which must not lose buffers. */
#include "config.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "kern/uring.h"
#include "kern/zcrx.h"

#define MIN_ENTRIES 256u
#define MAX_ENTRIES 32768u
#define RETRIES 60         /* the kernel releases a closed ring's queue asynchronously */
#define RETRY_US 50000

static int reg(int ring_fd, unsigned int opcode, void *arg, unsigned int n)
{
	return syscall(__NR_io_uring_register, ring_fd, opcode, arg, n) < 0 ? -errno : 0;
}

bool dv_zcrx_known(struct dv_queue *q)
{
	static _Atomic int known; /* 0: not tried, 1: yes, 2: no */
	int k = atomic_load_explicit(&known, memory_order_relaxed);
	struct io_uring_probe *probe;

	if (k || !q->uring)
		return k == 1;
	probe = io_uring_get_probe_ring(q->uring);
	if (!probe)
		return false;
	k = io_uring_opcode_supported(probe, DV_IORING_OP_RECV_ZC) ? 1 : 2;
	io_uring_free_probe(probe);
	atomic_store_explicit(&known, k, memory_order_relaxed);
	return k == 1;
}

/* A page-sized buffer may hold several fragments, each of which is returned separately. */
static uint32_t entries_for(uint64_t size)
{
	uint32_t n = MIN_ENTRIES;

	while (n < MAX_ENTRIES && n < size / 1024)
		n *= 2;
	return n;
}

static int make_region(struct dv_zcrx *z)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	z->region_size = (page + z->entries * sizeof(struct dv_zcrx_rqe) + page - 1) / page * page;
	z->region = mmap(NULL, z->region_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (z->region == MAP_FAILED) {
		z->region = NULL;
		return -ENOMEM;
	}
	/* The kernel has pinned the pages: they must not become copy-on-write at fork(). */
	(void)madvise(z->region, z->region_size, MADV_DONTFORK);
	return 0;
}

int dv_zcrx_open(struct dv_zcrx *z, struct dv_queue *q, unsigned int ifindex, unsigned int queue, int fd, uint64_t size,
		 uint32_t buffer)
{
	struct dv_zcrx_region region = { .flags = DV_REGION_TYPE_USER };
	struct dv_zcrx_area area = { .len = size, .flags = DV_ZCRX_AREA_DMABUF, .dmabuf_fd = (uint32_t)fd };
	struct dv_zcrx_reg r;
	int rc;

	*z = (struct dv_zcrx){ .ring_fd = q->uring->ring_fd, .entries = entries_for(size) };
	rc = make_region(z);
	if (rc)
		return rc;
	region.user_addr = (uintptr_t)z->region;
	region.size = z->region_size;
	for (int i = 0; i < RETRIES; i++) {
		r = (struct dv_zcrx_reg){ .if_idx = ifindex, .if_rxq = queue, .rq_entries = z->entries,
					  .area_ptr = (uintptr_t)&area, .region_ptr = (uintptr_t)&region,
					  .rx_buf_len = buffer };
		rc = reg(z->ring_fd, DV_IORING_REGISTER_ZCRX_IFQ, &r, 1);
		if (rc != -EEXIST)
			break;
		usleep(RETRY_US);
	}
	if (rc) {
		dv_zcrx_close(z, false);
		return rc;
	}
	z->id = r.zcrx_id;
	z->entries = r.rq_entries;
	z->khead = (uint32_t *)(void *)((char *)z->region + r.offsets.head);
	z->ktail = (uint32_t *)(void *)((char *)z->region + r.offsets.tail);
	z->rqe = (struct dv_zcrx_rqe *)(void *)((char *)z->region + r.offsets.rqes);
	return 0;
}

void dv_zcrx_close(struct dv_zcrx *z, bool forked)
{
	if (z->region && !forked)
		munmap(z->region, z->region_size);
	free(z->kept);
	memset(z, 0, sizeof(*z));
}

bool dv_zcrx_inside(uint64_t off, uint32_t len, uint64_t size)
{
	return !(off >> DV_ZCRX_AREA_SHIFT) && off <= size && len <= size - off;
}

static bool put(struct dv_zcrx *z, const struct dv_zcrx_rqe *e)
{
	if (z->tail - z->head == z->entries)
		z->head = __atomic_load_n(z->khead, __ATOMIC_ACQUIRE);
	if (z->tail - z->head == z->entries)
		return false;
	z->rqe[z->tail++ & (z->entries - 1)] = *e;
	return true;
}

static void publish_tail(struct dv_zcrx *z)
{
	__atomic_store_n(z->ktail, z->tail, __ATOMIC_RELEASE);
}

/* The kernel reads the refill ring when the NIC needs buffers; since Linux 6.19 also on request. */
static bool flush(struct dv_zcrx *z)
{
	struct dv_zcrx_ctrl c = { .zcrx_id = z->id, .op = DV_ZCRX_CTRL_FLUSH_RQ };

	if (z->no_flush)
		return false;
	publish_tail(z);
	z->no_flush = reg(z->ring_fd, DV_IORING_REGISTER_ZCRX_CTRL, &c, 0) != 0;
	return !z->no_flush;
}

static int save(struct dv_zcrx *z, const struct dv_zcrx_rqe *e)
{
	if (z->nr_kept == z->max_kept) {
		uint32_t n = z->max_kept ? 2 * z->max_kept : MIN_ENTRIES;
		struct dv_zcrx_rqe *more = realloc(z->kept, n * sizeof(*more));

		if (!more)
			return -ENOMEM;
		z->kept = more;
		z->max_kept = n;
	}
	z->kept[z->nr_kept++] = *e;
	return 0;
}

int dv_zcrx_back(struct dv_zcrx *z, uint64_t off, uint32_t len)
{
	const struct dv_zcrx_rqe e = { .off = off, .len = len };

	return put(z, &e) || (flush(z) && put(z, &e)) ? 0 : save(z, &e);
}

bool dv_zcrx_publish(struct dv_zcrx *z)
{
	while (z->nr_kept && (put(z, &z->kept[z->nr_kept - 1]) || (flush(z) && put(z, &z->kept[z->nr_kept - 1]))))
		z->nr_kept--;
	publish_tail(z);
	return !z->nr_kept;
}
