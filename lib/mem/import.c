/* SPDX-License-Identifier: MIT */
/* Imported memory: a range of an existing dma-buf. */
#include "config.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/err.h"
#include "kern/dmabuf.h"
#include "mem/bufmem.h"
#include "mem/sys.h"

static int check_fd(int fd)
{
	int rc = dv_dmabuf_check(fd);

	if (rc == -EINVAL)
		return dv_err(rc, "mem dmabuf: fd %d is not a dma-buf: pass one exported by a device's driver or "
			      "library", fd);
	return rc ? dv_err(rc, "mem dmabuf: cannot use fd %d", fd) : 0;
}

static int check_range(int fd, uint64_t off, uint64_t size)
{
	int64_t have = dv_dmabuf_size(fd);

	if (have < 0)
		return dv_err((int)have, "mem dmabuf: cannot determine the size of fd %d: lseek() failed", fd);
	if (off > (uint64_t)have || size > (uint64_t)have - off)
		return dv_err(-ERANGE, "mem dmabuf: %llu bytes at offset %llu exceed the dma-buf of %lld bytes",
			      (unsigned long long)size, (unsigned long long)off, (long long)have);
	return 0;
}

/* Whether mmap() is supported depends on the exporter: try one page. */
static bool can_map(int fd)
{
	void *p;

	if (dv_dmabuf_map(fd, 0, dv_sys_page(), &p))
		return false;
	munmap(p, dv_sys_page());
	return true;
}

int dv_import_dmabuf(struct devio_mem *m, int fd, uint64_t off)
{
	int own, rc = check_fd(fd);

	if (!rc)
		rc = check_range(fd, off, m->size);
	if (rc)
		return rc;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return dv_err(-errno, "mem dmabuf: cannot duplicate fd %d", fd);
	rc = dv_bufmem_new(m, own, off);
	if (rc)
		return rc;
	m->caps = DEVIO_MEM_EXPORT | (can_map(own) ? DEVIO_MEM_CPU_MAP : 0);
	return 0;
}

/* Never called: the provider has no spec and is not in the table. */
static int no_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	(void)arg;
	(void)opts;
	return dv_err(-EOPNOTSUPP, "mem %s: a dma-buf can only be imported, not allocated", m->spec);
}

const struct dv_mem_ops dv_mem_import = {
	.name = "dmabuf",
	.syntax = "devio_mem_import_dmabuf()",
	.alloc = no_alloc,
	.free = dv_bufmem_free,
	.export = dv_bufmem_export,
	.map = dv_bufmem_map,
	.copy = dv_bufmem_copy,
	.between = dv_bufmem_between,
};
