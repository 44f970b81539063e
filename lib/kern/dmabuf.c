/* SPDX-License-Identifier: MIT */
/* Operations on dma-buf file descriptors: lseek, mmap and DMA_BUF_IOCTL_SYNC. */
#include "config.h"
#include <errno.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <linux/dma-buf.h>
#include "kern/dmabuf.h"

#define DMABUF_FS_MAGIC 0x444d4142 /* "DMAB", DMA_BUF_MAGIC of linux/magic.h */

int dv_dmabuf_check(int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st))
		return -errno;
	/* __fsword_t is signed and may be wider than the magic. */
	return (uint32_t)st.f_type == DMABUF_FS_MAGIC ? 0 : -EINVAL;
}

int64_t dv_dmabuf_size(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		return -errno;
	/* The file position is shared with the caller's descriptor. */
	(void)lseek(fd, 0, SEEK_SET);
	return size;
}

int dv_dmabuf_map(int fd, uint64_t off, uint64_t len, void **ptr)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)off);

	if (p == MAP_FAILED)
		return -errno;
	*ptr = p;
	return 0;
}

static int cpu_sync(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };
	int rc;

	/* The exporter may wait for the device: retry if interrupted. */
	do
		rc = ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
	while (rc < 0 && (errno == EINTR || errno == EAGAIN));
	return rc < 0 ? -errno : 0;
}

int dv_dmabuf_cpu_begin(int fd, bool write)
{
	return cpu_sync(fd, DMA_BUF_SYNC_START | (write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ));
}

int dv_dmabuf_cpu_end(int fd, bool write)
{
	return cpu_sync(fd, DMA_BUF_SYNC_END | (write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ));
}
