/* SPDX-License-Identifier: MIT */
/* Page cache queries. */
#include "config.h"
#include <errno.h>
#include <unistd.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/magic.h>
#include "kern/pagecache.h"

#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x8
#endif

struct cachestat_range { uint64_t off, len; };
struct cachestat_result { uint64_t cache, dirty, writeback, evicted, recently_evicted; };

/* Can the byte be read without blocking? A byte past the end of the file counts as cached. */
static bool sample(int fd, uint64_t off)
{
	char c;
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };

	return preadv2(fd, &iov, 1, off, RWF_NOWAIT) >= 0;
}

bool dv_pagecache_holds(int fd, uint64_t off, uint64_t len)
{
	static const unsigned int page = 4096;
	struct cachestat_range range = { off, len };
	struct cachestat_result res;
	off_t end;
	int saved_errno = errno;
	bool cached;

	/* Pages past the end of the file do not count as missing. */
	end = lseek(fd, 0, SEEK_END);
	if (end >= 0 && off + len > (uint64_t)end) {
		if (off >= (uint64_t)end)
			return false;
		range.len = len = end - off;
	}
	if (!syscall(__NR_cachestat, fd, &range, &res, 0)) {
		uint64_t pages = (off + len + page - 1) / page - off / page;

		cached = res.cache * 4 >= pages * 3;
	} else {
		cached = sample(fd, off) && sample(fd, off + len / 2) && sample(fd, off + len - 1);
	}
	errno = saved_errno;
	return cached;
}

bool dv_pagecache_only(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}
