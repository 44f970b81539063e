/* SPDX-License-Identifier: MIT */
/* Helpers for providers. */
#include "config.h"
#include <string.h>
#include "core/ctx.h"
#include "core/err.h"
#include "mem/mem.h"

void dv_mem_set_ptr(struct devio_mem *m, void *ptr)
{
	__atomic_store_n(&m->ptr, ptr, __ATOMIC_RELEASE);
}

static int map_once(struct devio_mem *m, void **ptr)
{
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	if (!m->ptr)
		rc = m->ops->map ? m->ops->map(m) :
		     dv_err(-EOPNOTSUPP, "mem %s: memory cannot be mapped for the CPU: use devio_mem_copy_out()",
			    m->spec);
	if (!rc)
		*ptr = m->ptr;
	pthread_mutex_unlock(&m->lock);
	return rc;
}

int dv_mem_ptr(struct devio_mem *m, void **ptr)
{
	void *p = __atomic_load_n(&m->ptr, __ATOMIC_ACQUIRE);

	if (!p)
		return map_once(m, ptr);
	*ptr = p;
	return 0;
}

bool dv_mem_forked(const struct devio_mem *m)
{
	return m->ctx->fork_gen != dv_fork_gen;
}

const char *dv_mem_sysfs(const struct devio_ctx *ctx)
{
	return ctx->sysfs_root;
}

unsigned int dv_mem_fork_gen(void)
{
	return dv_fork_gen;
}

int dv_mem_copy_cpu(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c)
{
	(void)c;
	if (out)
		memcpy(host, (char *)m->ptr + off, len);
	else
		memcpy((char *)m->ptr + off, host, len);
	return 1;
}
