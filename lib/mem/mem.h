/* SPDX-License-Identifier: MIT */
/*
 * Device memory: what a provider (lib/mem/NAME.c) implements, and what paths
 * may do with a memory.
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
	uint64_t size;             /* as the user asked */
	void *ptr;                 /* CPU pointer to byte 0, NULL if not mapped (yet) */
	uint64_t device_ptr;       /* vendor's pointer to byte 0 */
	void *priv;                /* the provider's own */
	char spec[64];
	char bdf[16];

	pthread_mutex_t lock;      /* guards the export below and lazy mappings */
	atomic_bool closed;        /* devio_mem_free() was called: caches let go */
	int dmabuf_fd;             /* cached export, -1 until asked; ours to close */
	uint64_t dmabuf_off;
};

/* One asynchronous copy; lives in the caller until polled to its end. */
struct dv_copy {
	void *tok;                 /* the provider's: an event, ... */
	uint64_t aux;
};

/*
 * A provider. Only name, syntax, alloc and free must be set; dv_mem_*() below
 * answer -EOPNOTSUPP with a sentence for the others. alloc and import get a
 * zeroed mem with ctx, ops, size, spec set and dmabuf_fd -1, and fill the
 * rest; on failure they undo all and return dv_err(...). Nothing is loaded or
 * opened before that.
 */
struct dv_mem_ops {
	const char *name;          /* "cuda": the part of the spec before ':' */
	const char *syntax;        /* "cuda:N", for error texts and help */
	bool takes_offset;         /* devio_mem_opts.offset has a meaning */
	int (*alloc)(struct devio_mem *m, const char *arg, const struct devio_mem_opts *opts);
	int (*import_ptr)(struct devio_mem *m, const char *arg, void *ptr);
	void (*free)(struct devio_mem *m);
	/* A new fd of the caller's; called once per mem, the result is cached. */
	int (*export)(struct devio_mem *m, int *fd, uint64_t *off);
	/* Calls dv_mem_set_ptr(). With m->lock held, at most once when it succeeds. */
	int (*map)(struct devio_mem *m);
	/*
	 * Copies len bytes between host and m at off; out: m to host. Returns 1
	 * when done at once, 0 when started (poll c), -errno. `host` stays valid
	 * until done. Any thread.
	 */
	int (*copy)(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c);
	/*
	 * Copies between two memories of this provider, as copy; started, it is
	 * polled by dst. -EOPNOTSUPP: not between these two.
	 */
	int (*between)(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
		       struct dv_copy *c);
	/* 1 done, 0 still running (never with wait), -errno. */
	int (*copy_poll)(struct devio_mem *m, struct dv_copy *c, bool wait);
	/*
	 * Makes staging memory known to the device (page-locked): an optional
	 * speed-up. *handle must not hold m: staging outlives memories. -EEXIST:
	 * the device knows it already, there is nothing to unpin.
	 */
	int (*pin)(struct devio_mem *m, void *host, size_t len, void **handle);
	void (*unpin)(void *handle, void *host, size_t len);
	/* Calls fn for each spec that looks usable now; cheap, opens no vendor library. */
	int (*list)(struct devio_ctx *ctx, int (*fn)(void *arg, const char *spec), void *arg);
};

/* The table, best device memory first, NULL at the end (lib/mem/mem.c). */
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

/* The cached export; the fd stays m's. 0 or -errno with its sentence. */
int dv_mem_dmabuf(struct devio_mem *m, int *fd, uint64_t *off);

/*
 * Copies for paths: as ops->copy, by memcpy when the memory is mapped and the
 * provider has no copy of its own.
 */
int dv_mem_copy(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c);
int dv_mem_copy_poll(struct devio_mem *m, struct dv_copy *c, bool wait);
/* Until the copy that was started has ended: 0 or -errno. */
int dv_mem_copy_wait(struct devio_mem *m, struct dv_copy *c);
/* dv_mem_copy() to its end: 0 or -errno. */
int dv_mem_copy_now(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out);

/*
 * Copies between two memories at once: by their device's own engine, or by one
 * copy where the CPU reaches one of the two as it likes. Started, *poll is the
 * memory to poll with. -EOPNOTSUPP: only by way of host memory.
 */
int dv_mem_between(struct devio_mem *dst, uint64_t off, struct devio_mem *src, uint64_t src_off, size_t len,
		   struct dv_copy *c, struct devio_mem **poll);

/* m->ptr, mapped on first use; lock-free once it is there. */
int dv_mem_ptr(struct devio_mem *m, void **ptr);
/* What ops->map calls: publishes the CPU pointer to byte 0. */
void dv_mem_set_ptr(struct devio_mem *m, void *ptr);

/*
 * True in a child of the process that opened m: ops->free then gives back
 * only descriptors and mappings and never calls a vendor's library, whose
 * threads and device files did not survive fork().
 */
bool dv_mem_forked(const struct devio_mem *m);

/* What providers may know of the context. */
const char *dv_mem_sysfs(const struct devio_ctx *ctx);
unsigned int dv_mem_fork_gen(void);

/* The plain CPU copy that mapped providers put into ops->copy. */
int dv_mem_copy_cpu(struct devio_mem *m, uint64_t off, void *host, size_t len, bool out, struct dv_copy *c);

#endif
