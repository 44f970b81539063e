/* SPDX-License-Identifier: MIT */
/* Device memory: specs, reference counting, and calls common to all providers. */
#include "config.h"
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include "core/ctx.h"
#include "core/err.h"
#include "mem/mem.h"

/* "cuda:0" -> the provider and the text after the colon ("" if there is none). */
static int parse_spec(const char *spec, const struct dv_mem_ops **ops, const char **arg)
{
	size_t n;

	if (!spec || strlen(spec) >= sizeof(((struct devio_mem *)0)->spec))
		return dv_err(-EINVAL, "mem: spec is NULL or too long");
	n = strcspn(spec, ":");
	for (int i = 0; dv_mem_table[i]; i++) {
		const char *name = dv_mem_table[i]->name;

		if (strlen(name) != n || strncmp(name, spec, n))
			continue;
		*ops = dv_mem_table[i];
		*arg = spec[n] ? spec + n + 1 : "";
		return 0;
	}
	return dv_err(-EINVAL, "mem: unknown memory type '%s': use host, udmabuf, dmaheap[:NAME], p2pmem:BDF, "
		      "vfio:BDF/BAR, drm:NODE, amdgpu:N, cuda:N, hip:N or ze:N", spec);
}

static int mem_new(struct devio_ctx *ctx, const struct dv_mem_ops *ops, const char *spec, uint64_t size,
		   struct devio_mem **out)
{
	struct devio_mem *m;
	int rc;

	if (!ctx)
		return dv_err(-EINVAL, "mem: context is NULL");
	if (!out)
		return dv_err(-EINVAL, "mem: the pointer for the new memory is NULL");
	rc = dv_ctx_forked(ctx);
	if (rc)
		return rc;
	if (!size || size > INT64_MAX)
		return dv_err(-EINVAL, "mem %s: invalid size of %llu bytes", spec,
			      (unsigned long long)size);
	m = calloc(1, sizeof(*m));
	if (!m)
		return dv_err(-ENOMEM, "mem %s: cannot allocate the handle", spec);
	m->ops = ops;
	m->ctx = dv_ctx_get(ctx);
	m->refs = 1;
	m->id = dv_ctx_new_id();
	m->size = size;
	m->dmabuf_fd = -1;
	snprintf(m->spec, sizeof(m->spec), "%s", spec);
	pthread_mutex_init(&m->lock, NULL);
	*out = m;
	return 0;
}

static void handle_free(struct devio_mem *m)
{
	pthread_mutex_destroy(&m->lock);
	dv_ctx_put(m->ctx);
	free(m);
}

DEVIO_API int devio_mem_alloc(struct devio_ctx *ctx, const char *spec, uint64_t size,
			      const struct devio_mem_opts *opts, struct devio_mem **out)
{
	const struct dv_mem_ops *ops;
	struct devio_mem_opts o;
	struct devio_mem *m;
	const char *arg;
	int rc = dv_opts_copy(&o, sizeof(o), opts, "devio_mem_opts");

	if (!rc && o.flags)
		rc = dv_err(-EINVAL, "mem: unknown flags 0x%x", o.flags);
	if (!rc)
		rc = parse_spec(spec, &ops, &arg);
	if (!rc && o.offset && !ops->takes_offset)
		rc = dv_err(-EINVAL, "mem %s: offset not supported for this memory type: leave devio_mem_opts.offset "
			    "0", spec);
	if (!rc)
		rc = mem_new(ctx, ops, spec, size, out ? &m : NULL);
	if (rc)
		return rc;
	rc = ops->alloc(m, arg, &o);
	if (rc) {
		handle_free(m);
		return rc;
	}
	*out = m;
	return 0;
}

DEVIO_API int devio_mem_import_ptr(struct devio_ctx *ctx, const char *spec, void *ptr, uint64_t size,
				   struct devio_mem **out)
{
	const struct dv_mem_ops *ops;
	struct devio_mem *m;
	const char *arg;
	int rc = parse_spec(spec, &ops, &arg);

	if (!rc && !ops->import_ptr)
		rc = dv_err(-EOPNOTSUPP, "mem %s: cannot import pointers of this memory type: only host, cuda, hip and "
			    "ze", spec);
	if (!rc && (!ptr || (uintptr_t)ptr + size < (uintptr_t)ptr))
		rc = dv_err(-EFAULT, "mem %s: invalid range: pointer %p, %llu bytes", spec, ptr,
			    (unsigned long long)size);
	if (!rc)
		rc = mem_new(ctx, ops, spec, size, out ? &m : NULL);
	if (rc)
		return rc;
	rc = ops->import_ptr(m, arg, ptr);
	if (rc) {
		handle_free(m);
		return rc;
	}
	*out = m;
	return 0;
}

DEVIO_API int devio_mem_import_dmabuf(struct devio_ctx *ctx, int fd, uint64_t offset, uint64_t size,
				      struct devio_mem **out)
{
	struct devio_mem *m;
	int rc = mem_new(ctx, &dv_mem_import, "dmabuf", size, out ? &m : NULL);

	if (rc)
		return rc;
	rc = dv_import_dmabuf(m, fd, offset);
	if (rc) {
		handle_free(m);
		return rc;
	}
	*out = m;
	return 0;
}

void dv_mem_destroy(struct devio_mem *m)
{
	dv_ctx_retire_id(m->id);
	if (m->dmabuf_fd >= 0)
		close(m->dmabuf_fd);
	m->ops->free(m);
	handle_free(m);
}

DEVIO_API void devio_mem_free(struct devio_mem *m)
{
	struct devio_ctx *ctx;

	if (!m)
		return;
	m->closed = true;
	dv_ctx_count_close();
	ctx = dv_ctx_get(m->ctx);
	dv_mem_put(m);
	dv_ctx_sweep_idle(ctx);
	dv_ctx_put(ctx);
}

int dv_mem_dmabuf(struct devio_mem *m, int *fd, uint64_t *off)
{
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	if (m->dmabuf_fd < 0) {
		if (m->ops->export)
			rc = m->ops->export(m, &m->dmabuf_fd, &m->dmabuf_off);
		else
			rc = dv_err(-EOPNOTSUPP, "mem %s: this memory type cannot be exported as a dma-buf", m->spec);
	}
	if (!rc) {
		*fd = m->dmabuf_fd;
		*off = m->dmabuf_off;
	}
	pthread_mutex_unlock(&m->lock);
	return rc;
}

static int check_mem(const struct devio_mem *m)
{
	return m ? dv_ctx_forked(m->ctx) : dv_err(-EINVAL, "mem: memory is NULL");
}

DEVIO_API int devio_mem_export(struct devio_mem *m, int *fd, uint64_t *offset)
{
	uint64_t off;
	int own, rc = check_mem(m);

	if (!rc)
		rc = dv_mem_dmabuf(m, &own, &off);
	if (rc)
		return rc;
	own = fcntl(own, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return dv_err(-errno, "mem %s: cannot duplicate the dma-buf's file descriptor", m->spec);
	*fd = own;
	*offset = off;
	return 0;
}

DEVIO_API int devio_mem_map(struct devio_mem *m, void **ptr)
{
	int rc = check_mem(m);

	return rc ? rc : dv_mem_ptr(m, ptr);
}

int dv_mem_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c)
{
	void *ptr;
	int rc;

	if (m->ops->copy)
		return m->ops->copy(m, off, host, len, out, c);
	rc = dv_mem_ptr(m, &ptr);
	return rc ? rc : dv_mem_copy_cpu(m, off, host, len, out, c);
}

int dv_mem_copy_poll(struct devio_mem *m, struct dv_copy *c, bool wait)
{
	return m->ops->copy_poll ? m->ops->copy_poll(m, c, wait) : 1;
}

int dv_mem_copy_wait(struct devio_mem *m, struct dv_copy *c)
{
	int rc;

	do {
		rc = dv_mem_copy_poll(m, c, true);
	} while (!rc);
	return rc < 0 ? rc : 0;
}

int dv_mem_copy_now(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out)
{
	struct dv_copy c = { 0 };
	int rc = dv_mem_copy(m, off, host, len, out, &c);

	return rc ? (rc < 0 ? rc : 0) : dv_mem_copy_wait(m, &c);
}

/* Memory that the CPU can access directly, without bracketing calls. */
static bool is_plain(const struct devio_mem *m)
{
	return m->caps & DEVIO_MEM_CPU_MAP && (!m->ops->copy || m->ops->copy == dv_mem_copy_cpu);
}

int dv_mem_between(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
		   struct dv_copy *c, struct devio_mem **poll)
{
	void *ptr;
	int rc = -EOPNOTSUPP;

	*poll = dst;
	if (dst->ops == src->ops && dst->ops->between)
		rc = dst->ops->between(dst, off, src, src_off, len, c);
	if (rc != -EOPNOTSUPP)
		return rc;
	if (is_plain(src) && !dv_mem_ptr(src, &ptr))
		return dv_mem_copy(dst, off, (char *)ptr + src_off, len, false, c);
	*poll = src;
	if (is_plain(dst) && !dv_mem_ptr(dst, &ptr))
		return dv_mem_copy(src, src_off, (char *)ptr + off, len, true, c);
	return -EOPNOTSUPP;
}

static int copy_sync(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out)
{
	int rc = check_mem(m);

	if (rc)
		return rc;
	if (off > m->size || len > m->size - off)
		return dv_err(-ERANGE, "mem %s: %zu bytes at offset %llu exceed its %llu bytes", m->spec, len,
			      (unsigned long long)off, (unsigned long long)m->size);
	return len ? dv_mem_copy_now(m, off, host, len, out) : 0;
}

DEVIO_API int devio_mem_copy_in(struct devio_mem *m, uint64_t off, const void *src, size_t len)
{
	return copy_sync(m, off, (void *)src, len, false);
}

DEVIO_API int devio_mem_copy_out(struct devio_mem *m, uint64_t off, void *dst, size_t len)
{
	return copy_sync(m, off, dst, len, true);
}

DEVIO_API int devio_mem_get_info(const struct devio_mem *m, struct devio_mem_info *info)
{
	struct devio_mem_info i = { 0 };

	if (!m)
		return dv_err(-EINVAL, "mem: memory is NULL");
	i.size = m->size;
	i.device_ptr = m->device_ptr;
	i.caps = m->caps;
	memcpy(i.spec, m->spec, sizeof(i.spec));
	memcpy(i.bdf, m->bdf, sizeof(i.bdf));
	return dv_info_copy(info, &i, sizeof(i), "devio_mem_info");
}

DEVIO_API int devio_mem_list(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg)
{
	int rc = dv_ctx_forked(ctx);

	for (int i = 0; !rc && dv_mem_table[i]; i++)
		if (dv_mem_table[i]->list)
			rc = dv_mem_table[i]->list(ctx, fn, arg);
	return rc;
}
