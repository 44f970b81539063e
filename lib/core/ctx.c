/* SPDX-License-Identifier: MIT */
/* The context: log, defaults, and state shared by the other objects. */
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
static _Atomic uint64_t last_id;
static _Atomic uint64_t retired[DV_ID_WINDOW]; /* by the ID modulo its size: the last one destroyed */

static pthread_mutex_t fork_lock = PTHREAD_MUTEX_INITIALIZER; /* protects fork_nodes */
static struct dv_fork_node *fork_nodes;

static void before_fork(void)
{
	pthread_mutex_lock(&fork_lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&fork_lock);
}

static void in_child(void)
{
	dv_fork_gen++;
	for (struct dv_fork_node *node = fork_nodes; node; node = node->next)
		node->child(node);
	pthread_mutex_unlock(&fork_lock);
}

static void install_fork_handler(void)
{
	fork_err = pthread_atfork(before_fork, in_parent, in_child);
}

void dv_fork_add(struct dv_fork_node *node)
{
	pthread_mutex_lock(&fork_lock);
	node->next = fork_nodes;
	node->prev = &fork_nodes;
	if (node->next)
		node->next->prev = &node->next;
	fork_nodes = node;
	pthread_mutex_unlock(&fork_lock);
}

void dv_fork_remove(struct dv_fork_node *node)
{
	pthread_mutex_lock(&fork_lock);
	*node->prev = node->next;
	if (node->next)
		node->next->prev = node->prev;
	pthread_mutex_unlock(&fork_lock);
}

uint64_t dv_ctx_new_id(void)
{
	return atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
}

void dv_ctx_retire_id(uint64_t id)
{
	atomic_store_explicit(&retired[id % DV_ID_WINDOW], id, memory_order_relaxed);
}

bool dv_ctx_id_retired(uint64_t id)
{
	return atomic_load_explicit(&retired[id % DV_ID_WINDOW], memory_order_relaxed) == id;
}

int dv_ctx_forked(const struct devio_ctx *ctx)
{
	if (ctx->fork_gen == dv_fork_gen)
		return 0;
	return dv_err(-ECHILD, "ctx: the object was opened before fork(): open a new context in the child");
}

DEVIO_API int devio_ctx_open(const struct devio_ctx_opts *opts, struct devio_ctx **out)
{
	struct devio_ctx_opts o;
	struct devio_ctx *ctx;
	int rc = dv_opts_copy(&o, sizeof(o), opts, "devio_ctx_opts");

	if (rc)
		return rc;
	if (!out)
		return dv_err(-EINVAL, "ctx: the pointer for the new context is NULL");
	if (o.path < 0 || o.path >= DEVIO_PATH_MAX || o.flags & ~(DEVIO_CTX_NO_URING | DEVIO_CTX_DIRECT_ONLY))
		return dv_err(-EINVAL, "ctx: unknown path %d or flags 0x%x", o.path, o.flags);
	pthread_once(&fork_once, install_fork_handler);
	if (fork_err)
		return dv_err(-fork_err, "ctx: pthread_atfork() failed");
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return dv_err(-ENOMEM, "ctx: cannot allocate a context");
	ctx->sysfs_root = strdup(o.sysfs_root ? o.sysfs_root : "/sys");
	if (!ctx->sysfs_root) {
		free(ctx);
		return dv_err(-ENOMEM, "ctx: cannot allocate a context");
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
	/* Idle rings hold no reference: with one, the context would never be freed. */
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
