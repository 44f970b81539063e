/* SPDX-License-Identifier: MIT */
/* ethtool(8) settings: header split, the RSS table, queues, flow rules. */
#ifndef DV_KERN_ETHTOOL_H
#define DV_KERN_ETHTOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "kern/genl.h"

/* ETHTOOL_TCP_DATA_SPLIT_*, plus DEFAULT for the journal: reported as on but never set explicitly. */
enum { DV_SPLIT_UNSET, DV_SPLIT_OFF, DV_SPLIT_ON, DV_SPLIT_DEFAULT };

/* Header-data split. */
struct dv_split {
	int split;                 /* DV_SPLIT_*; -1: not reported by the driver */
	int64_t thresh;            /* packets up to this many bytes are not split; -1: setting not supported */
};

int dv_ethtool_split_get(unsigned int ifindex, struct dv_split *s);
/* Sets the fields that are not negative. 0, or the kernel's -errno with its message in err_msg. */
int dv_ethtool_split_set(unsigned int ifindex, const struct dv_split *s, char *err_msg, size_t size);
void dv_ethtool_split_parse(const void *attrs, int len, struct dv_split *s);

/* Receive queues in use, or -errno. */
int dv_ethtool_queues(const char *ifname);
/* Descriptors per receive queue; 0: not reported by the driver. */
uint32_t dv_ethtool_ring(const char *ifname);

#define DV_RSS_MAX 4096
/* The RSS indirection table. Returns its size or -errno. */
int dv_ethtool_rss_get(const char *ifname, uint32_t *table);
int dv_ethtool_rss_set(const char *ifname, const uint32_t *table, unsigned int n);
/* Removes queues [first, first + n) from the table, or, with `only`, all others. False if no queue would remain. */
bool dv_ethtool_rss_make(uint32_t *table, unsigned int size, unsigned int first, unsigned int n, bool only);

struct ethtool_rxnfc;
/* An address that stands for all. */
bool dv_ethtool_any_address(const struct sockaddr_storage *a);
/* An IPv4-mapped IPv6 address arrives in IPv4 packets: the IPv4 one, in buf; else a itself, which may be NULL. */
const struct sockaddr_storage *dv_ethtool_unmap_ipv4(const struct sockaddr_storage *a, struct sockaddr_storage *buf);
/*
 * A rule for TCP to `local` (from `peer`, if not NULL). -EINVAL for another
 * address family or port 0; -EADDRNOTAVAIL if local is not an address of this
 * host, or that of all. rule_fill does not check that.
 */
int dv_ethtool_rule_fill(struct ethtool_rxnfc *r, const struct sockaddr_storage *local,
			 const struct sockaddr_storage *peer, unsigned int queue);
int dv_ethtool_rule_make(struct ethtool_rxnfc *r, const struct sockaddr_storage *local,
			 const struct sockaddr_storage *peer, unsigned int queue);
/* Does the interface support flow rules? 0 or -errno. */
int dv_ethtool_rule_can(const char *ifname);
/* A free location for the next rule: >= 0, or -errno. */
int dv_ethtool_rule_place(const char *ifname);
int dv_ethtool_rule_add(const char *ifname, const struct sockaddr_storage *local, const struct sockaddr_storage *peer,
			unsigned int queue, unsigned int location);
/* The queue of the rule at a location. 0 or -errno. */
int dv_ethtool_rule_queue(const char *ifname, unsigned int location, unsigned int *queue);
int dv_ethtool_rule_del(const char *ifname, unsigned int location);

#endif
