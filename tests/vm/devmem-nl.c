/* SPDX-License-Identifier: MIT */
/*
 * The netlink that TCP into device memory needs, without a library: binding (family
 * "netdev"), header split and ring sizes (family "ethtool"); and the RSS table.
 */
#include "devmem-tcp.h"

#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/socket.h>

/* linux/netdev.h, which is not among Debian 12's headers */
enum { CMD_BIND_RX = 13, CMD_BIND_TX = 15 };
enum { DMABUF_IFINDEX = 1, DMABUF_QUEUES, DMABUF_FD, DMABUF_ID };
enum { QUEUE_ID = 1, QUEUE_TYPE = 3 };

struct message {
	struct nlmsghdr h;
	struct genlmsghdr g;
	char attrs[1024];
};

static char reason[256];

const char *nl_reason(void)
{
	return reason;
}

static void start(struct message *m, uint16_t family, uint8_t cmd)
{
	memset(m, 0, sizeof(*m));
	m->h.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	m->h.nlmsg_type = family;
	m->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	m->g.cmd = cmd;
	m->g.version = 1;
}

static struct nlattr *put(struct message *m, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = (void *)((char *)m + NLMSG_ALIGN(m->h.nlmsg_len));

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy((char *)a + NLA_HDRLEN, data, len);
	m->h.nlmsg_len = NLMSG_ALIGN(m->h.nlmsg_len) + NLA_ALIGN(a->nla_len);
	return a;
}

static void put_u32(struct message *m, uint16_t type, uint32_t value)
{
	put(m, type, &value, sizeof(value));
}

static void end_nest(const struct message *m, struct nlattr *nest)
{
	nest->nla_type |= NLA_F_NESTED;
	nest->nla_len = (const char *)m + m->h.nlmsg_len - (const char *)nest;
}

/* The value of an attribute at the top of LEN bytes of them. */
static const void *find(const void *attrs, int len, uint16_t type)
{
	const struct nlattr *a = attrs;

	while (len >= NLA_HDRLEN && a->nla_len >= NLA_HDRLEN && a->nla_len <= len) {
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return (const char *)a + NLA_HDRLEN;
		len -= NLA_ALIGN(a->nla_len);
		a = (const void *)((const char *)a + NLA_ALIGN(a->nla_len));
	}
	return NULL;
}

static int genl_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), one = 1;

	if (fd < 0)
		die("netlink");
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	return fd;
}

static void keep_reason(const struct nlmsghdr *h)
{
	const struct nlmsgerr *error = NLMSG_DATA(h);
	const char *text = NULL;
	size_t skip = sizeof(*error);

	if (h->nlmsg_flags & NLM_F_ACK_TLVS) {
		if (!(h->nlmsg_flags & NLM_F_CAPPED))
			skip += error->msg.nlmsg_len - sizeof(error->msg);
		text = find((const char *)error + skip, h->nlmsg_len - NLMSG_HDRLEN - skip, NLMSGERR_ATTR_MSG);
	}
	snprintf(reason, sizeof(reason), "%s", text ? text : "");
}

/* 0 or an error; REPLY gets the first message that is not the acknowledgement. */
static int talk(int fd, struct message *m, struct message *reply)
{
	union {
		struct nlmsghdr h;
		char bytes[8192];
	} in;

	if (send(fd, m, m->h.nlmsg_len, 0) < 0)
		die("netlink send");
	for (;;) {
		ssize_t got = recv(fd, &in, sizeof(in), 0);
		struct nlmsghdr *h = &in.h;

		if (got < 0)
			die("netlink receive");
		for (; NLMSG_OK(h, (size_t)got); h = NLMSG_NEXT(h, got)) {
			if (h->nlmsg_type == NLMSG_ERROR) {
				keep_reason(h);
				return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
			}
			if (reply)
				memcpy(reply, h, h->nlmsg_len < sizeof(*reply) ? h->nlmsg_len : sizeof(*reply));
		}
	}
}

static uint16_t family_of(int fd, const char *name)
{
	struct message m, reply = { 0 };
	const uint16_t *id;

	start(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	put(&m, CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
	if (talk(fd, &m, &reply))
		die(name);
	id = find(reply.attrs, reply.h.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), CTRL_ATTR_FAMILY_ID);
	if (!id)
		die(name);
	return *id;
}

static int do_bind(struct binding *b, struct message *m)
{
	struct message reply = { 0 };
	const uint32_t *id;
	int ret = talk(b->nl, m, &reply);

	if (ret) {
		close(b->nl);
		b->nl = -1;
		return ret;
	}
	id = find(reply.attrs, reply.h.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), DMABUF_ID);
	if (!id)
		die("no id of the binding");
	b->id = *id;
	return 0;
}

int bind_rx(struct binding *b, int ifindex, int dmabuf, unsigned int queue)
{
	struct nlattr *nest;
	struct message m;

	b->nl = genl_socket();
	start(&m, family_of(b->nl, "netdev"), CMD_BIND_RX);
	put_u32(&m, DMABUF_IFINDEX, ifindex);
	put_u32(&m, DMABUF_FD, dmabuf);
	nest = put(&m, DMABUF_QUEUES, NULL, 0);
	put_u32(&m, QUEUE_ID, queue);
	put_u32(&m, QUEUE_TYPE, 0);
	end_nest(&m, nest);
	return do_bind(b, &m);
}

int bind_tx(struct binding *b, int ifindex, int dmabuf)
{
	struct message m;

	b->nl = genl_socket();
	start(&m, family_of(b->nl, "netdev"), CMD_BIND_TX);
	put_u32(&m, DMABUF_IFINDEX, ifindex);
	put_u32(&m, DMABUF_FD, dmabuf);
	return do_bind(b, &m);
}

void unbind(struct binding *b)
{
	close(b->nl);
}

static int set_rings(int ifindex, uint16_t attr, const void *value, size_t len)
{
	int fd = genl_socket(), ret;
	struct nlattr *nest;
	struct message m;

	start(&m, family_of(fd, "ethtool"), ETHTOOL_MSG_RINGS_SET);
	nest = put(&m, ETHTOOL_A_RINGS_HEADER, NULL, 0);
	put_u32(&m, ETHTOOL_A_HEADER_DEV_INDEX, ifindex);
	end_nest(&m, nest);
	put(&m, attr, value, len);
	ret = talk(fd, &m, NULL);
	close(fd);
	return ret;
}

int set_split(int ifindex, bool on)
{
	uint8_t value = on ? ETHTOOL_TCP_DATA_SPLIT_ENABLED : ETHTOOL_TCP_DATA_SPLIT_DISABLED;

	return set_rings(ifindex, ETHTOOL_A_RINGS_TCP_DATA_SPLIT, &value, sizeof(value));
}

int set_rx_ring(int ifindex, unsigned int count)
{
	uint32_t value = count;

	return set_rings(ifindex, ETHTOOL_A_RINGS_RX, &value, sizeof(value));
}

/* All of the RSS table to one queue. */
int set_rss(const char *ifname, unsigned int queue)
{
	struct ethtool_rxfh_indir *table = calloc(1, sizeof(*table) + 4096);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	ifr.ifr_data = (void *)table;
	table->cmd = ETHTOOL_GRXFHINDIR;
	ret = ioctl(fd, SIOCETHTOOL, &ifr);
	table->cmd = ETHTOOL_GRXFHINDIR;
	if (!ret)
		ret = ioctl(fd, SIOCETHTOOL, &ifr);
	for (unsigned int i = 0; i < table->size; i++)
		table->ring_index[i] = queue;
	table->cmd = ETHTOOL_SRXFHINDIR;
	if (!ret)
		ret = ioctl(fd, SIOCETHTOOL, &ifr);
	if (ret)
		ret = -errno;
	close(fd);
	free(table);
	return ret;
}
