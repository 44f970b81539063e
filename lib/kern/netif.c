/* SPDX-License-Identifier: MIT */
/* Interface flags, MTU and addresses. */
#include "config.h"
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <netinet/in.h>
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

static void get_address(const struct ifaddrs *i, struct sockaddr_storage *a)
{
	size_t size = i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	memset(a, 0, sizeof(*a));
	memcpy(a, i->ifa_addr, size);
}

static int select_addresses(const struct ifaddrs *all, const char *ifname, int family, struct sockaddr_storage *list,
			    int max)
{
	int n = 0;

	for (const struct ifaddrs *i = all; i && n < max; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != family)
			continue;
		if (ifname ? !strcmp(i->ifa_name, ifname) : !(i->ifa_flags & IFF_LOOPBACK))
			get_address(i, &list[n++]);
	}
	return n;
}

int dv_netif_addresses(const char *ifname, int family, struct sockaddr_storage *list, int max)
{
	struct ifaddrs *all;
	int n;

	if (getifaddrs(&all))
		return -errno;
	n = select_addresses(all, ifname, family, list, max);
	if (!n)
		n = select_addresses(all, NULL, family, list, max);
	freeifaddrs(all);
	return n;
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&((const struct sockaddr_in6 *)a)->sin6_addr,
				  &((const struct sockaddr_in6 *)b)->sin6_addr);
}

bool dv_netif_is_local(const struct sockaddr_storage *a)
{
	struct sockaddr_storage b;
	struct ifaddrs *all;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
		if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
			continue;
		get_address(i, &b);
		found = same_address(a, &b);
	}
	freeifaddrs(all);
	return found;
}
