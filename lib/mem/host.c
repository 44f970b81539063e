/* SPDX-License-Identifier: MIT */
/* host: anonymous memory of this process, or an imported pointer. */
#include "config.h"
#include <string.h>
#include <sys/mman.h>
#include "core/err.h"
#include "mem/mem.h"

#define HUGE_PAGE (2UL << 20)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static int host_check_arg(struct devio_mem *m, const char *arg)
{
	if (*arg)
		return dv_err(-EINVAL, "mem %s: 'host' takes no argument", m->spec);
	return 0;
}

static void host_describe(struct devio_mem *m, void *ptr)
{
	m->ptr = ptr;
	m->device_ptr = (uintptr_t)ptr;
	m->caps = DEVIO_MEM_HOST_PAGES | DEVIO_MEM_CPU_MAP;
}

static int host_alloc(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts)
{
	void *p;
	int rc = host_check_arg(m, arg);

	if (rc)
		return rc;
	(void)opts;
	p = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return dv_err(-errno, "mem host: mmap() of %llu bytes failed", (unsigned long long)m->size);
	/* Fewer page faults and DMA segments; optional. */
	if (m->size >= HUGE_PAGE)
		(void)madvise(p, m->size, MADV_HUGEPAGE);
	/* As with other memories, pay at allocation time, not in the first transfer. */
	(void)madvise(p, m->size, MADV_POPULATE_WRITE);
	host_describe(m, p);
	m->priv = p;
	return 0;
}

static int host_import(struct devio_mem *m, const char *arg, void *ptr)
{
	int rc = host_check_arg(m, arg);

	if (!rc)
		host_describe(m, ptr);
	return rc;
}

static void host_free(struct devio_mem *m)
{
	if (m->priv)
		munmap(m->priv, m->size);
}

static int host_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg)
{
	(void)ctx;
	return fn(arg, "host");
}

const struct dv_mem_ops dv_mem_host = {
	.name = "host",
	.syntax = "host",
	.alloc = host_alloc,
	.import_ptr = host_import,
	.free = host_free,
	.copy = dv_mem_copy_cpu,
	.list = host_list,
};
