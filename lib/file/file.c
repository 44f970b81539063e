/* SPDX-License-Identifier: MIT */
/* A file's descriptors, alignment and page cache state. */
#include "config.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/mount.h>
#include "core/err.h"
#include "file/file.h"
#include "kern/pagecache.h"

#define PAGE 4096u

#ifndef STATX_DIOALIGN
#define STATX_DIOALIGN 0x00002000U
#endif

/* Reads the fields added to struct statx in Linux 6.1, which older headers lack. */
static void dio_align(const struct statx *st, uint32_t *mem, uint32_t *off)
{
	const size_t pos = offsetof(struct statx, stx_dev_minor) + sizeof(st->stx_dev_minor) + sizeof(uint64_t);

	memcpy(mem, (const char *)st + pos, sizeof(*mem));
	memcpy(off, (const char *)st + pos + sizeof(*mem), sizeof(*off));
}

void dv_file_clear_nonblock(struct devio_file *f)
{
	int fl;

	if (!atomic_exchange(&f->nonblock, false))
		return;
	fl = fcntl(f->fd, F_GETFL);
	if (fl >= 0)
		(void)fcntl(f->fd, F_SETFL, fl & ~O_NONBLOCK);
}

void dv_file_destroy(struct dv_endpoint *e)
{
	struct devio_file *f = (struct devio_file *)e;

	dv_ctx_retire_id(f->id);
	if (f->dfd >= 0)
		close(f->dfd);
	close(f->fd);
	pthread_mutex_destroy(&f->lock);
	dv_ctx_put(f->base.ctx);
	free(f);
}

/* From statx(2), or a safe guess for file systems that do not report STATX_DIOALIGN. */
static int find_align(struct devio_file *f)
{
	struct statx st;
	int sector = 0;

	if (!statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) && st.stx_mask & STATX_DIOALIGN) {
		dio_align(&st, &f->mem_align, &f->off_align);
		return f->off_align ? 0 : -EOPNOTSUPP;
	}
	if (dv_pagecache_only(f->fd))
		return -EOPNOTSUPP;
	if (f->is_block && !ioctl(f->fd, BLKSSZGET, &sector) && dv_is_power_of_two(sector))
		f->off_align = sector;
	else
		f->off_align = PAGE;
	f->mem_align = f->off_align;
	return 0;
}

/*
 * Opens a second file description for O_DIRECT, which is a property of the description,
 * since the page cache is used, too. Opened through /proc, so that it is the same file
 * even if the name now refers to another.
 */
static int open_direct(struct devio_file *f)
{
	char link[32];
	int rc = find_align(f);

	if (rc)
		return rc;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", f->fd);
	if (f->dfd < 0)
		f->dfd = open(link, f->access | O_DIRECT | O_CLOEXEC | O_NOCTTY);
	if (f->dfd < 0)
		return -errno;
	if (!dv_is_power_of_two(f->off_align) || !dv_is_power_of_two(f->mem_align) || f->off_align > (64 << 10))
		return -EOPNOTSUPP;
	if (f->write_align < f->off_align)
		f->write_align = f->off_align;
	return 0;
}

int dv_file_direct(struct devio_file *f)
{
	int state = atomic_load_explicit(&f->direct, memory_order_acquire);

	if (!state) {
		pthread_mutex_lock(&f->lock);
		state = f->direct;
		if (!state) {
			int rc = open_direct(f);

			state = rc ? rc : 1;
			if (rc)
				dv_log(f->base.ctx, DEVIO_LOG_INFO, "file: O_DIRECT not available: %s%s",
				       dv_errno_name(rc), rc == -ENOENT ? ": /proc is not mounted" : "");
			atomic_store_explicit(&f->direct, state, memory_order_release);
		}
		pthread_mutex_unlock(&f->lock);
	}
	return state > 0 ? 0 : state;
}

uint64_t dv_file_end(struct devio_file *f, uint64_t want)
{
	uint64_t end = atomic_load_explicit(&f->end, memory_order_relaxed);
	struct stat st;

	if (want <= end)
		return end;
	/* Without an answer nothing is known to be there. */
	end = fstat(f->fd, &st) ? 0 : (uint64_t)st.st_size;
	atomic_store_explicit(&f->end, end, memory_order_relaxed);
	return end;
}

bool dv_file_cached(const struct devio_file *f, uint64_t off, uint64_t len)
{
	return dv_pagecache_holds(f->fd, off, len);
}

static int check_file(const struct devio_file *f)
{
	return f ? dv_ctx_forked(f->base.ctx) : dv_err(-EINVAL, "file: file is NULL");
}

DEVIO_API int devio_file_sync(struct devio_file *f)
{
	int rc = check_file(f);

	if (!rc && fdatasync(f->fd))
		rc = dv_err(-errno, "file: fdatasync() failed");
	return rc;
}

DEVIO_API int devio_file_fd(const struct devio_file *f)
{
	return f ? f->fd : dv_err(-EINVAL, "file: file is NULL");
}

DEVIO_API int devio_file_get_info(struct devio_file *f, struct devio_file_info *info)
{
	struct devio_file_info i = { 0 };
	struct stat st;
	int rc = check_file(f);

	if (rc)
		return rc;
	i.is_block = f->is_block;
	if (fstat(f->fd, &st))
		return dv_err(-errno, "file: fstat() failed");
	i.size = st.st_size;
	if (f->is_block && ioctl(f->fd, BLKGETSIZE64, &i.size))
		return dv_err(-errno, "file: cannot get the size of the block device: BLKGETSIZE64 failed");
	if (!dv_file_direct(f)) {
		i.dio_mem_align = f->mem_align;
		i.dio_off_align = f->off_align;
	}
	return dv_info_copy(info, &i, sizeof(i), "devio_file_info");
}
