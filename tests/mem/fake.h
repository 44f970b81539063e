/* SPDX-License-Identifier: MIT */
/*
 * What the fake vendor libraries share: device memory that the CPU cannot
 * touch by the device's address, streams that copy later and in a thread of
 * their own, accounts of everything that lives, and failures on demand.
 *
 * A test reaches all of it through the exported symbol `fake_ctl`.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fake_kind { FAKE_ALLOC, FAKE_CTX, FAKE_STREAM, FAKE_EVENT, FAKE_HOST, FAKE_DEV, FAKE_KINDS };

/* Kinds of allocations that a test can make. */
enum fake_flavour { FAKE_PLAIN, FAKE_MANAGED, FAKE_HOSTMEM, FAKE_VMM, FAKE_POOL };

struct fake_ctl {
	long (*live)(enum fake_kind kind);
	/* The n-th call (1: the next) of this function fails, "*" counts all. 0 disarms. */
	void (*arm)(const char *name, int nth);
	bool (*fired)(void);
	/* Calls since the last arm(). */
	long (*calls)(void);
	/* Memory as the application would have it; size of one piece for FAKE_VMM. */
	uint64_t (*mem)(size_t size, enum fake_flavour flavour, int dev, void *ctx, size_t piece);
	void (*mem_free)(uint64_t addr);
	/* A device's byte as the CPU sees it; NULL if it is in no allocation. */
	unsigned char *(*peek)(uint64_t addr);
	/* How long a copy waits at most before it happens. */
	void (*delay)(unsigned int us);
};

/* The rest is for the fakes themselves. */
struct fake_mem {
	struct fake_mem *next;
	uint64_t addr;        /* as the device has it: not readable by the CPU */
	unsigned char *alias; /* the same bytes for us */
	size_t size, map_len, piece;
	uint64_t id; /* no other allocation ever has it */
	int fd, dev;
	void *ctx;
	enum fake_flavour flavour;
};

struct fake_stream;
struct fake_event;

bool fake_fails(const char *name);
/* The same for what "*" leaves out: calls without which nothing can be undone. */
bool fake_fails_by_name(const char *name);
void fake_count(enum fake_kind kind, long add);
void fake_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

struct fake_mem *fake_mem_new(size_t size, enum fake_flavour flavour, int dev, void *ctx, size_t piece);
/* The allocation that contains [addr, addr + len), or NULL. */
struct fake_mem *fake_mem_find(uint64_t addr, size_t len);
bool fake_mem_drop(uint64_t addr);
/* Of a reservation: that only its first `size` bytes exist. */
void fake_mem_resize(struct fake_mem *m, size_t size, size_t piece);
/* Bytes of all allocations now. */
size_t fake_mem_bytes(void);
/*
 * A descriptor of the bytes from off on: with FAKE_DMABUF in the environment a
 * dma-buf of the kernel; else a memfd, shared with the memory if off is 0.
 */
int fake_mem_fd(struct fake_mem *m, size_t off);

struct fake_stream *fake_stream_new(void *ctx);
void *fake_stream_ctx(struct fake_stream *s);
void fake_stream_free(struct fake_stream *s);
void fake_stream_wait(struct fake_stream *s);
/* Queues a copy between host memory and the device. Aborts if dev is no allocation's. */
void fake_stream_copy(struct fake_stream *s, uint64_t dev, void *host, size_t len, bool out);
/* The same between two places in devices. */
void fake_stream_between(struct fake_stream *s, uint64_t dst, uint64_t src, size_t len);

/* Queues a call of a host function, which must call nothing of the library; or a wait until *word >= value. */
void fake_stream_call(struct fake_stream *s, void (*fn)(void *arg), void *arg);
void fake_stream_await(struct fake_stream *s, const uint32_t *word, uint32_t value);

struct fake_event *fake_event_new(void);
void fake_event_free(struct fake_event *e);
void fake_event_record(struct fake_event *e, struct fake_stream *s);
bool fake_event_done(struct fake_event *e);
void fake_event_wait(struct fake_event *e);

/* Page-locked host ranges: false if [p, p + len) overlaps one already. */
bool fake_host_add(void *p, size_t len);
bool fake_host_del(void *p);
bool fake_host_find(void *p);

#endif
