/* SPDX-License-Identifier: MIT */
/* Which connections come to a NIC's bound queues: steering rules, each in a place of its own. */
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
		return dv_err(-EOPNOTSUPP, "nic %s: it has no steering rules (%s; ethtool -K %s ntuple on helps where they "
			      "are only off): take steering by RSS, which sends all of the interface's traffic to the "
			      "memory, or steer yourself", nic->ifname, dv_errno_name(rc), nic->ifname);
	nic->steer = DEVIO_STEER_RULES;
	return 0;
}

/* The rule is written down first; the journal also tells of one that was refused. */
static int put_rule(struct devio_nic *nic, const struct sockaddr_storage *here, const struct sockaddr_storage *there)
{
	/* Each to the next queue; a rule has one. */
	unsigned int queue = nic->first + nic->was.nr_rules % nic->queues;
	char line[32];
	int rc, at;

	if (nic->was.nr_rules == DV_JOURNAL_RULES)
		return dv_err(-ENOSPC, "nic %s: %u rules are made: make one for a listener's port", nic->ifname,
			      nic->was.nr_rules);
	at = dv_ethtool_rule_place(nic->ifname);
	if (at < 0)
		return dv_err(at, "nic %s: there is no place for a rule (ethtool -n %s lists them): make one for a listener's port",
			      nic->ifname, nic->ifname);
	snprintf(line, sizeof(line), "rule %d\n", at);
	rc = dv_nic_write_down(nic, line);
	if (rc)
		return rc;
	rc = dv_ethtool_rule_add(nic->ifname, here, there, queue, (unsigned int)at);
	if (rc) {
		snprintf(line, sizeof(line), "norule %d\n", at);
		(void)dv_journal_add(nic->journal, line);
		return dv_err(rc, "nic %s: it does not take the rule: ethtool -K %s ntuple on", nic->ifname, nic->ifname);
	}
	nic->was.rules[nic->was.nr_rules++] = (uint32_t)at;
	return 0;
}

int dv_nic_steer(struct devio_nic *nic, int sock, bool listening)
{
	struct sockaddr_storage here, there;
	socklen_t a = sizeof(here), b = sizeof(there);
	int rc;

	if (nic->steer != DEVIO_STEER_RULES)
		return 0;
	if (nic->daemon >= 0)
		return dv_nicclient_steer(nic, sock);
	if (getsockname(sock, (struct sockaddr *)&here, &a) ||
	    (!listening && getpeername(sock, (struct sockaddr *)&there, &b)))
		return dv_err(-errno, "nic %s: the connection's addresses", nic->ifname);
	/* Two at a time would find the same place, and the later rule would replace the other. */
	pthread_mutex_lock(&nic->talk);
	rc = put_rule(nic, &here, listening ? NULL : &there);
	pthread_mutex_unlock(&nic->talk);
	return rc;
}
