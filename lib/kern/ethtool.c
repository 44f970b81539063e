/* SPDX-License-Identifier: MIT */
/* ethtool(8) settings: rings through netlink, the RSS table and flow rules through ioctl. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/ioctl.h>
#include "kern/ethtool.h"
#include "kern/netif.h"
#include "kern/devmem.h"

static int ethtool_ioctl(const char *ifname, void *arg)
{
	struct ifreq req = { .ifr_data = arg };
	int rc, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", ifname);
	rc = ioctl(fd, SIOCETHTOOL, &req) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

void dv_ethtool_split_parse(const void *attrs, int len, struct dv_split *s)
{
	const uint8_t *split = dv_genl_find(attrs, len, ETHTOOL_A_RINGS_TCP_DATA_SPLIT, 1);

	s->split = split ? *split : -1;
	s->thresh = (int64_t)dv_genl_num(attrs, len, DV_RINGS_HDS_THRESH, UINT64_MAX);
}

static void on_rings(void *arg, const void *attrs, int len)
{
	dv_ethtool_split_parse(attrs, len, arg);
}

/* A request for the interface's rings; the caller may append attributes to set. */
static struct nl_msg *rings_msg(struct dv_genl *g, uint8_t cmd, unsigned int ifindex)
{
	struct nl_msg *msg = dv_genl_msg(g, "ethtool", cmd, 0);
	struct nlattr *head = msg ? nla_nest_start(msg, ETHTOOL_A_RINGS_HEADER | NLA_F_NESTED) : NULL;

	if (!head || nla_put_u32(msg, ETHTOOL_A_HEADER_DEV_INDEX, ifindex) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	nla_nest_end(msg, head);
	return msg;
}

int dv_ethtool_split_get(unsigned int ifindex, struct dv_split *s)
{
	struct dv_genl g;
	int rc = dv_genl_open(&g);

	s->split = -1;
	s->thresh = -1;
	if (rc)
		return rc;
	rc = dv_genl_talk(&g, rings_msg(&g, ETHTOOL_MSG_RINGS_GET, ifindex), on_rings, s);
	dv_genl_close(&g);
	return rc;
}

int dv_ethtool_split_set(unsigned int ifindex, const struct dv_split *s, char *err_msg, size_t size)
{
	struct nl_msg *msg;
	struct dv_genl g;
	int rc = dv_genl_open(&g);

	if (rc)
		return rc;
	msg = rings_msg(&g, ETHTOOL_MSG_RINGS_SET, ifindex);
	if (msg && s->split >= 0)
		(void)nla_put_u8(msg, ETHTOOL_A_RINGS_TCP_DATA_SPLIT, (uint8_t)s->split);
	if (msg && s->thresh >= 0)
		(void)nla_put_u32(msg, DV_RINGS_HDS_THRESH, (uint32_t)s->thresh);
	rc = dv_genl_talk(&g, msg, NULL, NULL);
	snprintf(err_msg, size, "%s", g.why);
	dv_genl_close(&g);
	return rc;
}

uint32_t dv_ethtool_ring(const char *ifname)
{
	struct ethtool_ringparam r = { .cmd = ETHTOOL_GRINGPARAM };

	return ethtool_ioctl(ifname, &r) ? 0 : r.rx_pending;
}

int dv_ethtool_queues(const char *ifname)
{
	struct ethtool_channels ch = { .cmd = ETHTOOL_GCHANNELS };
	struct ethtool_rxnfc rx_rings = { .cmd = ETHTOOL_GRXRINGS };
	int rc = ethtool_ioctl(ifname, &rx_rings);

	/* GRXRINGS counts receive queues only; channels may include other kinds. */
	if (!rc)
		return (int)rx_rings.data;
	rc = ethtool_ioctl(ifname, &ch);
	return rc ? rc : (int)(ch.rx_count + ch.combined_count);
}

static struct ethtool_rxfh_indir *indir_new(uint32_t cmd)
{
	struct ethtool_rxfh_indir *in = calloc(1, sizeof(*in) + DV_RSS_MAX * sizeof(in->ring_index[0]));

	if (in)
		in->cmd = cmd;
	return in;
}

int dv_ethtool_rss_get(const char *ifname, uint32_t *table)
{
	struct ethtool_rxfh_indir *in = indir_new(ETHTOOL_GRXFHINDIR);
	int rc = -ENOMEM;

	if (!in)
		return rc;
	/* With size 0 the ioctl returns the table size only. */
	rc = ethtool_ioctl(ifname, in);
	if (!rc && (!in->size || in->size > DV_RSS_MAX))
		rc = in->size ? -E2BIG : -EOPNOTSUPP;
	in->cmd = ETHTOOL_GRXFHINDIR;
	if (!rc)
		rc = ethtool_ioctl(ifname, in);
	if (!rc) {
		memcpy(table, in->ring_index, in->size * sizeof(*table));
		rc = (int)in->size;
	}
	free(in);
	return rc;
}

int dv_ethtool_rss_set(const char *ifname, const uint32_t *table, unsigned int n)
{
	struct ethtool_rxfh_indir *in = n > DV_RSS_MAX ? NULL : indir_new(ETHTOOL_SRXFHINDIR);
	int rc;

	if (!in)
		return n > DV_RSS_MAX ? -E2BIG : -ENOMEM;
	in->size = n;
	memcpy(in->ring_index, table, n * sizeof(*table));
	rc = ethtool_ioctl(ifname, in);
	free(in);
	return rc;
}

bool dv_ethtool_rss_make(uint32_t *table, unsigned int size, unsigned int first, unsigned int n, bool only)
{
	unsigned int next = 0;

	if (only) {
		for (unsigned int i = 0; i < size; i++)
			table[i] = first + i % n;
		return n > 0;
	}
	if (!first)
		return false;
	for (unsigned int i = 0; i < size; i++)
		if (table[i] >= first && table[i] < first + n)
			table[i] = next++ % first;
	return true;
}

static bool fill_ipv4(struct ethtool_rx_flow_spec *fs, const struct sockaddr_storage *local,
		      const struct sockaddr_storage *peer)
{
	const struct sockaddr_in *dst = (const struct sockaddr_in *)local, *src = (const struct sockaddr_in *)peer;

	fs->flow_type = TCP_V4_FLOW;
	fs->h_u.tcp_ip4_spec.pdst = dst->sin_port;
	fs->m_u.tcp_ip4_spec.pdst = 0xffff;
	fs->h_u.tcp_ip4_spec.ip4dst = dst->sin_addr.s_addr;
	fs->m_u.tcp_ip4_spec.ip4dst = 0xffffffff;
	if (src) {
		fs->h_u.tcp_ip4_spec.ip4src = src->sin_addr.s_addr;
		fs->h_u.tcp_ip4_spec.psrc = src->sin_port;
		fs->m_u.tcp_ip4_spec.ip4src = 0xffffffff;
		fs->m_u.tcp_ip4_spec.psrc = 0xffff;
	}
	return dst->sin_port;
}

static bool fill_ipv6(struct ethtool_rx_flow_spec *fs, const struct sockaddr_storage *local,
		      const struct sockaddr_storage *peer)
{
	const struct sockaddr_in6 *dst = (const struct sockaddr_in6 *)local, *src = (const struct sockaddr_in6 *)peer;

	fs->flow_type = TCP_V6_FLOW;
	fs->h_u.tcp_ip6_spec.pdst = dst->sin6_port;
	fs->m_u.tcp_ip6_spec.pdst = 0xffff;
	memcpy(fs->h_u.tcp_ip6_spec.ip6dst, &dst->sin6_addr, 16);
	memset(fs->m_u.tcp_ip6_spec.ip6dst, 0xff, 16);
	if (src) {
		memcpy(fs->h_u.tcp_ip6_spec.ip6src, &src->sin6_addr, 16);
		fs->h_u.tcp_ip6_spec.psrc = src->sin6_port;
		memset(fs->m_u.tcp_ip6_spec.ip6src, 0xff, 16);
		fs->m_u.tcp_ip6_spec.psrc = 0xffff;
	}
	return dst->sin6_port;
}

const struct sockaddr_storage *dv_ethtool_unmap_ipv4(const struct sockaddr_storage *a, struct sockaddr_storage *buf)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
	struct sockaddr_in *in4 = (struct sockaddr_in *)buf;

	if (!a || a->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return a;
	*in4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = in6->sin6_port };
	memcpy(&in4->sin_addr, (const char *)&in6->sin6_addr + 12, 4);
	return buf;
}

bool dv_ethtool_any_address(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)a)->sin6_addr);
	return !((const struct sockaddr_in *)a)->sin_addr.s_addr;
}

int dv_ethtool_rule_fill(struct ethtool_rxnfc *r, const struct sockaddr_storage *local,
			 const struct sockaddr_storage *peer, unsigned int queue)
{
	struct sockaddr_storage a, b;
	bool has_port;

	local = dv_ethtool_unmap_ipv4(local, &a);
	peer = dv_ethtool_unmap_ipv4(peer, &b);
	memset(r, 0, sizeof(*r));
	r->cmd = ETHTOOL_SRXCLSRLINS;
	r->fs.ring_cookie = queue;
	if (local->ss_family == AF_INET)
		has_port = fill_ipv4(&r->fs, local, peer);
	else if (local->ss_family == AF_INET6)
		has_port = fill_ipv6(&r->fs, local, peer);
	else
		return -EINVAL;
	return has_port ? 0 : -EINVAL;
}

int dv_ethtool_rule_make(struct ethtool_rxnfc *r, const struct sockaddr_storage *local,
			 const struct sockaddr_storage *peer, unsigned int queue)
{
	int rc = dv_ethtool_rule_fill(r, local, peer, queue);
	struct sockaddr_storage buf;

	/* It would match what the NIC receives for others, too: containers, virtual machines. */
	return rc ? rc : dv_netif_is_local(dv_ethtool_unmap_ipv4(local, &buf)) ? 0 : -EADDRNOTAVAIL;
}

int dv_ethtool_rule_can(const char *ifname)
{
	struct ethtool_rxnfc count = { .cmd = ETHTOOL_GRXCLSRLCNT };

	return ethtool_ioctl(ifname, &count);
}

int dv_ethtool_rule_place(const char *ifname)
{
	struct ethtool_rxnfc *r = calloc(1, sizeof(*r) + DV_RSS_MAX * sizeof(uint32_t));
	int rc = -ENOMEM;
	uint32_t at;

	if (!r)
		return rc;
	r->cmd = ETHTOOL_GRXCLSRLALL;
	r->rule_cnt = DV_RSS_MAX;
	rc = ethtool_ioctl(ifname, r);
	/* Search from the top, where priority is lowest and rules are rare; data is the table size. */
	at = r->data ? (uint32_t)r->data - 1 : 0;
	for (uint32_t i = 0; !rc && i < r->rule_cnt; i++)
		if (r->rule_locs[i] == at) {
			rc = at-- ? 0 : -ENOSPC;
			i = UINT32_MAX; /* start over: the list is not sorted */
		}
	if (!rc && !r->data)
		rc = -ENOSPC;
	free(r);
	return rc ? rc : (int)at;
}

int dv_ethtool_rule_add(const char *ifname, const struct sockaddr_storage *local, const struct sockaddr_storage *peer,
			unsigned int queue, unsigned int location)
{
	struct ethtool_rxnfc r;
	int rc = dv_ethtool_rule_make(&r, local, peer, queue);

	r.fs.location = location;
	return rc ? rc : ethtool_ioctl(ifname, &r);
}

int dv_ethtool_rule_queue(const char *ifname, unsigned int location, unsigned int *queue)
{
	struct ethtool_rxnfc r = { .cmd = ETHTOOL_GRXCLSRULE, .fs.location = location };
	int rc = ethtool_ioctl(ifname, &r);

	*queue = (unsigned int)r.fs.ring_cookie;
	return rc;
}

int dv_ethtool_rule_del(const char *ifname, unsigned int location)
{
	struct ethtool_rxnfc r = { .cmd = ETHTOOL_SRXCLSRLDEL, .fs.location = location };

	return ethtool_ioctl(ifname, &r);
}
