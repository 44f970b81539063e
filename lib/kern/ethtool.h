/* SPDX-License-Identifier: MIT */
/* What ethtool(8) shows and sets: header split, the RSS table, queues, steering rules. */
#ifndef DV_KERN_ETHTOOL_H
#define DV_KERN_ETHTOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "kern/genl.h"

/* ETHTOOL_TCP_DATA_SPLIT_*, and one more for the journal: told to be on, but nobody had said so. */
enum { DV_SPLIT_UNSET, DV_SPLIT_OFF, DV_SPLIT_ON, DV_SPLIT_DEFAULT };

/* How headers are kept apart from payload. */
struct dv_split {
	int split;                 /* DV_SPLIT_*; -1: the driver does not tell */
	int64_t thresh;            /* packets up to so many bytes are not split; -1: there is no such setting */
};

int dv_ethtool_split_get(unsigned int ifindex, struct dv_split *s);
/* Sets what is not negative. The kernel's -errno, its words in why. */
int dv_ethtool_split_set(unsigned int ifindex, const struct dv_split *s, char *why, size_t size);
void dv_ethtool_split_parse(const void *attrs, int len, struct dv_split *s);

/* Receive queues in use, or -errno. */
int dv_ethtool_queues(const char *ifname);
/* Descriptors of a receive queue; 0: the driver does not tell. */
uint32_t dv_ethtool_ring(const char *ifname);

#define DV_RSS_MAX 4096
/* The table into which the hash of a flow points; its size or -errno. */
int dv_ethtool_rss_get(const char *ifname, uint32_t *table);
int dv_ethtool_rss_set(const char *ifname, const uint32_t *table, unsigned int n);
/* The same table without (or, only, with nothing but) queues [first, first + n). False: nothing would be left. */
bool dv_ethtool_rss_make(uint32_t *table, unsigned int size, unsigned int first, unsigned int n, bool only);

struct ethtool_rxnfc;
/* A rule for what comes to `local` (from `peer`, if not NULL) by TCP; family and port 0 is -EINVAL. */
int dv_ethtool_rule_make(struct ethtool_rxnfc *r, const struct sockaddr_storage *local, const struct sockaddr_storage *peer,
			 unsigned int queue);
/* Can rules be had? 0 or -errno. */
int dv_ethtool_rule_can(const char *ifname);
/* Where the next rule can go: >= 0, or -errno. */
int dv_ethtool_rule_place(const char *ifname);
int dv_ethtool_rule_add(const char *ifname, const struct sockaddr_storage *local, const struct sockaddr_storage *peer,
			unsigned int queue, unsigned int location);
int dv_ethtool_rule_del(const char *ifname, unsigned int location);

#endif
