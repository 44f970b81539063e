/* SPDX-License-Identifier: MIT */
/* What the parts of tests/vm/devmem-tcp share. */
#ifndef DEVMEM_TCP_H
#define DEVMEM_TCP_H

#include "uring-dmabuf.h"

#include <sys/socket.h>

/* Of newer headers than Debian 12's. */
#ifndef MSG_SOCK_DEVMEM
#define MSG_SOCK_DEVMEM 0x2000000
#endif
#ifndef SO_DEVMEM_LINEAR
#define SO_DEVMEM_LINEAR 78
#define SO_DEVMEM_DMABUF 79
#define SO_DEVMEM_DONTNEED 80
#endif

#define NIC "eth0"
#define QUEUE 1
#define PERIOD 1048573 /* a prime: what lies at an offset depends on when it came */
#define PEER_MAX 64 /* connections of one peer */
#define SCM_DEVMEM_TX SO_DEVMEM_DMABUF

struct fragment { /* struct dmabuf_cmsg, struct dmabuf_token of linux/uio.h */
	uint64_t offset;
	uint32_t size, token, id, flags;
};

struct token {
	uint32_t start, count;
};

/* devmem-nl.c: the two generic netlink families, and RSS by ioctl. */
struct binding {
	int nl; /* lives as long as this socket */
	uint32_t id;
};

int bind_rx(struct binding *b, int ifindex, int dmabuf, unsigned int queue);
int bind_tx(struct binding *b, int ifindex, int dmabuf);
void unbind(struct binding *b);
int set_split(int ifindex, bool on);
int set_rx_ring(int ifindex, unsigned int count);
int set_rss(const char *ifname, unsigned int queue);
const char *nl_reason(void);

/* devmem-peer.c: the pattern, the wire, the other end. */
struct peer {
	pthread_t thread;
	int port;
	unsigned int connections; /* 0: one; PEER_MAX at most */
	uint64_t bytes;
	bool odd;      /* write by many sizes, and wait in between */
	bool receives; /* the other direction */
	bool holds;    /* having sent all, keep the connection until `stop` */
	bool resets;   /* ... and end it by a reset */
	volatile bool stop;
	uint64_t done;
	int error;
};

extern char *pattern; /* PERIOD bytes and some of the next */
extern int nic; /* the index of NIC */

void start_up(void);
double seconds(void);
const char *expected(uint64_t position);
bool same(const char *got, uint64_t position, size_t len);
int nic_index(void);
int listen_on(bool here, int port);
int connect_from_peer(int port, int rcvbuf); /* the thread stays in the peer's network namespace */
__attribute__((format(printf, 1, 2))) void run(const char *format, ...);
void await_link(void);
void set_mtu(int mtu);
void prepare(bool split);
void must_bind(struct binding *b, const struct mem *m);
size_t next_size(size_t i);
void peer_start(struct peer *p);

/* devmem-io.c: streams, all of whose bytes are checked. */
struct stream {
	const struct mem *m;
	uint32_t id;
	int fd;
	uint64_t position, linear, fragments, calls, wrong;
	bool keep; /* tokens, until release() */
	struct token *kept;
	size_t n_kept;
};

struct sender {
	int fd;
	uint32_t next, reaped;
	int copied;
};

void release(struct stream *s);
ssize_t receive(struct stream *s, int flags);
ssize_t receive_all(struct stream *s);
void report(const struct stream *s, const char *what, double start);
void one_stream(const struct mem *m, uint32_t id, uint64_t bytes, bool odd, const char *what);
bool reap_zerocopy(struct sender *s, int timeout);
ssize_t send_from(struct sender *s, uint32_t id, uint64_t offset, size_t len);
struct sender sender_for(int listener);
void send_stream(const struct mem *m, uint32_t id, uint64_t bytes, bool odd, const char *what);

/* devmem-revoke.c */
struct revoker {
	const struct mem *m;
	bool starve; /* the kernel's workers of memory, meanwhile */
	double took;
};

void starve_workers(bool on);
void memory_bit(const struct mem *m, bool on);
void *revoke_later(void *arg); /* a struct revoker */
int test_revoke(const char *bdf, int n);

/* devmem-zcrx.c */
int test_zcrx(const char *spec, int n);
int test_zcrx_restart(const char *bdf);

#endif
