/* SPDX-License-Identifier: MIT */
/* The context: log, defaults, and what the other objects share. */
#include "config.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/ctx.h"
#include "core/err.h"

unsigned int dv_fork_gen;
_Atomic unsigned int dv_close_gen;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static int fork_err;
static _Atomic uint32_t last_id;

static void forked(void)
{
	dv_fork_gen++;
}

static void watch_forks(void)
{
	fork_err = pthread_atfork(NULL, NULL, forked);
}

uint32_t dv_ctx_new_id(void)
{
	return atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
}

int dv_ctx_forked(const struct devio_ctx *ctx)
{
	if (ctx->fork_gen == dv_fork_gen)
		return 0;
	return dv_err(-ECHILD, "ctx: this object was opened before fork(): open a context of your own in the child");
}

DEVIO_API int devio_ctx_open(const struct devio_ctx_opts *opts, struct devio_ctx **out)
{
	struct devio_ctx_opts o;
	struct devio_ctx *ctx;
	int rc = dv_opts_copy(&o, sizeof(o), opts, "devio_ctx_opts");

	if (rc)
		return rc;
	if (!out)
		return dv_err(-EINVAL, "ctx: there is nowhere to put the context");
	if (o.path < 0 || o.path >= DEVIO_PATH_MAX || o.flags & ~(DEVIO_CTX_NO_URING | DEVIO_CTX_DIRECT_ONLY))
		return dv_err(-EINVAL, "ctx: unknown path %d or flags 0x%x", o.path, o.flags);
	pthread_once(&fork_once, watch_forks);
	if (fork_err)
		return dv_err(-fork_err, "ctx: fork() cannot be watched");
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return dv_err(-ENOMEM, "ctx: no memory for a context");
	ctx->sysfs_root = strdup(o.sysfs_root ? o.sysfs_root : "/sys");
	if (!ctx->sysfs_root) {
		free(ctx);
		return dv_err(-ENOMEM, "ctx: no memory for a context");
	}
	ctx->refs = 1;
	ctx->fork_gen = dv_fork_gen;
	ctx->log = o.log;
	ctx->log_arg = o.log_arg;
	ctx->log_level = o.log_level;
	ctx->path = o.path;
	ctx->flags = o.flags;
	pthread_mutex_init(&ctx->lock, NULL);
	*out = ctx;
	return 0;
}

struct devio_ctx *dv_ctx_get(struct devio_ctx *ctx)
{
	atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
	return ctx;
}

void dv_ctx_put(struct devio_ctx *ctx)
{
	if (atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1)
		return;
	/* The idle rings hold no reference, or the context would never end. */
	if (ctx->idle_ops)
		ctx->idle_ops->free(ctx);
	pthread_mutex_destroy(&ctx->lock);
	free(ctx->sysfs_root);
	free(ctx);
}

void dv_ctx_sweep_idle(struct devio_ctx *ctx)
{
	const struct dv_idle_ops *ops = atomic_load_explicit(&ctx->idle_ops, memory_order_acquire);

	if (ops)
		ops->sweep(ctx);
}

DEVIO_API void devio_ctx_close(struct devio_ctx *ctx)
{
	if (ctx)
		dv_ctx_put(ctx);
}

void dv_log(struct devio_ctx *ctx, enum devio_log_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!ctx->log || (int)level > ctx->log_level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ctx->log(ctx->log_arg, level, text);
}
