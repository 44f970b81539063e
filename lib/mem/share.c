/* SPDX-License-Identifier: MIT */
/* Per-process resources shared by several memories. */
#include "config.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "mem/mem.h"
#include "mem/share.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct dv_shared *all;

static void lock_list(void)
{
	pthread_mutex_lock(&lock);
}

static void unlock_list(void)
{
	pthread_mutex_unlock(&lock);
}

static void install_fork_handlers(void)
{
	/* If this fails, only a fork() during an open is unsafe. */
	(void)pthread_atfork(lock_list, unlock_list, unlock_list);
}

void dv_share_lock(void)
{
	pthread_once(&once, install_fork_handlers);
	lock_list();
}

void dv_share_unlock(void)
{
	unlock_list();
}

static struct dv_shared *find(const struct dv_share_ops *ops, const char *key)
{
	struct dv_shared *s = all;

	/* Skip resources that the parent opened before fork(). */
	while (s && (s->ops != ops || s->gen != dv_mem_fork_gen() || strcmp(s->key, key)))
		s = s->next;
	return s;
}

static int open_new(const struct dv_share_ops *ops, const char *key, const void *arg, struct dv_shared **out)
{
	struct dv_shared *s = calloc(1, ops->size);
	int rc;

	if (!s)
		return dv_err(-ENOMEM, "mem: cannot allocate the handle of %s", key);
	s->ops = ops;
	s->refs = 1;
	s->gen = dv_mem_fork_gen();
	snprintf(s->key, sizeof(s->key), "%s", key);
	rc = ops->open(s, arg);
	if (rc) {
		free(s);
		return rc;
	}
	s->next = all;
	all = s;
	*out = s;
	return 0;
}

int dv_share_get(const struct dv_share_ops *ops, const char *key, const void *arg, struct dv_shared **out)
{
	struct dv_shared *s;
	int rc = 0;

	dv_share_lock();
	s = find(ops, key);
	if (s) {
		s->refs++;
		*out = s;
	} else {
		rc = open_new(ops, key, arg, out);
	}
	dv_share_unlock();
	return rc;
}

void dv_share_ref(struct dv_shared *s)
{
	dv_share_lock();
	s->refs++;
	dv_share_unlock();
}

void dv_share_put(struct dv_shared *s)
{
	struct dv_shared **p = &all;

	dv_share_lock();
	if (!--s->refs) {
		while (*p != s)
			p = &(*p)->next;
		*p = s->next;
		s->ops->close(s);
		free(s);
	}
	dv_share_unlock();
}
