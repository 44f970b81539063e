/* SPDX-License-Identifier: MIT */
/*
 * Device memory: the interface that a provider (lib/mem/NAME.c) implements, and the
 * calls that paths use.
 */
#ifndef DV_MEM_H
#define DV_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <pthread.h>
#include <devio/mem.h>

struct dv_mem_ops;

struct devio_mem {
	const struct dv_mem_ops *ops;
	struct devio_ctx *ctx;
	_Atomic unsigned int refs;
	unsigned int caps;         /* DEVIO_MEM_* */
	uint64_t id;               /* dv_ctx_new_id() */
	uint64_t size;             /* as requested by the user */
	void *ptr;                 /* CPU pointer to byte 0, NULL if not mapped (yet) */
	uint64_t device_ptr;       /* the vendor's pointer to byte 0 */
	void *priv;                /* private to the provider */
	char spec[64];
	char bdf[16];

	pthread_mutex_t lock;      /* protects the cached export and lazy mapping */
	atomic_bool closed;        /* devio_mem_free() was called: caches drop their references */
	int dmabuf_fd;             /* cached export, -1: not exported yet; owned */
	uint64_t dmabuf_off;
};

/* One asynchronous copy; owned by the caller, valid until polled to completion. */
struct dv_copy {
	void *tok;                 /* the provider's: an event, ... */
	uint64_t aux;
};

/*
 * A provider. Only name, syntax, alloc and free are required; for missing operations
 * dv_mem_*() below return -EOPNOTSUPP with an error message. alloc and import_ptr get
 * a zeroed mem with ctx, ops, size and spec set and dmabuf_fd -1, and fill in the
 * rest; on failure they undo everything and return dv_err(...). A provider loads or
 * opens nothing before.
 */
struct dv_mem_ops {
	const char *name;          /* "cuda": the part of the spec before ':' */
	const char *syntax;        /* "cuda:N", for error messages and help */
	bool takes_offset;         /* supports devio_mem_opts.offset */
	int (*alloc)(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts);
	int (*import_ptr)(struct devio_mem *m, const char *arg, void *ptr);
	void (*free)(struct devio_mem *m);
	/* Returns a new fd owned by the caller; called once per mem, the result is cached. */
	int (*export)(struct devio_mem *m, int *fd, uint64_t *off);
	/* Maps and calls dv_mem_set_ptr(). Called with m->lock held, and not again after success. */
	int (*map)(struct devio_mem *m);
	/*
	 * Copies len bytes between host and m at off; out: m to host. Returns 1
	 * if completed, 0 if started (poll c), or -errno. `host` must stay valid
	 * until completion. Thread safe.
	 */
	int (*copy)(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c);
	/*
	 * Copies between two memories of this provider, otherwise like copy; if
	 * started, poll with dst. -EOPNOTSUPP: not possible between these two.
	 */
	int (*between)(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
		       struct dv_copy *c);
	/* 1: completed, 0: still running (never with wait), or -errno. */
	int (*copy_poll)(struct devio_mem *m, struct dv_copy *c, bool wait);
	/*
	 * Page-locks staging memory for the device: an optional optimization.
	 * *handle must not hold a reference to m: staging memory outlives it.
	 * -EEXIST: already page-locked, do not unpin.
	 */
	int (*pin)(struct devio_mem *m, void *host, size_t len, void **handle);
	void (*unpin)(void *handle, void *host, size_t len);
	/* Calls fn for each spec that looks usable now; cheap, opens no vendor library. */
	int (*list)(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg);
};

/* All providers, best device memory first, NULL-terminated (lib/mem/table.c). */
extern const struct dv_mem_ops *const dv_mem_table[];

extern const struct dv_mem_ops dv_mem_host, dv_mem_udmabuf, dv_mem_dmaheap, dv_mem_p2pmem, dv_mem_vfio,
	dv_mem_drm, dv_mem_amdgpu, dv_mem_cuda, dv_mem_hip, dv_mem_ze;
/* Not in the table: an imported dma-buf fd (lib/mem/import.c). */
extern const struct dv_mem_ops dv_mem_import;
int dv_import_dmabuf(struct devio_mem *m, int fd, uint64_t off);

void dv_mem_destroy(struct devio_mem *m);

static inline struct devio_mem *dv_mem_get(struct devio_mem *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

static inline void dv_mem_put(struct devio_mem *m)
{
	if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
		dv_mem_destroy(m);
}

/* The cached export; the fd remains owned by m. 0, or -errno with an error message. */
int dv_mem_dmabuf(struct devio_mem *m, int *fd, uint64_t *off);

/*
 * Copies for paths: ops->copy, or memcpy() on the mapping if the provider has no copy
 * operation.
 */
int dv_mem_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c);
int dv_mem_copy_poll(struct devio_mem *m, struct dv_copy *c, bool wait);
/* Waits for a started copy: 0 or -errno. */
int dv_mem_copy_wait(struct devio_mem *m, struct dv_copy *c);
/* Synchronous dv_mem_copy(): 0 or -errno. */
int dv_mem_copy_now(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out);

/*
 * Copies directly between two memories: with their device's copy engine, or with one
 * copy if the CPU can access one of the two directly. If started, *poll is the memory
 * to poll with. -EOPNOTSUPP: only possible through host memory.
 */
int dv_mem_between(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
		   struct dv_copy *c, struct devio_mem **poll);

/* m->ptr, mapped on first use; lock-free afterwards. */
int dv_mem_ptr(struct devio_mem *m, void **ptr);
/* Publishes the CPU pointer to byte 0; called by providers. */
void dv_mem_set_ptr(struct devio_mem *m, void *ptr);

/*
 * True in a forked child of the process that allocated m: ops->free then releases
 * only descriptors and mappings and calls no vendor library, whose threads and device
 * files do not survive fork().
 */
bool dv_mem_forked(const struct devio_mem *m);

/* Context data for providers. */
const char *dv_mem_sysfs(const struct devio_ctx *ctx);
unsigned int dv_mem_fork_gen(void);

/* A plain memcpy() for ops->copy of providers with a CPU mapping. */
int dv_mem_copy_cpu(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c);

#endif
