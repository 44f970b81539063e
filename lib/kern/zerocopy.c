/* SPDX-License-Identifier: MIT */
/* The error queue of a socket that sends with MSG_ZEROCOPY. */
#include "config.h"
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "kern/zerocopy.h"

static bool is_ours(const struct cmsghdr *c)
{
	return c->cmsg_len >= CMSG_LEN(sizeof(struct sock_extended_err)) &&
	       ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) ||
		(c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR));
}

/* Other messages (timestamps) are skipped. */
int dv_zerocopy_next(int fd, uint32_t *lo, uint32_t *hi)
{
	for (;;) {
		char control[256] __attribute__((aligned(8)));
		struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };

		if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return 0;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			struct sock_extended_err e;

			if (!is_ours(c))
				continue;
			memcpy(&e, CMSG_DATA(c), sizeof(e));
			if (e.ee_origin != SO_EE_ORIGIN_ZEROCOPY)
				continue;
			*lo = e.ee_info;
			*hi = e.ee_data;
			return 1;
		}
	}
}
