/* SPDX-License-Identifier: MIT */
/* The border to the page cache. */
#ifndef DV_KERN_PAGECACHE_H
#define DV_KERN_PAGECACHE_H

#include <stdbool.h>
#include <stdint.h>

/* Is most of [off, off + len) in the page cache? By cachestat(2), or by samples before Linux 6.5. */
bool dv_pagecache_holds(int fd, uint64_t off, uint64_t len);

/* Does the file live in the page cache alone (tmpfs, ramfs), where O_DIRECT is a pretence? */
bool dv_pagecache_only(int fd);

#endif
