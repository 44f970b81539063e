/* SPDX-License-Identifier: MIT */
/* Pointers of the application whose memory is not known. */
#include "config.h"
#include <stdio.h>
#include "mem/cuda_api.h"
#include "mem/ptr.h"

int dv_ptr_find(const void *ptr, struct dv_ptr *p)
{
	return dv_cu_locate(ptr, p);
}

int dv_ptr_import(struct devio_ctx *ctx, const struct dv_ptr *p, const void *ptr, uint64_t size, bool copies,
		  struct devio_mem **mem)
{
	struct devio_mem *m;
	char spec[32];
	int rc;

	snprintf(spec, sizeof(spec), "cuda:%d", p->ordinal);
	rc = devio_mem_import_ptr(ctx, spec, (void *)(uintptr_t)ptr, size, &m);
	if (rc)
		return rc;
	if (copies)
		m->caps &= ~DEVIO_MEM_EXPORT;
	*mem = m;
	return 0;
}
