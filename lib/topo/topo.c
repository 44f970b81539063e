/* SPDX-License-Identifier: MIT */
/* The topology: open, close, and access to its objects. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/ctx.h"
#include "core/err.h"
#include "topo/topo.h"

static int set_roots(struct devio_topo *t, const char *root)
{
	t->captured = root != NULL;
	t->root = strdup(root ? root : "");
	if (!root)
		t->sys = strdup(t->ctx->sysfs_root);
	else if (asprintf(&t->sys, "%s/sys", root) < 0)
		t->sys = NULL;
	if (!t->root || !t->sys)
		return dv_err(-ENOMEM, "topo: cannot allocate a topology");
	if (access(t->sys, R_OK | X_OK))
		return dv_err(-errno, "topo: cannot access %s: no sysfs%s", t->sys,
			      root ? ": a captured machine needs a directory 'sys'" : ": mount it");
	return 0;
}

static void read_all(struct devio_topo *t)
{
	dv_topo_read_machine(t);
	dv_topo_read_pci(t);
	dv_topo_read_iommu(t);
	dv_topo_read_block(t);
	dv_topo_read_mounts(t);
	dv_topo_link_loops(t);
	dv_topo_read_gpus(t);
	dv_topo_read_nics(t);
}

DEVIO_API int devio_topo_open(struct devio_ctx *ctx, const struct devio_topo_opts *opts,
			      struct devio_topo **out)
{
	struct devio_topo_opts o;
	struct devio_topo *t;
	int rc = dv_opts_copy(&o, sizeof(o), opts, "devio_topo_opts");

	if (!rc && !ctx)
		rc = dv_err(-EINVAL, "topo: context is NULL");
	if (!rc && o.flags)
		rc = dv_err(-EINVAL, "topo: unknown flags 0x%x", o.flags);
	if (!rc)
		rc = dv_ctx_forked(ctx);
	if (rc)
		return rc;
	t = calloc(1, sizeof(*t));
	if (!t)
		return dv_err(-ENOMEM, "topo: cannot allocate a topology");
	t->ctx = dv_ctx_get(ctx);
	rc = set_roots(t, o.root);
	if (!rc) {
		read_all(t);
		rc = t->err ? dv_err(t->err, "topo: cannot allocate memory for this machine's devices") : 0;
	}
	if (rc) {
		devio_topo_close(t);
		return rc;
	}
	*out = t;
	return 0;
}

DEVIO_API void devio_topo_close(struct devio_topo *t)
{
	if (!t)
		return;
	dv_topo_free_texts(t);
	free(t->pci);
	free(t->block);
	free(t->fs);
	free(t->gpu);
	free(t->nic);
	free(t->note);
	free(t->root);
	free(t->sys);
	dv_ctx_put(t->ctx);
	free(t);
}

DEVIO_API unsigned int devio_topo_count(const struct devio_topo *t, enum devio_topo_kind kind)
{
	switch (kind) {
	case DEVIO_TOPO_PCI: return t->nr_pci;
	case DEVIO_TOPO_BLOCK: return t->nr_block;
	case DEVIO_TOPO_FS: return t->nr_fs;
	case DEVIO_TOPO_GPU: return t->nr_gpu;
	case DEVIO_TOPO_NIC: return t->nr_nic;
	case DEVIO_TOPO_NOTE: return t->nr_note;
	}
	return 0;
}

static int out_of_range(const char *what, unsigned int i, unsigned int n)
{
	return dv_err(-ERANGE, "topo: %s index %u is out of range: there are %u", what, i, n);
}

/* dv_info_copy() writes the caller's size to its source: pass a copy. */
#define GET(kind, n)								\
	struct devio_topo_##kind copy;						\
	if (i >= (n))								\
		return out_of_range(#kind, i, n);				\
	copy = t->kind[i];							\
	return dv_info_copy(info, &copy, sizeof(copy), "devio_topo_" #kind)

DEVIO_API int devio_topo_get_machine(const struct devio_topo *t, struct devio_topo_machine *info)
{
	struct devio_topo_machine copy = t->machine;

	return dv_info_copy(info, &copy, sizeof(copy), "devio_topo_machine");
}

DEVIO_API int devio_topo_get_pci(const struct devio_topo *t, unsigned int i, struct devio_topo_pci *info)
{
	GET(pci, t->nr_pci);
}

DEVIO_API int devio_topo_get_block(const struct devio_topo *t, unsigned int i, struct devio_topo_block *info)
{
	GET(block, t->nr_block);
}

DEVIO_API int devio_topo_get_fs(const struct devio_topo *t, unsigned int i, struct devio_topo_fs *info)
{
	GET(fs, t->nr_fs);
}

DEVIO_API int devio_topo_get_gpu(const struct devio_topo *t, unsigned int i, struct devio_topo_gpu *info)
{
	GET(gpu, t->nr_gpu);
}

DEVIO_API int devio_topo_get_nic(const struct devio_topo *t, unsigned int i, struct devio_topo_nic *info)
{
	GET(nic, t->nr_nic);
}

DEVIO_API const char *devio_topo_get_note(const struct devio_topo *t, unsigned int i)
{
	return i < t->nr_note ? t->note[i] : NULL;
}

DEVIO_API const char *devio_can_name(int can)
{
	static const char *const names[] = { "no", "yes", "unknown" };

	return can >= 0 && can <= 2 ? names[can] : "?";
}
