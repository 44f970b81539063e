/* SPDX-License-Identifier: MIT */
/**
 * Reads and writes of files in the order of a stream of the vendor's library: an operation begins
 * when the work before it on the stream has ended, and the work after it waits for the operation.
 *
 * The calling thread does not wait. One thread of the library carries out the operations of a
 * devio_stream, on a ring of its own; it sleeps while there is nothing to do. The application's
 * stream is named with each operation, and need not be opened or closed here.
 */
#ifndef DEVIO_STREAM_H
#define DEVIO_STREAM_H

#include <devio/base.h>
#include <devio/ctx.h>
#include <devio/file.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_stream;

struct devio_stream_opts {
	size_t sz;
	unsigned int entries; /* operations that are carried out at once; 128 if 0; up to 16384 */
	unsigned int flags;   /* DEVIO_STREAM_* */
};
/*
 * The application's stream waits for an operation in a host function, not in the device. With
 * CUDA such functions may be called one after the other: operations of several streams, too.
 */
#define DEVIO_STREAM_HOST_WAIT (1u << 0)

/**
 * Starts the thread. spec names the vendor: "cuda". Loads its library. *stream is owned by the caller
 * and holds a reference to ctx. opts may be NULL. Errors: -EOPNOTSUPP (the vendor or its driver has no
 * host functions), -ENODEV, -EINVAL, -E2BIG, -ENOMEM, -EAGAIN (no thread), those of
 * devio_ring_open().
 */
DEVIO_API int devio_stream_open(struct devio_ctx *ctx, const char *spec, const struct devio_stream_opts *opts,
				struct devio_stream **stream);

/**
 * Waits until all operations have completed, that is until the application's streams have reached
 * them, and frees the stream; NULL is allowed.
 */
DEVIO_API void devio_stream_close(struct devio_stream *stream);

/**
 * Called in the library's thread when the operation has completed and before the application's
 * stream goes on. Must not call the vendor's library, nor wait for the application's stream.
 */
typedef void (*devio_stream_fn)(void *arg, const struct devio_completion *done);

struct devio_stream_io {
	size_t sz;
	void *stream;               /* the vendor's: a CUstream */
	struct devio_file *file;
	struct devio_mem *mem;
	int write;                  /* 0: read, 1: write */
	uint64_t mem_off, len, file_off; /* bytes */
	/*
	 * Read when the operation begins, or NULL: bytes that are added to mem_off and file_off, and the
	 * length, of which at most `len` is used. They must be valid until the operation has completed.
	 */
	const uint64_t *mem_off_at, *file_off_at, *len_at;
	struct devio_completion *done; /* written before the application's stream goes on, or NULL */
	devio_stream_fn fn;         /* called then, or NULL */
	void *arg;                  /* the first argument of fn */
	uint64_t cookie;            /* in the completion */
};

/**
 * Queues an operation behind the work that is now on the application's stream. Thread safe. The
 * operation holds references: file and mem may be closed immediately. Returns 0, or -errno with
 * nothing queued; an operation that fails later says so in its completion, and the application's stream goes on.
 * Errors: -EINVAL, -EOPNOTSUPP (the stream is being captured into a graph), -EIO (an error of the
 * vendor's library), -ENOMEM, -ECHILD.
 */
DEVIO_API int devio_stream_submit(struct devio_stream *stream, const struct devio_stream_io *io);

#ifdef __cplusplus
}
#endif
#endif
