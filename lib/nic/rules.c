/* SPDX-License-Identifier: MIT */
/* Steering rules: which connections reach the NIC's bound queues. Each rule has a location of its own. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include "core/ctx.h"
#include "core/err.h"
#include "nic/nic.h"

int dv_nic_choose_steering(struct devio_nic *nic)
{
	int rc;

	if (nic->steer != DEVIO_STEER_AUTO && nic->steer != DEVIO_STEER_RULES)
		return 0;
	rc = dv_ethtool_rule_can(nic->ifname);
	if (rc)
		return dv_err(-EOPNOTSUPP, "nic %s: it has no steering rules (%s), or they are off (ethtool -K %s "
			      "ntuple on): use steering by RSS, which sends all of the interface's traffic to the "
			      "memory, or DEVIO_STEER_USER", nic->ifname, dv_errno_name(rc), nic->ifname);
	nic->steer = DEVIO_STEER_RULES;
	return 0;
}

/* The journal records the rule before it is added, and its removal ("norule") if the NIC refuses it. */
static int add_rule(struct devio_nic *nic, const struct sockaddr_storage *local, const struct sockaddr_storage *peer)
{
	/* A rule has one queue: they take turns. */
	unsigned int queue = nic->first + nic->saved.nr_rules % nic->queues;
	char line[32];
	int rc, loc;

	if (nic->saved.nr_rules == DV_JOURNAL_RULES)
		return dv_err(-ENOSPC, "nic %s: cannot add more than %u rules: use one for a listener's port",
			      nic->ifname, nic->saved.nr_rules);
	loc = dv_ethtool_rule_place(nic->ifname);
	if (loc < 0)
		return dv_err(loc, "nic %s: no location is free for a rule (see ethtool -n %s): use one for a "
			      "listener's port", nic->ifname, nic->ifname);
	snprintf(line, sizeof(line), "rule %d\n", loc);
	rc = dv_nic_record(nic, line);
	if (rc)
		return rc;
	rc = dv_ethtool_rule_add(nic->ifname, local, peer, queue, (unsigned int)loc);
	if (rc) {
		snprintf(line, sizeof(line), "norule %d\n", loc);
		(void)dv_journal_add(nic->journal, line);
		return dv_err(rc, "nic %s: it refused the steering rule: ethtool -K %s ntuple on", nic->ifname,
			      nic->ifname);
	}
	nic->saved.rules[nic->saved.nr_rules++] = (uint32_t)loc;
	return 0;
}

int dv_nic_steer(struct devio_nic *nic, int sock, bool listening)
{
	struct sockaddr_storage local, peer;
	socklen_t local_len = sizeof(local), peer_len = sizeof(peer);
	int rc;

	if (nic->steer != DEVIO_STEER_RULES)
		return 0;
	if (nic->daemon >= 0)
		return dv_nicclient_steer(nic, sock);
	if (getsockname(sock, (struct sockaddr *)&local, &local_len) ||
	    (!listening && getpeername(sock, (struct sockaddr *)&peer, &peer_len)))
		return dv_err(-errno, "nic %s: cannot read the connection's addresses", nic->ifname);
	/* Two threads could find the same location free, and the second rule would replace the first. */
	pthread_mutex_lock(&nic->request_lock);
	rc = add_rule(nic, &local, listening ? NULL : &peer);
	pthread_mutex_unlock(&nic->request_lock);
	return rc;
}
