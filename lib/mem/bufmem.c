/* SPDX-License-Identifier: MIT */
/* Memory represented by a dma-buf: mapped lazily, CPU copies bracketed by DMA_BUF_IOCTL_SYNC. */
#include "config.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/err.h"
#include "kern/dmabuf.h"
#include "mem/bufmem.h"
#include "mem/sys.h"

int dv_bufmem_new(struct devio_mem *m, int fd, uint64_t off)
{
	struct dv_bufmem *b = calloc(1, sizeof(*b));

	if (!b) {
		close(fd);
		return dv_err(-ENOMEM, "mem %s: cannot allocate the handle", m->spec);
	}
	b->fd = fd;
	b->off = off;
	m->priv = b;
	return 0;
}

int dv_bufmem_map(struct devio_mem *m)
{
	struct dv_bufmem *b = m->priv;
	uint64_t skip = b->off & (dv_sys_page() - 1);
	void *p;
	int rc = dv_dmabuf_map(b->fd, b->off - skip, m->size + skip, &p);

	if (rc)
		return dv_err(-EOPNOTSUPP, "mem %s: the CPU cannot access this dma-buf: its exporter rejects mmap() "
			      "with %s; copy with the exporting device's library", m->spec, dv_errno_name(rc));
	b->map = p;
	b->map_len = m->size + skip;
	dv_mem_set_ptr(m, (char *)p + skip);
	return 0;
}

int dv_bufmem_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c)
{
	struct dv_bufmem *b = m->priv;
	void *ptr;
	int rc = dv_mem_ptr(m, &ptr), end;

	if (rc)
		return rc;
	rc = dv_dmabuf_cpu_begin(b->fd, !out);
	if (rc)
		return dv_err(rc, "mem %s: DMA_BUF_IOCTL_SYNC before a copy failed", m->spec);
	rc = dv_mem_copy_cpu(m, off, host, len, out, c);
	end = dv_dmabuf_cpu_end(b->fd, !out);
	return end ? dv_err(end, "mem %s: DMA_BUF_IOCTL_SYNC after a copy failed", m->spec) : rc;
}

int dv_bufmem_between(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
		      struct dv_copy *c)
{
	const struct dv_bufmem *b = src->priv;
	void *ptr;
	int rc = dv_mem_ptr(src, &ptr), end;

	if (rc)
		return -EOPNOTSUPP;
	rc = dv_dmabuf_cpu_begin(b->fd, false);
	if (rc)
		return dv_err(rc, "mem %s: DMA_BUF_IOCTL_SYNC before a copy failed", src->spec);
	rc = dv_bufmem_copy(dst, off, (char *)ptr + src_off, len, false, c);
	end = dv_dmabuf_cpu_end(b->fd, false);
	return end ? dv_err(end, "mem %s: DMA_BUF_IOCTL_SYNC after a copy failed", src->spec) : rc;
}

int dv_bufmem_export(struct devio_mem *m, int *fd, uint64_t *off)
{
	struct dv_bufmem *b = m->priv;
	int own = fcntl(b->fd, F_DUPFD_CLOEXEC, 0);

	if (own < 0)
		return dv_err(-errno, "mem %s: cannot duplicate the dma-buf's file descriptor", m->spec);
	*fd = own;
	*off = b->off;
	return 0;
}

/* Frees descriptors and mappings only, so it is safe in a forked child. */
void dv_bufmem_free(struct devio_mem *m)
{
	struct dv_bufmem *b = m->priv;

	if (b->map)
		munmap(b->map, b->map_len);
	close(b->fd);
	free(b);
}
