/* SPDX-License-Identifier: MIT */
/* The interface of a connection: rtnetlink for the route, ethtool and the netdev family for its capabilities. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <netlink/netlink.h>
#include <netlink/attr.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include "kern/netdev.h"

/* linux/netdev.h, which the headers of Debian 12 lack. */
#define NETDEV_CMD_BIND_RX 13
#define NETDEV_CMD_BIND_TX 15
#define INIT_USER_NS_INO 0xEFFFFFFDU /* PROC_USER_INIT_INO of linux/nsfs.h */

/* Sends and frees msg, and passes each reply to fn. 0 or a negative error. */
static int request(struct nl_sock *sk, struct nl_msg *msg, nl_recvmsg_msg_cb_t fn, void *arg)
{
	int rc = nl_send_auto(sk, msg);

	nlmsg_free(msg);
	if (rc < 0)
		return rc;
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, fn, arg);
	rc = nl_recvmsgs_default(sk);
	return rc < 0 ? rc : 0;
}

static int on_route(struct nl_msg *msg, void *arg)
{
	const struct nlattr *oif = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct rtmsg), RTA_OIF);

	if (oif)
		*(unsigned int *)arg = nla_get_u32(oif);
	return NL_OK;
}

/* The destination as the routing table knows it: an IPv4-mapped IPv6 address is routed as IPv4. */
static int route_dst(const struct sockaddr_storage *peer, const void **addr, unsigned int *scope)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;

	*scope = 0;
	if (peer->ss_family == AF_INET) {
		*addr = &((const struct sockaddr_in *)peer)->sin_addr;
		return AF_INET;
	}
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		*addr = (const char *)&in6->sin6_addr + 12;
		return AF_INET;
	}
	*addr = &in6->sin6_addr;
	*scope = in6->sin6_scope_id;
	return AF_INET6;
}

static unsigned int route_of(const struct sockaddr_storage *peer)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct rtmsg rt = { .rtm_dst_len = 0 };
	struct nl_msg *msg;
	const void *addr;
	unsigned int scope, ifindex = 0;

	if (!sk)
		return 0;
	rt.rtm_family = route_dst(peer, &addr, &scope);
	rt.rtm_dst_len = rt.rtm_family == AF_INET ? 32 : 128;
	msg = nlmsg_alloc_simple(RTM_GETROUTE, 0);
	if (!msg || nl_connect(sk, NETLINK_ROUTE) < 0 || nlmsg_append(msg, &rt, sizeof(rt), NLMSG_ALIGNTO) < 0 ||
	    nla_put(msg, RTA_DST, rt.rtm_dst_len / 8, addr) < 0 || (scope && nla_put_u32(msg, RTA_OIF, scope) < 0))
		nlmsg_free(msg);
	else
		(void)request(sk, msg, on_route, &ifindex);
	nl_socket_free(sk);
	return ifindex;
}

int dv_netdev_find(int fd, struct dv_netdev *d)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	memset(d, 0, sizeof(*d));
	d->split = -1;
	if (getpeername(fd, (struct sockaddr *)&peer, &len))
		return -errno;
	d->ifindex = route_of(&peer);
	if (!d->ifindex)
		return -ENETUNREACH;
	if (!if_indextoname(d->ifindex, d->name))
		return -errno;
	return 0;
}

/* bus_info is empty for loopback, veth, bond, VLAN, ... */
static void query_driver(struct dv_netdev *d)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq req = { .ifr_data = (void *)&info };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	memcpy(req.ifr_name, d->name, sizeof(d->name));
	if (!ioctl(fd, SIOCETHTOOL, &req)) {
		memcpy(d->driver, info.driver, sizeof(d->driver));
		d->driver[sizeof(d->driver) - 1] = '\0';
		d->on_bus = info.bus_info[0] && strcmp(info.bus_info, "N/A");
	}
	close(fd);
}

static int on_family(struct nl_msg *msg, void *arg)
{
	struct nlattr *ops = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct genlmsghdr), CTRL_ATTR_OPS), *op;
	struct dv_netdev *d = arg;
	int left;

	if (!ops)
		return NL_OK;
	nla_for_each_nested(op, ops, left) {
		const struct nlattr *id = nla_find(nla_data(op), nla_len(op), CTRL_ATTR_OP_ID);

		d->bind_rx |= id && nla_get_u32(id) == NETDEV_CMD_BIND_RX;
		d->bind_tx |= id && nla_get_u32(id) == NETDEV_CMD_BIND_TX;
	}
	return NL_OK;
}

static void query_family(struct nl_sock *sk, struct dv_netdev *d)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (!msg || !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, GENL_ID_CTRL, 0, 0, CTRL_CMD_GETFAMILY, 2) ||
	    nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, "netdev") < 0)
		nlmsg_free(msg);
	else
		(void)request(sk, msg, on_family, d);
}

static int on_rings(struct nl_msg *msg, void *arg)
{
	const struct nlattr *split = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct genlmsghdr),
						     ETHTOOL_A_RINGS_TCP_DATA_SPLIT);
	int *out = arg;

	if (split && nla_get_u8(split) != ETHTOOL_TCP_DATA_SPLIT_UNKNOWN)
		*out = nla_get_u8(split) == ETHTOOL_TCP_DATA_SPLIT_ENABLED;
	return NL_OK;
}

static void query_split(struct nl_sock *sk, struct dv_netdev *d)
{
	int family = genl_ctrl_resolve(sk, "ethtool");
	struct nl_msg *msg = family < 0 ? NULL : nlmsg_alloc();
	struct nlattr *head;

	if (!msg)
		return;
	if (!genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, 0, ETHTOOL_MSG_RINGS_GET, 1) ||
	    !(head = nla_nest_start(msg, ETHTOOL_A_RINGS_HEADER | NLA_F_NESTED)) ||
	    nla_put_u32(msg, ETHTOOL_A_HEADER_DEV_INDEX, d->ifindex) < 0) {
		nlmsg_free(msg);
		return;
	}
	nla_nest_end(msg, head);
	(void)request(sk, msg, on_rings, &d->split);
}

/* Whether the capability is effective; only the kernel can check it against the interface's namespace. */
static bool has_net_admin(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	memset(data, 0, sizeof(data));
	return !syscall(SYS_capget, &head, data) && data[0].effective & (1u << CAP_NET_ADMIN);
}

static bool in_init_user_ns(void)
{
	struct stat st;

	return !stat("/proc/self/ns/user", &st) && st.st_ino == INIT_USER_NS_INO;
}

void dv_netdev_ask(struct dv_netdev *d)
{
	struct nl_sock *sk = nl_socket_alloc();

	query_driver(d);
	d->right = has_net_admin();
	d->first_user_ns = in_init_user_ns();
	if (sk && !genl_connect(sk)) {
		query_family(sk, d);
		query_split(sk, d);
	}
	nl_socket_free(sk);
}

/* The kernel reports queue management operations only through an attempt to bind. */
static bool known_driver(const char *driver)
{
	static const char *const known[] = { "bnxt_en", "mlx5_core", "gve", "fbnic", "igb" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(driver, known[i]))
			return true;
	return false;
}

enum devio_reason dv_netdev_why(const struct dv_netdev *d, bool send)
{
	if (!d->ifindex)
		return DEVIO_REASON_NET_UNKNOWN;
	if (!d->on_bus)
		return DEVIO_REASON_NET_VIRTUAL;
	if (send ? !d->bind_tx : !d->bind_rx)
		return DEVIO_REASON_NET_KERNEL;
	if (!known_driver(d->driver))
		return DEVIO_REASON_NET_DRIVER;
	/* Sending requires neither a queue of its own nor a capability. */
	if (!send && d->split != 1)
		return DEVIO_REASON_NET_SPLIT;
	if (!send && !d->right)
		return DEVIO_REASON_NET_RIGHTS;
	return DEVIO_REASON_NET_SETUP;
}
