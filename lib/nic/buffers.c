/* SPDX-License-Identifier: MIT */
/* How large a NIC's receive buffers are: each piece of the stream costs the same, however short it is. */
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
#define RING_USUAL 1024u /* descriptors, where the driver does not tell */

static uint32_t page_size(void)
{
	return (uint32_t)sysconf(_SC_PAGESIZE);
}

uint32_t dv_nic_buffer_for(uint32_t payload, uint64_t size, uint32_t descriptors)
{
	uint32_t page = page_size(), buffer = page;

	while (buffer < payload && buffer < BUFFER_MAX)
		buffer *= 2;
	/* The NIC has one in each descriptor, and as many may be on their way or with the program. */
	return size / buffer / 2 >= descriptors ? buffer : page;
}

static uint32_t choose(const struct devio_nic *nic)
{
	uint32_t rx = dv_ethtool_ring(nic->ifname), mtu = dv_netif_mtu(nic->ifname);

	return dv_nic_buffer_for(mtu > HEADERS ? mtu - HEADERS : 0, nic->mem->size, (rx ? rx : RING_USUAL) * nic->queues);
}

int dv_nic_buffer_check(uint32_t buffer)
{
	if (!buffer || (buffer >= page_size() && !(buffer & (buffer - 1))))
		return 0;
	return dv_err(-EINVAL, "nic: receive buffers of %u bytes: a power of two is wanted, of a page (%u) at least, or 0: as fits the "
		      "interface", buffer, page_size());
}

/* What smaller buffers would not change: who holds the queue, who asks, and what is there. */
static bool of_no_size(int rc)
{
	return rc == -EEXIST || rc == -EBUSY || rc == -EPERM || rc == -EACCES || rc == -ENODEV;
}

int dv_nic_bind_buffers(struct devio_nic *nic, int fd, int (*bind)(struct devio_nic *nic, int fd, uint32_t buffer))
{
	uint32_t page = page_size(), buffer = nic->buffer ? nic->buffer : choose(nic);
	int rc = bind(nic, fd, buffer == page ? 0 : buffer);

	/* Not every kernel, driver or memory has large ones; what was asked for is not replaced. */
	if (rc && !of_no_size(rc) && buffer != page && !nic->buffer) {
		buffer = page;
		rc = bind(nic, fd, 0);
	}
	if (!rc)
		nic->buffer = buffer;
	return rc;
}
