/* SPDX-License-Identifier: MIT */
/*
 * devio-nicd: the listening socket of a service manager, by the protocol of
 * sd_listen_fds(3): descriptor 3 if LISTEN_PID is this process and LISTEN_FDS is 1.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "nicd.h"

#define FIRST_FD 3

static int option_of(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) ? -1 : value;
}

int nicd_inherit(struct nicd *d)
{
	static struct sockaddr_un at; /* d->path points into it; its last byte stays 0 */
	socklen_t len = sizeof(at) - 1;
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	if (!pid || !fds || strtol(pid, NULL, 10) != getpid())
		return 0;
	if (strcmp(fds, "1") || option_of(FIRST_FD, SO_DOMAIN) != AF_UNIX ||
	    option_of(FIRST_FD, SO_TYPE) != SOCK_SEQPACKET || option_of(FIRST_FD, SO_ACCEPTCONN) != 1) {
		tool_msg(
			"LISTEN_FDS: not one listening socket of AF_UNIX and SOCK_SEQPACKET (ListenSequentialPacket=)");
		return -1;
	}
	if (getsockname(FIRST_FD, (struct sockaddr *)&at, &len) || fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) ||
	    fcntl(FIRST_FD, F_SETFL, fcntl(FIRST_FD, F_GETFL) | O_NONBLOCK)) {
		tool_msg("LISTEN_FDS: %s", strerror(errno));
		return -1;
	}
	d->listener = FIRST_FD;
	d->path = at.sun_path;
	d->inherited = true;
	return 1;
}
