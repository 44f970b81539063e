/* SPDX-License-Identifier: MIT */
/* Interface flags, MTU and addresses. Read-only. */
#ifndef DV_KERN_NETIF_H
#define DV_KERN_NETIF_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* The interface is up and has a link. */
bool dv_netif_running(const char *ifname);
/* The MTU in bytes; 0 if unknown. */
uint32_t dv_netif_mtu(const char *ifname);

/*
 * Addresses of a family on the interface or, if it has none (a port of a bond, of a bridge), those of this host but
 * loopback ones. Ports are 0. How many, at most max, or -errno.
 */
int dv_netif_addresses(const char *ifname, int family, struct sockaddr_storage *list, int max);
/* Whether the address is one of this host; the port is ignored. */
bool dv_netif_is_local(const struct sockaddr_storage *a);

#endif
