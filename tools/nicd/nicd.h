/* SPDX-License-Identifier: MIT */
/*
 * The parts of devio-nicd:
 *   main.c      options, the socket
 *   inherit.c   the listening socket of a service manager
 *   run.c       the loop: accepts clients, starts a process for each, restores what a killed one left changed
 *   client.c    one client: requests in, answers out, and everything restored at its end
 *   caps.c      drops all capabilities but CAP_NET_ADMIN
 *
 * There is a process for each client, because a client can make any system
 * call on the descriptor that it sends hang: it may be of a file system that the
 * client serves, where even close(2) blocks. Only its own process hangs then.
 */
#ifndef TOOLS_NICD_H
#define TOOLS_NICD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <devio.h>
#include "common/tool.h"
#include "nic/protocol.h"

#define NICD_CLIENTS 256u             /* limits */
#define NICD_INTERFACES 64u
#define NICD_USERS 256u

struct nicd_child {
	pid_t pid;                    /* 0: free */
	uid_t uid;                    /* of the client */
	bool restores;                /* it has no client, but restores what a killed one left changed */
};

struct nicd {
	const char *path, *group;
	int mode;                     /* of the socket; -1: by the group */
	double timeout;
	unsigned int clients, queues;
	bool rss;
	char ifname[NICD_INTERFACES][16];
	unsigned int nr_ifnames;
	uid_t user[NICD_USERS];
	unsigned int nr_users;        /* 0: everybody who can connect */
	int listener;
	bool inherited;               /* the listener is a service manager's, and its path too */
	sigset_t open;                /* signal mask while it waits: signals are delivered only then */
	struct nicd_child child[NICD_CLIENTS];
};

/* Takes the listening socket that a service manager passed, sd_listen_fds(3): 1, 0 if there is none, or -1. */
int nicd_inherit(struct nicd *d);

/* Until a signal. 0, or -1 with a message on stderr. */
int nicd_run(struct nicd *d);
/* Restores the interfaces that killed processes left changed. */
void nicd_restore(const struct nicd *d);

/* Serves one client, to its end. */
void nicd_client(const struct nicd *d, int fd);
/* Sends an answer; whether it was sent is not checked. */
void nicd_answer(int fd, uint32_t op, int err, const char *text, const struct devio_nic_info *info);

/* Keeps CAP_NET_ADMIN only; false: the process does not have it. */
bool nicd_drop_caps(void);

#endif
