/* SPDX-License-Identifier: MIT */
/* dmaheap[:NAME]: a buffer from a dma-buf heap, "system" by default. */
#include "config.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/dma-heap.h>
#include "core/err.h"
#include "mem/bufmem.h"
#include "mem/sys.h"

static int heap_open(struct devio_mem *m, const char *name)
{
	char node[80];
	int fd;

	if (strchr(name, '/') || name[0] == '.')
		return dv_err(-EINVAL, "mem %s: invalid heap name: use dmaheap:NAME with a name from /dev/dma_heap",
			      m->spec);
	snprintf(node, sizeof(node), "dma_heap/%s", name);
	fd = dv_sys_open(node);
	if (fd == -ENOENT || fd == -ENXIO)
		return dv_err(-ENODEV, "mem %s: /dev/%s does not exist: the kernel needs CONFIG_DMABUF_HEAPS and the "
			      "heap (CONFIG_DMABUF_HEAPS_SYSTEM for 'system')", m->spec, node);
	if (fd == -EACCES || fd == -EPERM)
		return dv_err(-EACCES, "mem %s: cannot open /dev/%s: access requires root or a udev rule", m->spec,
			      node);
	return fd < 0 ? dv_err(fd, "mem %s: cannot open /dev/%s", m->spec, node) : fd;
}

static int heap_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	struct dma_heap_allocation_data req = { .len = dv_sys_page_up(m->size), .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = heap_open(m, *arg ? arg : "system"), rc;

	(void)opts;
	if (heap < 0)
		return heap;
	rc = req.len ? ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &req) : (errno = ENOMEM, -1);
	rc = rc < 0 ? dv_err(-errno, "mem %s: cannot allocate %llu bytes from the heap", m->spec,
			     (unsigned long long)m->size) : 0;
	close(heap);
	if (rc)
		return rc;
	/* No HOST_PAGES: the block layer cannot pin the pages of a dma-buf mapping. */
	m->caps = DEVIO_MEM_CPU_MAP | DEVIO_MEM_EXPORT;
	return dv_bufmem_new(m, (int)req.fd, 0);
}

static int heap_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg)
{
	char path[PATH_MAX], node[300], spec[300], **names;
	int n, rc = 0;

	(void)ctx;
	if (dv_sys_path(path, sizeof(path), dv_sys_dev, "dma_heap"))
		return 0;
	n = dv_sys_dir(path, &names);
	for (int i = 0; !rc && i < n; i++) {
		snprintf(node, sizeof(node), "dma_heap/%s", names[i]);
		snprintf(spec, sizeof(spec), "dmaheap:%s", names[i]);
		if (strlen(spec) < sizeof(((struct devio_mem *)0)->spec) && dv_sys_usable(node))
			rc = fn(arg, spec);
	}
	if (n >= 0)
		dv_sys_dir_free(names, n);
	return rc;
}

const struct dv_mem_ops dv_mem_dmaheap = {
	.name = "dmaheap",
	.syntax = "dmaheap[:NAME]",
	.alloc = heap_alloc,
	.free = dv_bufmem_free,
	.export = dv_bufmem_export,
	.map = dv_bufmem_map,
	.copy = dv_bufmem_copy,
	.between = dv_bufmem_between,
	.list = heap_list,
};
