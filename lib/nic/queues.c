/* SPDX-License-Identifier: MIT */
/* Receive queues of a NIC: finding free ones, and binding memory to them for all connections (sock-devmem). */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "core/err.h"
#include "kern/netdev.h"
#include "mem/mem.h"
#include "nic/nic.h"

int dv_nic_find_queues(struct devio_nic *nic)
{
	int n = dv_ethtool_queues(nic->ifname);
	unsigned int free_ones = 0;

	if (n < 0)
		return dv_err(n, "nic %s: cannot read the number of its receive queues", nic->ifname);
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
		return dv_err(-EOPNOTSUPP, "nic %s: it has %d receive queues, but %u are needed besides queue 0: "
			      "ethtool -L %s combined %u", nic->ifname, n, nic->queues, nic->ifname, nic->queues + 1);
	return dv_err(-EBUSY, "nic %s: no %u consecutive queues are free, other programs have bound them: see ynl "
		      "netdev, or add queues with ethtool -L", nic->ifname, nic->queues);
}

static int can(const struct devio_nic *nic, const struct dv_netdev *d, const char *daemon)
{
	if (!d->bind_rx)
		return dv_err(-EOPNOTSUPP, "nic %s: the kernel cannot bind a dma-buf to a queue: boot Linux 6.12 or "
			      "newer with CONFIG_NET_DEVMEM", nic->ifname);
	if (!d->right)
		return dv_err(-EPERM, "nic %s: setting it up requires CAP_NET_ADMIN (sudo, or setcap cap_net_admin+ep "
			      "on the program) or a running devio-nicd%s%s", nic->ifname,
			      daemon ? "; connection refused at " : "", daemon ? daemon : "");
	return 0;
}

static int try_queues(struct devio_nic *nic, int fd, uint32_t buffer)
{
	return dv_netbind_rx(&nic->bind, nic->ifindex, fd, nic->first, nic->queues, buffer);
}

static int bind_queues(struct devio_nic *nic, int fd)
{
	int rc = dv_nic_bind_buffers(nic, fd, try_queues);
	const char *why = nic->bind.nl.why, *hint;

	if (!rc) {
		nic->id = nic->bind.id;
		return 0;
	}
	hint = dv_nic_bind_hint(nic, rc);
	if (strstr(why, "map dmabuf"))
		hint = ": the NIC cannot reach that memory: for peer-to-peer DMA both must be below one PCIe switch, "
		       "or the host bridge on the kernel's list (see devio-probe)";
	return dv_err(rc, "nic %s: cannot bind mem %s to queue %u: %s%s", nic->ifname, nic->mem->spec, nic->first,
		      *why ? why : "the kernel gives no reason", hint);
}

const struct dv_nic_binding dv_nic_queues_binding = {
	.can = can,
	.bind = bind_queues,
	.unbind = dv_nic_restore,
};
