/* SPDX-License-Identifier: MIT */
/* What the parts of tests/vm/devmem-lib and tests/vm/devmem-trouble share. */
#ifndef DEVMEM_LIB_H
#define DEVMEM_LIB_H

#include "devmem-tcp.h"
#include <devio.h>

#define AREA (16 * MIB)
#define BLOCK MIB

extern struct devio_ctx *ctx;

/* The context, whose log is printed. */
void begin(void);
/* Ends the test with the library's sentence if rc is an error. */
void must(int rc, const char *what);
struct devio_mem *memory(const char *spec, uint64_t size);
/* NIC receives into area, all of RSS. */
struct devio_nic *set_up(struct devio_mem *area);
/* The next connection of a plain listener, with a time-out of 30 s. */
struct devio_sock *take(int listener);

/* Sends from device memory on a ring, to a peer that compares what it receives. */
struct sending {
	int listener;
	struct devio_mem *src;     /* PERIOD bytes: the pattern */
	struct devio_ring *ring;
	struct devio_sock *s;
};

/* Connects; p->receives and the port are the caller's. */
struct sending sending_start(const char *spec, struct peer *p);
/* n sends of PERIOD bytes, with cookies from 0 on. */
void sending_queue(const struct sending *t, int n);
/* The connection (unless t->s is NULL), the memory and the listener; the ring is the caller's to close before. */
void sending_end(struct sending *t);

/* Has the memory the pattern's bytes from pos on? len is BLOCK at most. */
bool memory_right(struct devio_mem *m, uint64_t off, uint64_t pos, uint32_t len);
/* What NIC is set to, as text. */
void nic_state(char *buf, size_t size);

/* devmem-lib-ring.c */
void pieces_on_ring(struct devio_nic *n, uint64_t bytes);
int test_late(const char *spec);

/* A stream received as pieces, every byte compared: the longest of those in device memory. */
uint32_t as_pieces(struct devio_nic *n, uint64_t bytes);

/* devmem-lib-buffers.c */
int test_buffers(const char *spec);

/* devmem-lib-hard.c */
void bar_memory(bool on);
int test_stuck(const char *spec);
int test_revoked(const char *spec);

/* devmem-lib-rules.c */
int test_rules(const char *spec);

/* devmem-lib-zcrx.c, devmem-lib-zcend.c */
int test_zc(const char *what, const char *spec, int mtu);
int test_zc_ends(const char *spec);
int test_zc_order(const char *spec);
int test_zc_revoked(const char *spec);
struct devio_ring *zc_ring(void);
/* NIC receives into area for the ring, all of RSS. */
struct devio_nic *zc_nic(struct devio_mem *area, struct devio_ring *r);
int zc_recv(struct devio_ring *r, struct devio_sock *s, struct devio_mem *m, uint64_t off, uint64_t len,
	    uint64_t cookie);

#endif
