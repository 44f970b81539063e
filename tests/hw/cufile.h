/* SPDX-License-Identifier: MIT */
/* The part of cuFile's documented interface that is used, in declarations of our own. */
#ifndef HW_CUFILE_H
#define HW_CUFILE_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

struct cf_error {
	int err, cu;
};
struct cf_descr {
	int type; /* 1: a descriptor of Linux */
	union {
		int fd;
		void *handle;
	} u;
	const void *ops;
};
struct cf_batch_io {
	int mode; /* 1: batch */
	struct {
		void *base;
		off_t file_off, off;
		size_t len;
	} at;
	void *file;
	int opcode; /* 0: read */
	void *cookie;
};
struct cf_event {
	void *cookie;
	int status; /* 0x10: complete */
	size_t ret;
};

#endif
