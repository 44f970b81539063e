/* SPDX-License-Identifier: MIT */
/* What the parts of tests/vm/devmem-trouble share. */
#ifndef DEVMEM_TROUBLE_H
#define DEVMEM_TROUBLE_H

#include "devmem-lib.h"

/* A connection whose pieces are checked and returned. */
struct lane {
	struct devio_sock *s;
	uint64_t pos, linear, wrong;
};

/* One receive: the pieces' number, 0 at the end, or -errno. */
int step(struct lane *l, int64_t timeout);
/* To the end: 0, or -errno, whose sentence is printed. */
int run_lane(struct lane *l, int64_t timeout);

/* devmem-disturb.c: what happens to the NIC and its link, each a few times. */
struct disturber {
	void (*f)(void);
	pthread_t thread;
	volatile bool done;
};

void disturb(struct disturber *d);
void link_here(void);
void link_there(void);
void ring_sizes(void);
void other_mtu(void);
void negotiate(void);
void other_bindings(void);
void pci_reset(void);
void machine_sleeps(void);
void pci_errors(void);

/* So many sends on a ring, which the peer checks, while f (may be NULL) happens. */
void send_checked(const char *spec, int n, int port, void (*f)(void));
/* The peer goes away in the middle of them. */
void reset_sending(const char *spec, int port);
/* So many connections at once, PEER_MAX at most. */
void many_pieces(unsigned int n);
void many_on_ring(const char *spec, unsigned int n);

#endif
