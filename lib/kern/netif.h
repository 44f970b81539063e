/* SPDX-License-Identifier: MIT */
/* Interface flags and MTU. Read-only. */
#ifndef DV_KERN_NETIF_H
#define DV_KERN_NETIF_H

#include <stdbool.h>
#include <stdint.h>

/* The interface is up and has a link. */
bool dv_netif_running(const char *ifname);
/* The MTU in bytes; 0 if unknown. */
uint32_t dv_netif_mtu(const char *ifname);

#endif
