/* SPDX-License-Identifier: MIT */
/*
 * A kernel that misbehaves: linked between the library and liburing (and
 * pread, pwrite) with --wrap. Before a submission it shortens I/Os or turns
 * them into no-ops whose completion it then fills with an error; so bytes
 * that it does not admit were really not transferred.
 */
#ifndef DOUBLE_H
#define DOUBLE_H

#include <stdbool.h>
#include <stdint.h>

/* Chances in 1000, for each I/O or for each system call. */
struct double_plan {
	unsigned int shorten;      /* fewer bytes than requested, a multiple of the block for O_DIRECT */
	unsigned int again;        /* -EAGAIN or -EINTR of an I/O */
	unsigned int error;        /* an errno of `errors` */
	unsigned int enter;        /* the system call fails: -EINTR, -EAGAIN or -EBUSY */
	const int *errors;         /* 0-terminated, negative */
	bool direct_only;          /* errors only for O_DIRECT descriptors */
	int every;                 /* != 0: each I/O through O_DIRECT fails so */
	uint64_t fail_from;        /* with fail_errno: I/O that reaches this byte of the file fails */
	int fail_errno;
};

struct double_count {
	unsigned long ios, shortened, again, errors, enters, enters_failed;
};

extern struct double_plan double_plan;
extern struct double_count double_count;

void double_reset(uint64_t seed);

#endif
