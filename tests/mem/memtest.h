/* SPDX-License-Identifier: MIT */
/* What the tests of device memory share: comparing bytes, reading sentences. */
#ifndef MEMTEST_H
#define MEMTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <devio.h>
#include "fake.h"

/* The library under DEVIO_BUILD/tests/mem, its controls. Fails the program if it does not load. */
const struct fake_ctl *mt_fake(const char *name, const char *env);
/* A symbol of the fake, for the application's part. */
void *mt_sym(const char *name, const char *symbol);

/* All accounts of the fake are back at 0. */
void mt_no_leak(const struct fake_ctl *ctl);

/* The descriptors that this process has open; for finding lost ones. */
int mt_open_fds(void);

/* The call failed with err and the sentence has the word; prints it otherwise. */
void mt_fails(int rc, int err, const char *word);

/* The same where valgrind's mmap has another error than the kernel's for an impossible size. */
void mt_fails_big(int rc, const char *word);

/* How a forked child ends: by exec, so that no tool takes what the parent still has for its leaks. */
void mt_leave(int rc) __attribute__((noreturn));

/* What 0 is expected of; the sentence is shown if it is not. */
void mt_ok(int rc);

/* Copies in and out at odd places and lengths, byte by byte, nothing beside changed. */
void mt_copies(struct devio_mem *m);

/* Random bytes. */
void mt_random(unsigned char *p, size_t n);

/* tests/mem/between.c: dv_mem_between() at odd places: by an engine, by the CPU, or not at all (then with what). */
enum mt_how { MT_ENGINE, MT_CPU, MT_NOT };
void mt_between(struct devio_mem *dst, struct devio_mem *src, enum mt_how how);
/* From a device to itself by its engine, to and from host memory with one copy, not to another device (or NULL). */
void mt_engine(struct devio_ctx *ctx, const char *spec, const char *other);

/* Export, import, the same bytes in both directions. shared: a write to one is seen by the other. */
void mt_roundtrip(struct devio_ctx *ctx, struct devio_mem *m, bool shared);

/* info says what a memory of this spec and size says. */
void mt_info(struct devio_mem *m, const char *spec, uint64_t size, unsigned int caps, const char *bdf);

/* The specs that devio_mem_list() gives, joined by blanks. */
const char *mt_list(struct devio_ctx *ctx);

/* A temporary directory; files and links in it; all removed at the end of the program. */
const char *mt_dir(void);
void mt_file(const char *root, const char *path, const char *text);
void mt_link(const char *root, const char *path, const char *to);

#endif
