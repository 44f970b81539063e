/* SPDX-License-Identifier: MIT */
/* Generic netlink: one request, its replies, and the kernel's extended ACK message on failure. */
#include "config.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <sys/socket.h>
#include "kern/genl.h"

struct reply {
	struct dv_genl *g;
	void (*fn)(void *arg, const void *attrs, int len);
	void *arg;
	int err;
	bool done;
};

const void *dv_genl_find(const void *attrs, int len, uint16_t type, int min)
{
	const struct nlattr *a = nla_find(attrs, len, type);

	return a && nla_len(a) >= min ? nla_data(a) : NULL;
}

uint64_t dv_genl_num(const void *attrs, int len, uint16_t type, uint64_t none)
{
	const struct nlattr *a = nla_find(attrs, len, type);

	if (a && nla_len(a) == 8)
		return nla_get_u64(a);
	return a && nla_len(a) == 4 ? nla_get_u32(a) : none;
}

void dv_genl_words(const struct nlmsghdr *h, char *buf, size_t size)
{
	const struct nlmsgerr *e = nlmsg_data(h);
	size_t skip = sizeof(*e), len = nlmsg_datalen(h);
	const struct nlattr *a;

	buf[0] = '\0';
	if (len < sizeof(*e) || !(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN;
	if (skip >= len)
		return;
	a = nla_find((const struct nlattr *)((const char *)e + skip), (int)(len - skip), NLMSGERR_ATTR_MSG);
	if (a)
		snprintf(buf, size, "%.*s", nla_len(a), (const char *)nla_data(a));
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct reply *a = arg;

	(void)from;
	a->err = e->error;
	a->done = true;
	dv_genl_words((const struct nlmsghdr *)((const char *)e - NLMSG_HDRLEN), a->g->why, sizeof(a->g->why));
	return NL_STOP;
}

static int on_end(struct nl_msg *msg, void *arg)
{
	(void)msg;
	((struct reply *)arg)->done = true;
	return NL_STOP;
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	const struct genlmsghdr *g = nlmsg_data(nlmsg_hdr(msg));
	struct reply *a = arg;

	if (a->fn)
		a->fn(a->arg, genlmsg_attrdata(g, 0), genlmsg_attrlen(g, 0));
	return NL_OK;
}

int dv_genl_open(struct dv_genl *g)
{
	int one = 1;

	g->why[0] = '\0';
	g->sk = nl_socket_alloc();
	if (!g->sk)
		return -ENOMEM;
	if (genl_connect(g->sk) < 0) {
		dv_genl_close(g);
		return -EPROTONOSUPPORT;
	}
	(void)setsockopt(nl_socket_get_fd(g->sk), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	return 0;
}

void dv_genl_close(struct dv_genl *g)
{
	nl_socket_free(g->sk);
	g->sk = NULL;
}

struct nl_msg *dv_genl_msg(struct dv_genl *g, const char *family, uint8_t cmd, int flags)
{
	int id = genl_ctrl_resolve(g->sk, family);
	struct nl_msg *msg = id < 0 ? NULL : nlmsg_alloc_size(65536);

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, id, 0, flags, cmd, 1)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

int dv_genl_talk(struct dv_genl *g, struct nl_msg *msg, void (*fn)(void *arg, const void *attrs, int len), void *arg)
{
	struct reply a = { .g = g, .fn = fn, .arg = arg };
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int rc = 0;

	g->why[0] = '\0';
	if (!msg || !cb)
		rc = msg ? -ENOMEM : -EOPNOTSUPP;
	else if (nl_send_auto(g->sk, msg) < 0)
		rc = -EIO;
	nlmsg_free(msg);
	if (cb && !rc) {
		nl_cb_err(cb, NL_CB_CUSTOM, on_error, &a);
		nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_end, &a);
		nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_end, &a);
		nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, &a);
		while (!a.done && rc >= 0)
			rc = nl_recvmsgs(g->sk, cb);
		rc = a.done ? a.err : -EIO;
	}
	nl_cb_put(cb);
	return rc;
}
