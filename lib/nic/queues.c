/* SPDX-License-Identifier: MIT */
/* Queues of a NIC, and the memory bound to them for all connections (sock-devmem). */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "core/err.h"
#include "kern/netdev.h"
#include "mem/mem.h"
#include "nic/nic.h"

/* The highest queues that are free, in a row; never queue 0. */
int dv_nic_find_queues(struct devio_nic *nic)
{
	int n = dv_ethtool_queues(nic->ifname);
	unsigned int free_ones = 0;

	if (n < 0)
		return dv_err(n, "nic %s: its queues cannot be counted", nic->ifname);
	for (int i = n - 1; i > 0; i--) {
		struct dv_netqueue q;

		if (dv_netqueue_get(nic->ifindex, (unsigned int)i, &q) || q.dmabuf || q.other)
			free_ones = 0;
		else if (++free_ones == nic->queues) {
			nic->first = (unsigned int)i;
			return 0;
		}
	}
	if ((unsigned int)n <= nic->queues)
		return dv_err(-EOPNOTSUPP, "nic %s: it has %d receive queues, and %u besides queue 0 are needed: "
			      "ethtool -L %s combined %u", nic->ifname, n, nic->queues, nic->ifname, nic->queues + 1);
	return dv_err(-EBUSY, "nic %s: no %u queues in a row are free: another program has bound them (ynl netdev, or "
		      "ethtool -L for more)", nic->ifname, nic->queues);
}

static int can(const struct devio_nic *nic, const struct dv_netdev *d, const char *daemon)
{
	if (!d->bind_rx)
		return dv_err(-EOPNOTSUPP, "nic %s: the kernel cannot bind a dma-buf to a queue: boot Linux 6.12 or newer "
			      "with CONFIG_NET_DEVMEM", nic->ifname);
	if (!d->right)
		return dv_err(-EPERM, "nic %s: setting it up takes CAP_NET_ADMIN (sudo, or setcap cap_net_admin+ep on the "
			      "program) or a devio-nicd, which does it for others%s%s", nic->ifname,
			      daemon ? "; none listens at " : "", daemon ? daemon : "");
	return 0;
}

static int try_queues(struct devio_nic *nic, int fd, uint32_t buffer)
{
	return dv_netbind_rx(&nic->bind, nic->ifindex, fd, nic->first, nic->queues, buffer);
}

static const char *hint(int rc, const char *why)
{
	if (strstr(why, "map dmabuf"))
		return ": it has no way to that memory: peer to peer they must be below one PCIe switch, or the host bridge on the "
		       "kernel's list (devio-probe tells)";
	return rc == -EEXIST ? ": detach the XDP program (ip link set dev IF xdp off)" :
	       rc == -EOPNOTSUPP ? ": the driver restarts no single queues, or the memory is not to be reached by the NIC (a device's "
	       "own memory needs the series in kernel/)" : "";
}

static int bind_queues(struct devio_nic *nic, int fd)
{
	int rc = dv_nic_bind_buffers(nic, fd, try_queues);
	const char *why = nic->bind.nl.why;

	if (!rc) {
		nic->id = nic->bind.id;
		return 0;
	}
	return dv_err(rc, "nic %s: queue %u does not take mem %s: %s%s", nic->ifname, nic->first, nic->mem->spec,
		      *why ? why : "the kernel gives no words", hint(rc, why));
}

const struct dv_nic_binding dv_nic_queues_binding = {
	.can = can,
	.bind = bind_queues,
	.leave = dv_nic_put_back,
};
