/* SPDX-License-Identifier: MIT */
/*
 * The parts of devio-nicd:
 *   main.c      options, the socket, signals
 *   run.c       the loop: clients come, each gets a process; what those leave that die
 *   client.c    one client: requests in, answers out, and all put back at its end
 *   caps.c      every right but CAP_NET_ADMIN is given up
 *
 * A process for each client, because a client can make any call on what it sends
 * hang: the descriptor may be of a file system that it serves itself, where
 * even close(2) waits. It then has itself hanging, and nobody else.
 */
#ifndef TOOLS_NICD_H
#define TOOLS_NICD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <devio.h>
#include "nic/protocol.h"

#define NICD_CLIENTS 256u             /* at most */
#define NICD_INTERFACES 64u
#define NICD_USERS 256u

struct nicd_child {
	pid_t pid;                    /* 0: free */
	uid_t uid;                    /* of the client */
	bool restores;                /* it has no client, but puts back what one left that died */
};

struct nicd {
	const char *path, *group;
	int mode;                     /* of the socket; -1: by the group */
	double timeout;
	unsigned int clients, queues;
	bool rss, verbose;
	char ifname[NICD_INTERFACES][16];
	unsigned int nr_ifnames;
	uid_t user[NICD_USERS];
	unsigned int nr_users;        /* 0: all that can connect */
	int listener;
	sigset_t open;                /* the mask while it waits: signals come only then */
	struct nicd_child child[NICD_CLIENTS];
};

extern volatile sig_atomic_t nicd_stop;

/* On standard error; say: with --verbose. */
void nicd_tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void nicd_say(const struct nicd *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Until a signal. 0 or -1, with a sentence on stderr. */
int nicd_run(struct nicd *d);
/* What dead processes left of the interfaces. */
void nicd_restore(const struct nicd *d);

/* One client, to its end. */
void nicd_client(const struct nicd *d, int fd);
/* As an answer of this kind; whether it went out is not looked at. */
void nicd_answer(int fd, uint32_t op, int err, const char *text, const struct devio_nic_info *info);

/* Only CAP_NET_ADMIN is kept, if it is there; false: it is not. */
bool nicd_rights(void);

#endif
