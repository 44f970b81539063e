/* SPDX-License-Identifier: MIT */
/* Opening the driver: by cuFileDriverOpen(), or by the first call that uses it. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include "cufile/gds.h"

/* In a forked child the parent's objects are of no use, and nothing of them can be freed: begin anew. */
static void forget(void)
{
	dv_usage_forked();
	dv_gds = (struct dv_gds){ .lock = PTHREAD_RWLOCK_INITIALIZER };
}

static void install(void)
{
	(void)pthread_atfork(NULL, NULL, forget);
}

static void log_event(void *arg, enum devio_log_level level, const char *text)
{
	static const enum dv_level levels[] = { DV_ERROR, DV_WARN, DV_INFO, DV_DEBUG };

	(void)arg;
	dv_note(levels[level], "%s", text);
}

static int open_context(struct devio_ctx **ctx, struct devio_mem **host)
{
	struct devio_ctx_opts o = DEVIO_OPTS(o);
	int rc;

	o.log = log_event;
	o.log_level = DEVIO_LOG_DEBUG;
	if (!dv_conf.flag[CONF_COMPAT])
		o.flags |= DEVIO_CTX_DIRECT_ONLY;
	if (!dv_conf.flag[CONF_PREFER_URING])
		o.flags |= DEVIO_CTX_NO_URING;
	rc = devio_ctx_open(&o, ctx);
	if (rc)
		return rc;
	rc = devio_mem_import_ptr(*ctx, "host", (void *)DV_HOST_BASE, INT64_MAX - DV_HOST_BASE, host);
	if (rc)
		devio_ctx_close(*ctx);
	return rc;
}

static int open_locked(void)
{
	struct dv_reg *host = calloc(1, sizeof(*host));
	int rc = host ? open_context(&dv_gds.ctx, &host->mem) : -ENOMEM;

	if (rc) {
		free(host);
		dv_gds.ctx = NULL;
		return rc;
	}
	host->refs = 1;
	host->base = DV_HOST_BASE;
	host->len = INT64_MAX - DV_HOST_BASE;
	host->gpu = -1;
	host->session = ++dv_gds.session;
	dv_gds.host = host;
	dv_usage_open((int)dv_conf.size[CONF_STATS]);
	return 0;
}

struct gds_error dv_open_driver(bool count)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int rc = 0;

	pthread_once(&once, install);
	dv_conf_load();
	pthread_rwlock_wrlock(&dv_gds.lock);
	if (!dv_gds.ctx) {
		rc = open_locked();
		if (!rc)
			dv_gds.uses = 1;
	} else if (count) {
		dv_gds.uses++;
	}
	pthread_rwlock_unlock(&dv_gds.lock);
	return rc ? dv_status_errno(rc, GDS_INTERNAL, "cannot open the driver") : dv_ok();
}
