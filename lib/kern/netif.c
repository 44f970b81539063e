/* SPDX-License-Identifier: MIT */
/* Interface flags and MTU. */
#include "config.h"
#include <stdio.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "kern/netif.h"

static bool if_ioctl(const char *ifname, unsigned long cmd, struct ifreq *req)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = -1;

	snprintf(req->ifr_name, sizeof(req->ifr_name), "%s", ifname);
	if (fd >= 0) {
		rc = ioctl(fd, cmd, req);
		close(fd);
	}
	return !rc;
}

bool dv_netif_running(const char *ifname)
{
	struct ifreq req = { .ifr_flags = 0 };

	return if_ioctl(ifname, SIOCGIFFLAGS, &req) && req.ifr_flags & IFF_RUNNING;
}

uint32_t dv_netif_mtu(const char *ifname)
{
	struct ifreq req = { .ifr_mtu = 0 };

	return if_ioctl(ifname, SIOCGIFMTU, &req) && req.ifr_mtu > 0 ? (uint32_t)req.ifr_mtu : 0;
}
