/* SPDX-License-Identifier: MIT */
/* The memory of a fake vendor library as a descriptor. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/udmabuf.h>
#include "fake.h"

/* A dma-buf that devices of this kernel can be given. */
static int real_dmabuf(struct fake_mem *m, size_t off)
{
	struct udmabuf_create c = {
		.memfd = (uint32_t)m->fd, .flags = UDMABUF_FLAGS_CLOEXEC, .offset = off, .size = m->map_len - off,
	};
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), fd;

	if (dev < 0 || fcntl(m->fd, F_ADD_SEALS, F_SEAL_SHRINK))
		fake_die("FAKE_DMABUF: no /dev/udmabuf, or no seals");
	fd = ioctl(dev, UDMABUF_CREATE, &c);
	if (fd < 0)
		fake_die("FAKE_DMABUF: %zu bytes from %zu on cannot be a udmabuf", m->map_len - off, off);
	close(dev);
	return fd;
}

int fake_mem_fd(struct fake_mem *m, size_t off)
{
	int fd;

	if (getenv("FAKE_DMABUF"))
		return real_dmabuf(m, off);
	if (!off)
		return fcntl(m->fd, F_DUPFD_CLOEXEC, 0);
	/* A memfd cannot begin in the middle of another one: a copy, good for reading. */
	fd = memfd_create("fake-part", MFD_CLOEXEC);
	if (fd < 0 || write(fd, m->alias + off, m->map_len - off) != (ssize_t)(m->map_len - off))
		fake_die("no memory for a part");
	return fd;
}
