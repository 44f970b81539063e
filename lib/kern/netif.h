/* SPDX-License-Identifier: MIT */
/* What ip(8) shows of an interface. Nothing here changes anything. */
#ifndef DV_KERN_NETIF_H
#define DV_KERN_NETIF_H

#include <stdbool.h>
#include <stdint.h>

/* It is up and has a link. */
bool dv_netif_running(const char *ifname);
/* Bytes of a packet; 0: not known. */
uint32_t dv_netif_mtu(const char *ifname);

#endif
