/* SPDX-License-Identifier: MIT */
/*
 * The parts of devio-nicd:
 *   main.c      options, the socket
 *   inherit.c   the listening socket of a service manager
 *   run.c       the loop: starts processes for clients, restores what a killed one left changed
 *   receiver.c  takes one client's requests and descriptors, without any rights
 *   rate.c      connections of one user in a minute
 *   client.c    its worker: sets the NIC up, and restores everything at the end
 *   message.c   messages, and what a request may ask for
 *   user.c      a user of its own
 *   caps.c      drops all capabilities but CAP_NET_ADMIN
 *   seccomp.c   system calls that it does without
 *
 * A client can make any system call on a descriptor that it sends hang: it may
 * be of a file system that the client serves, or a socket that lingers in
 * close(2), which may be that of a connection in whose queue it is. So the main
 * process never has a client's connection: the receiver accepts it, and may
 * hang. The worker gets dma-bufs and TCP sockets alone, and closes them while
 * the receiver has them open; it has the connection only to see its end, and
 * never closes it. The end of a process closes without waiting.
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

#define NICD_REFUSALS 32u             /* processes that only refuse */
#define NICD_FDS 2                    /* one more than any request has; the kernel closes the rest */
#define NICD_TEXT 400

struct nicd_child {
	pid_t worker, receiver;       /* 0: none; both 0: free */
	uid_t uid;                    /* of the client */
	double kill_at;               /* the receiver is killed then; 0: not */
	bool refused;                 /* there is only a receiver, which refuses the client */
	bool restores;                /* it has no client, but restores what a killed one left changed */
};

/* A user's connections: each takes one of `left`, which grows to --rate in a minute. */
#define NICD_RATES 64u
struct nicd_rate {
	uid_t uid;
	double last, left;            /* last 0: free */
};

struct nicd_message {
	char bytes[sizeof(struct dv_nicd_request) + 1];
	ssize_t n;                    /* < 0: error */
	int fd[NICD_FDS];
	unsigned int nr_fds;
};

struct nicd {
	const char *path, *group, *as;
	int mode;                     /* of the socket; -1: by the group */
	double timeout, rate;
	unsigned int clients, queues;
	bool rss;
	char ifname[NICD_INTERFACES][16];
	unsigned int nr_ifnames;
	uid_t user[NICD_USERS];
	unsigned int nr_users;        /* 0: everybody who can connect */
	int listener;
	uint64_t netns;               /* in which this program runs */
	bool inherited;               /* the listener is a service manager's, and its path too */
	sigset_t open;                /* signal mask while it waits: signals are delivered only then */
	struct nicd_rate rates[NICD_RATES];
	struct nicd_child child[NICD_CLIENTS + NICD_REFUSALS];
};

/* Takes the listening socket that a service manager passed, sd_listen_fds(3): 1, 0 if there is none, or -1. */
int nicd_inherit(struct nicd *d);

/* Until a signal. 0, or -1 with a message on stderr. */
int nicd_run(struct nicd *d);
/* Restores the interfaces that killed processes left changed. */
void nicd_restore(const struct nicd *d);

/* Serves one client, to its end. */
void nicd_receiver(const struct nicd *d, int conn, int worker);
void nicd_client(const struct nicd *d, int fd);

/* message.c */
/* A message of at most one byte more than a request, without waiting. */
void nicd_receive(int fd, struct nicd_message *m);
/* Sends bytes, with a descriptor if pass >= 0. 0 or -1. */
int nicd_forward(int to, const void *bytes, size_t len, int pass);
/* Sends an answer; whether it was sent is not checked. */
void nicd_answer(int fd, uint32_t op, int err, const char *text, const struct devio_nic_info *info);
const char *nicd_protocol_error(int rc);
/* The kernel's number of a socket's network namespace; 0: unknown. */
uint64_t nicd_netns(int fd);
/* What the request asks for, against the options. 0, or -errno with the message in text[NICD_TEXT]. */
int nicd_check(const struct nicd *d, const struct dv_nicd_request *q, bool has_nic, char *text);
/* Writes the message to text[NICD_TEXT] and returns err. */
int nicd_refuse(char *text, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* May this user connect now? And count that it did. */
bool nicd_rate_admits(struct nicd *d, uid_t uid);
void nicd_rate_count(struct nicd *d, uid_t uid);

/* All of these: 0, or -1 with errno: the process must not go on. Keeps CAP_NET_ADMIN only, if the process has it. */
int nicd_drop_caps(bool *able);
/* Keeps no capability. */
int nicd_drop_all(void);
/* user.c: if root started it, becomes the user, or one of its own. Prints the error. */
int nicd_become_user(const char *name);
/* seccomp.c: what no process needs; and but for what the receiver needs, everything. */
int nicd_seccomp(void);
int nicd_seccomp_receiver(void);

#endif
