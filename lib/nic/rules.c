/* SPDX-License-Identifier: MIT */
/* Steering rules: which connections reach the NIC's bound queues. Each rule has a location of its own. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "core/ctx.h"
#include "core/err.h"
#include "kern/netif.h"
#include "nic/nic.h"

#define ADDRESSES 64 /* of an interface */

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

/* The journal records the rule before it is added, and is cut if the NIC refuses it. */
static int add_rule(struct devio_nic *nic, const struct sockaddr_storage *local, const struct sockaddr_storage *peer)
{
	/* A rule has one queue: they take turns. */
	unsigned int queue = nic->first + nic->saved.nr_rules % nic->queues, at = nic->saved.nr_rules;
	off_t size = dv_journal_size(nic->journal);
	char line[32];
	int rc, loc;

	if (at == DV_JOURNAL_RULES)
		return dv_err(-ENOSPC, "nic %s: cannot add more than %u rules: use one for a listener's port",
			      nic->ifname, at);
	loc = dv_ethtool_rule_place(nic->ifname);
	if (loc < 0)
		return dv_err(loc, "nic %s: no location is free for a rule (see ethtool -n %s): use one for a "
			      "listener's port", nic->ifname, nic->ifname);
	snprintf(line, sizeof(line), "rule %d %u\n", loc, queue);
	rc = dv_nic_record(nic, line);
	if (rc)
		return rc;
	rc = dv_ethtool_rule_add(nic->ifname, local, peer, queue, (unsigned int)loc);
	if (rc)
		(void)dv_journal_cut(nic->journal, size);
	if (rc == -EADDRNOTAVAIL)
		return dv_err(rc, "nic %s: the socket's address is not one of this host: a rule for it would match "
			      "traffic of others", nic->ifname);
	if (rc)
		return dv_err(rc, "nic %s: it refused the steering rule: ethtool -K %s ntuple on", nic->ifname,
			      nic->ifname);
	nic->saved.rules[at] = (uint32_t)loc;
	nic->saved.rule_queue[at] = queue;
	nic->saved.nr_rules++;
	return 0;
}

/* Deletes the last rules, up to `nr` of them. */
static void take_back(struct devio_nic *nic, unsigned int nr, off_t size)
{
	while (nic->saved.nr_rules > nr)
		(void)dv_ethtool_rule_del(nic->ifname, nic->saved.rules[--nic->saved.nr_rules]);
	(void)dv_journal_cut(nic->journal, size);
}

/* Without an address a rule would match what the NIC receives for containers and virtual machines: one for each. */
static int add_rules(struct devio_nic *nic, const struct sockaddr_storage *local, const struct sockaddr_storage *peer)
{
	struct sockaddr_storage list[ADDRESSES], buf;
	const struct sockaddr_storage *a = dv_ethtool_unmap_ipv4(local, &buf);
	unsigned int nr = nic->saved.nr_rules;
	off_t size = dv_journal_size(nic->journal);
	int n, rc = 0;

	if (!dv_ethtool_any_address(a))
		return add_rule(nic, a, peer);
	n = dv_netif_addresses(nic->ifname, a->ss_family, list, ADDRESSES);
	if (n <= 0)
		return dv_err(n ? n : -EADDRNOTAVAIL, "nic %s: the host has no address for the socket's rule",
			      nic->ifname);
	for (int i = 0; i < n && !rc; i++) {
		if (a->ss_family == AF_INET)
			((struct sockaddr_in *)&list[i])->sin_port = ((const struct sockaddr_in *)a)->sin_port;
		else
			((struct sockaddr_in6 *)&list[i])->sin6_port = ((const struct sockaddr_in6 *)a)->sin6_port;
		rc = add_rule(nic, &list[i], peer);
	}
	if (rc)
		take_back(nic, nr, size);
	return rc;
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
	rc = add_rules(nic, &local, listening ? NULL : &peer);
	pthread_mutex_unlock(&nic->request_lock);
	return rc;
}
