/* SPDX-License-Identifier: MIT */
/* Putting an interface back: after a close, a failure, or a crash. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include "core/ctx.h"
#include "core/err.h"
#include "kern/netbind.h"
#include "kern/netif.h"
#include "nic/nic.h"

#define TRIES 60           /* a queue that was unbound is given back a little later */
#define PAUSE_US 50000

void dv_nic_settle(const char *ifname, bool was_up)
{
	for (int i = 0; was_up && i < 5 * TRIES && !dv_netif_running(ifname); i++)
		usleep(PAUSE_US);
}

static int undo_split(const struct dv_nicstate *was)
{
	struct dv_split split = was->split;
	char why[160] = "";
	int rc = 0;

	/* A driver that did not tell had it off: it was not needed, or not asked for. */
	if (split.split == DV_SPLIT_DEFAULT)
		split.split = DV_SPLIT_UNSET;
	else if (split.split <= 0)
		split.split = DV_SPLIT_OFF;
	for (int i = 0; i < TRIES; i++) {
		rc = dv_ethtool_split_set(was->ifindex, &split, why, sizeof(why));
		if (rc != -EINVAL && rc != -EBUSY)
			break;
		usleep(PAUSE_US);
	}
	return rc ? dv_err(rc, "nic %s: header split cannot be put back (%s): ethtool -G %s tcp-data-split off", was->ifname,
			   *why ? why : "the kernel gives no words", was->ifname) : 0;
}

int dv_nic_undo(const struct dv_nicstate *was)
{
	char name[IF_NAMESIZE];
	int rc = 0, err;

	/* Unplugged, or another one has its name: what was changed is gone. */
	if (!if_indextoname(was->ifindex, name) || strcmp(name, was->ifname))
		return 0;
	for (unsigned int i = was->nr_rules; i--;) {
		err = dv_ethtool_rule_del(was->ifname, was->rules[i]);
		if (err && err != -ENOENT && err != -EINVAL && !rc)
			rc = dv_err(err, "nic %s: rule %u stays: ethtool -N %s delete %u", was->ifname, was->rules[i],
				    was->ifname, was->rules[i]);
	}
	/* When this works, a dead process's queue has been given back, and others' traffic may come to it. */
	err = was->has_split ? undo_split(was) : 0;
	rc = rc ? rc : err;
	err = was->rss_size ? dv_ethtool_rss_set(was->ifname, was->rss, was->rss_size) : 0;
	if (err && !rc)
		rc = dv_err(err, "nic %s: the RSS table cannot be put back: ethtool -X %s default", was->ifname, was->ifname);
	return rc;
}

int dv_nic_write_down(const struct devio_nic *nic, const char *line)
{
	int rc = dv_journal_add(nic->journal, line);

	return rc ? dv_err(rc, "nic %s: the journal cannot be written", nic->ifname) : 0;
}

void dv_nic_put_back(struct devio_nic *nic)
{
	bool up = dv_netif_running(nic->ifname);

	if (nic->daemon >= 0) {
		if (dv_nicclient_close(nic))
			dv_log(nic->ctx, DEVIO_LOG_ERROR, "%s", devio_errmsg());
		return;
	}
	/* Traffic first, then the binding, then what the binding needs. */
	if (nic->was.rss_size)
		(void)dv_ethtool_rss_set(nic->ifname, nic->was.rss, nic->was.rss_size);
	dv_netbind_close(&nic->bind);
	if (dv_nic_undo(&nic->was)) {
		dv_log(nic->ctx, DEVIO_LOG_ERROR, "%s; or later: devio-nc --restore", devio_errmsg());
		dv_journal_leave(nic->journal);
	} else {
		dv_journal_end(nic->journal, nic->ifname, nic->ifindex);
	}
	nic->journal = -1;
	dv_nic_settle(nic->ifname, up);
}

static int no_journal(const char *ifname, int err)
{
	if (err == -EBUSY)
		return dv_err(err, "nic %s: another process, or this one, has set it up: end that first", ifname);
	if (err == -EBADMSG)
		return dv_err(err, "nic %s: its journal in /run/devio cannot be read: look at it and delete it", ifname);
	return dv_err(err, "nic %s: the journal cannot be written: is /run/devio yours, or XDG_RUNTIME_DIR set?", ifname);
}

int dv_nic_journal(const char *ifname, unsigned int ifindex)
{
	struct dv_nicstate *old = malloc(sizeof(*old));
	int rc, fd;

	if (!old)
		return dv_err(-ENOMEM, "nic %s: no memory", ifname);
	fd = dv_journal_open(ifname, ifindex, old);
	if (fd < 0) {
		free(old);
		return no_journal(ifname, fd);
	}
	rc = old->ifindex ? dv_nic_undo(old) : 0;
	free(old);
	if (!rc) {
		rc = dv_journal_begin(fd, ifname, ifindex);
		if (rc)
			rc = no_journal(ifname, rc);
	}
	if (rc)
		dv_journal_leave(fd);
	return rc ? rc : fd;
}

struct restore {
	const char *only;
	int done, err;
};

static int restore_one(void *arg, const char *ifname, unsigned int ifindex)
{
	struct restore *r = arg;
	int fd;

	if (r->only && strcmp(r->only, ifname))
		return 0;
	fd = dv_nic_journal(ifname, ifindex);
	if (fd >= 0) {
		dv_journal_end(fd, ifname, ifindex);
		r->done++;
	} else if (fd != -EBUSY && !r->err) { /* a living process's is none of ours */
		r->err = fd;
	}
	return 0;
}

DEVIO_API int devio_nic_restore(struct devio_ctx *ctx, const char *ifname)
{
	struct restore r = { .only = ifname };
	int rc = ctx ? dv_ctx_forked(ctx) : dv_err(-EINVAL, "nic: the context is NULL");

	if (rc)
		return rc;
	rc = dv_journal_each(restore_one, &r);
	if (rc)
		return dv_err(rc, "nic: the journals cannot be read: is /run/devio yours, or XDG_RUNTIME_DIR set?");
	return r.err ? r.err : r.done;
}
