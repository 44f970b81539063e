/* SPDX-License-Identifier: MIT */
/* Restoring an interface: after a close, a failure, or a crash. */
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

#define TRIES 60           /* the kernel releases an unbound queue after a short delay */
#define PAUSE_US 50000

void dv_nic_wait_link(const char *ifname, bool was_up)
{
	for (int i = 0; was_up && i < 5 * TRIES && !dv_netif_running(ifname); i++)
		usleep(PAUSE_US);
}

static int restore_split(const struct dv_nicstate *saved)
{
	struct dv_split split = saved->split;
	char why[160] = "";
	int rc = 0;

	/* If the driver did not report the setting, header split was off. */
	if (split.split == DV_SPLIT_DEFAULT)
		split.split = DV_SPLIT_UNSET;
	else if (split.split <= 0)
		split.split = DV_SPLIT_OFF;
	for (int i = 0; i < TRIES; i++) {
		rc = dv_ethtool_split_set(saved->ifindex, &split, why, sizeof(why));
		if (rc != -EINVAL && rc != -EBUSY)
			break;
		usleep(PAUSE_US);
	}
	if (!rc)
		return 0;
	return dv_err(rc, "nic %s: cannot restore header split: %s: ethtool -G %s tcp-data-split off", saved->ifname,
		      *why ? why : "the kernel gives no reason", saved->ifname);
}

/* Somebody may have deleted it, and added another one at its location. */
static bool is_own_rule(const struct dv_nicstate *saved, unsigned int i)
{
	unsigned int queue;

	return saved->rule_queue[i] == DV_QUEUE_UNKNOWN ||
	       dv_ethtool_rule_queue(saved->ifname, saved->rules[i], &queue) || queue == saved->rule_queue[i];
}

int dv_nic_restore_state(const struct dv_nicstate *saved)
{
	char name[IF_NAMESIZE];
	int rc = 0, err;

	/* Unplugged, or its name belongs to another interface: the changes are gone with it. */
	if (!if_indextoname(saved->ifindex, name) || strcmp(name, saved->ifname))
		return 0;
	for (unsigned int i = saved->nr_rules; i--;) {
		if (!is_own_rule(saved, i))
			continue;
		err = dv_ethtool_rule_del(saved->ifname, saved->rules[i]);
		if (err && err != -ENOENT && err != -EINVAL && !rc)
			rc = dv_err(err, "nic %s: cannot delete rule %u: ethtool -N %s delete %u", saved->ifname,
				    saved->rules[i], saved->ifname, saved->rules[i]);
	}
	/* Succeeds once the kernel has released a dead process's queue, so that RSS may spread traffic to it again. */
	err = saved->has_split ? restore_split(saved) : 0;
	rc = rc ? rc : err;
	err = saved->rss_size ? dv_ethtool_rss_set(saved->ifname, saved->rss, saved->rss_size) : 0;
	if (err && !rc)
		rc = dv_err(err, "nic %s: cannot restore the RSS table: ethtool -X %s default", saved->ifname,
			    saved->ifname);
	return rc;
}

int dv_nic_record(const struct devio_nic *nic, const char *line)
{
	int rc = dv_journal_add(nic->journal, line);

	return rc ? dv_err(rc, "nic %s: cannot write the journal in /run/devio", nic->ifname) : 0;
}

void dv_nic_restore(struct devio_nic *nic)
{
	bool up = dv_netif_running(nic->ifname);

	if (nic->daemon >= 0) {
		if (dv_nicclient_close(nic))
			dv_log(nic->ctx, DEVIO_LOG_ERROR, "%s", devio_errmsg());
		return;
	}
	/* Traffic first, then the binding, then what the binding needs. */
	if (nic->saved.rss_size)
		(void)dv_ethtool_rss_set(nic->ifname, nic->saved.rss, nic->saved.rss_size);
	dv_netbind_close(&nic->bind);
	if (dv_nic_restore_state(&nic->saved)) {
		dv_log(nic->ctx, DEVIO_LOG_ERROR, "%s; or retry later: devio-nc --restore", devio_errmsg());
		dv_journal_leave(nic->journal);
	} else {
		dv_journal_end(nic->journal, nic->ifname, nic->ifindex);
	}
	nic->journal = -1;
	dv_nic_wait_link(nic->ifname, up);
}

static int journal_error(const char *ifname, int err)
{
	if (err == -EBUSY)
		return dv_err(err, "nic %s: already set up by another process or this one: close it there first",
			      ifname);
	if (err == -EBADMSG)
		return dv_err(err, "nic %s: its journal in /run/devio is damaged: inspect it, then delete it", ifname);
	return dv_err(err, "nic %s: cannot write the journal: check that /run/devio belongs to this user, or set "
		      "XDG_RUNTIME_DIR", ifname);
}

int dv_nic_open_journal(const char *ifname, unsigned int ifindex)
{
	struct dv_nicstate *old = malloc(sizeof(*old));
	int rc, fd;

	if (!old)
		return dv_err(-ENOMEM, "nic %s: cannot allocate the saved settings", ifname);
	fd = dv_journal_open(ifname, ifindex, old);
	if (fd < 0) {
		free(old);
		return journal_error(ifname, fd);
	}
	rc = old->ifindex ? dv_nic_restore_state(old) : 0;
	free(old);
	if (!rc) {
		rc = dv_journal_begin(fd, ifname, ifindex);
		if (rc)
			rc = journal_error(ifname, rc);
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
	fd = dv_nic_open_journal(ifname, ifindex);
	if (fd >= 0) {
		dv_journal_end(fd, ifname, ifindex);
		r->done++;
	} else if (fd != -EBUSY && !r->err) { /* -EBUSY: its process is alive */
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
		return dv_err(rc, "nic: cannot read the journals: check that /run/devio belongs to this user, or set "
			      "XDG_RUNTIME_DIR");
	return r.err ? r.err : r.done;
}
