/* SPDX-License-Identifier: MIT */
/* The size of a NIC's receive buffers (a fragment costs the same whatever its length), and binding with it. */
#include "config.h"
#include <errno.h>
#include <unistd.h>
#include "core/err.h"
#include "kern/ethtool.h"
#include "kern/netif.h"
#include "mem/mem.h"
#include "nic/nic.h"

#define HEADERS 40u      /* IPv4 and TCP, at least */
#define BUFFER_MAX 65536u
#define RING_DEFAULT 1024u /* descriptors, if the driver does not report them */

static uint32_t page_size(void)
{
	return (uint32_t)sysconf(_SC_PAGESIZE);
}

uint32_t dv_nic_buffer_for(uint32_t payload, uint64_t size, uint32_t descriptors)
{
	uint32_t page = page_size(), buffer = page;

	while (buffer < payload && buffer < BUFFER_MAX)
		buffer *= 2;
	/* One per descriptor is posted to the NIC, and as many again may be in sockets or with the application. */
	return size / buffer / 2 >= descriptors ? buffer : page;
}

static uint32_t default_size(const struct devio_nic *nic)
{
	uint32_t descriptors = dv_ethtool_ring(nic->ifname), mtu = dv_netif_mtu(nic->ifname);

	if (!descriptors)
		descriptors = RING_DEFAULT;
	return dv_nic_buffer_for(mtu > HEADERS ? mtu - HEADERS : 0, nic->mem->size, descriptors * nic->queues);
}

int dv_nic_buffer_check(uint32_t buffer)
{
	if (!buffer || (buffer >= page_size() && !(buffer & (buffer - 1))))
		return 0;
	return dv_err(-EINVAL, "nic: invalid receive buffer size %u: use a power of two of at least one page (%u), or "
		      "0 to fit the interface", buffer, page_size());
}

/* Errors that a smaller buffer cannot fix: the queue is in use, permission, no such device. */
static bool size_independent(int rc)
{
	return rc == -EEXIST || rc == -EBUSY || rc == -EPERM || rc == -EACCES || rc == -ENODEV;
}

int dv_nic_bind_buffers(struct devio_nic *nic, int fd, int (*bind)(struct devio_nic *nic, int fd, uint32_t buffer))
{
	uint32_t page = page_size(), buffer = nic->buffer ? nic->buffer : default_size(nic);
	int rc = bind(nic, fd, buffer == page ? 0 : buffer);

	/* Not every kernel, driver or memory supports large buffers. A size set by the caller is not replaced. */
	if (rc && !size_independent(rc) && buffer != page && !nic->buffer) {
		buffer = page;
		rc = bind(nic, fd, 0);
	}
	if (!rc)
		nic->buffer = buffer;
	return rc;
}

const char *dv_nic_bind_hint(const struct devio_nic *nic, int rc)
{
	bool ring = nic->binding->per_ring;

	switch (rc) {
	case -EEXIST:
		return ring ? ": detach the XDP program (ip link set dev IF xdp off), close the earlier ring, or open "
			      "the NIC in the ring's thread" :
			      ": detach the XDP program (ip link set dev IF xdp off)";
	case -EOPNOTSUPP:
		return ": the driver cannot restart single queues, or the NIC cannot access the memory (memory of a "
		       "device needs the patches in kernel/)";
	case -EINVAL:
		return ring ? ": header split is off, the NIC cannot reach the memory (see devio-probe), or the kernel "
			      "is older than 6.16 and does not accept a dma-buf" : "";
	case -ENOMEM:
		return ring ? ": RLIMIT_MEMLOCK (ulimit -l) may be too low" : "";
	default:
		return "";
	}
}
