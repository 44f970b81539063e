/* SPDX-License-Identifier: MIT */
/* Page cache queries. */
#ifndef DV_KERN_PAGECACHE_H
#define DV_KERN_PAGECACHE_H

#include <stdbool.h>
#include <stdint.h>

/* Is most of [off, off + len) in the page cache? Uses cachestat(2), or sampling before Linux 6.5. */
bool dv_pagecache_holds(int fd, uint64_t off, uint64_t len);

/* Does the file exist only in the page cache (tmpfs, ramfs), so that O_DIRECT has no effect? */
bool dv_pagecache_only(int fd);

#endif
