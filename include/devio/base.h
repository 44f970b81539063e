/* SPDX-License-Identifier: MIT */
/**
 * Paths, reasons, errors and the completion: definitions common to all headers.
 *
 * Errors. Every call returns 0 (or a count) on success and -errno on failure;
 * errno itself is not set. A new object is the last argument and is written only
 * on success. After a failure devio_errmsg() returns a sentence: what was tried,
 * what failed, why, and what to do. -EOPNOTSUPP: not supported here. -ENODEV: the
 * hardware or its driver is missing. -ECHILD, from any call: the object was
 * opened before fork().
 *
 * Option structures begin with `size_t sz`: set it to the size of the structure
 * and zero the rest (DEVIO_OPTS). They are borrowed during the call only; NULL
 * means the defaults. A larger structure whose unknown tail is not zero is
 * rejected with -E2BIG, so that no option is silently ignored.
 */
#ifndef DEVIO_BASE_H
#define DEVIO_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** The version of this header; devio_version() returns that of the library in use. */
#define DEVIO_VERSION_MAJOR 0
#define DEVIO_VERSION_MINOR 1
#define DEVIO_VERSION_PATCH 0
#define DEVIO_VERSION "0.1.0"

#define DEVIO_API __attribute__((visibility("default")))

/** Initializer with zeroed options and sz set: struct devio_x_opts o = DEVIO_OPTS(o); */
#ifdef __cplusplus
template <typename T> inline T devio_opts_of()
{
	T opts = T();

	opts.sz = sizeof(T);
	return opts;
}
#define DEVIO_OPTS(var) devio_opts_of<decltype(var)>()
#else
#define DEVIO_OPTS(var) { .sz = sizeof(var) }
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * How bytes are moved, best path first for each kind of endpoint. devio_path_name()
 * returns the name, which is also the value of the tools' option --path.
 */
enum devio_path {
	DEVIO_PATH_AUTO = 0,        /* as an option: the library chooses */
	DEVIO_PATH_FILE_DMABUF = 1, /* file-dmabuf: READ_FIXED/WRITE_FIXED on a registered dma-buf */
	DEVIO_PATH_FILE_P2P = 2,    /* file-p2p: O_DIRECT on mapped P2PDMA pages */
	DEVIO_PATH_FILE_HOST = 3,   /* file-host: O_DIRECT on ordinary pages of host memory */
	DEVIO_PATH_FILE_BOUNCE = 4, /* file-bounce: O_DIRECT to staging buffers plus a copy, overlapped */
	DEVIO_PATH_FILE_BUFFERED = 5, /* file-buffered: page cache plus a copy */
	DEVIO_PATH_FILE_MAX,
	DEVIO_PATH_SOCK_DEVMEM = DEVIO_PATH_FILE_MAX, /* sock-devmem: the NIC transfers payload to or from a dma-buf */
	DEVIO_PATH_SOCK_ZCRX = 7,   /* sock-zcrx: the same with io_uring zero-copy receive */
	DEVIO_PATH_SOCK_HOST = 8,   /* sock-host: the kernel copies between socket and host memory */
	DEVIO_PATH_SOCK_BOUNCE = 9, /* sock-bounce: socket to staging buffers plus a copy, overlapped */
	DEVIO_PATH_MAX
};

/** Why a better path was not taken, or why an operation failed. */
enum devio_reason {
	DEVIO_REASON_NONE = 0,
	DEVIO_REASON_FORCED,          /* the caller forced the path */
	DEVIO_REASON_NO_DMABUF_IO,    /* the kernel does not support dma-buf fixed buffers */
	DEVIO_REASON_NO_EXPORT,       /* the memory cannot be exported as a dma-buf */
	DEVIO_REASON_TARGET,          /* the file's device or file system does not support dma-buf I/O */
	DEVIO_REASON_MAP,             /* the drive has no peer-to-peer access to the memory */
	DEVIO_REASON_NO_P2P_PAGES,    /* the memory is not backed by P2PDMA pages */
	DEVIO_REASON_NOT_HOST,        /* the memory is not backed by ordinary host pages */
	DEVIO_REASON_NO_DIRECT,       /* the file does not support O_DIRECT */
	DEVIO_REASON_CACHED,          /* the data is already in the page cache */
	DEVIO_REASON_ALIGN,           /* offset, length or address is not aligned for O_DIRECT */
	DEVIO_REASON_RANGES,          /* the ranges are in different memory objects */
	DEVIO_REASON_SMALL,           /* too short to amortize the setup cost of the better path */
	DEVIO_REASON_REFUSED,         /* the kernel refused the better path for this file or range */
	DEVIO_REASON_NO_URING,        /* io_uring is not available to this process */
	DEVIO_REASON_OWN_RING,        /* the application's ring provides no buffer table slots */
	DEVIO_REASON_NO_SLOT,         /* no staging memory, or no free slot in the buffer table */
	DEVIO_REASON_IO,              /* the file or its device reported an error */
	DEVIO_REASON_COPY,            /* the copy to or from the memory failed */
	DEVIO_REASON_CANCELED,        /* devio_ring_cancel() or devio_ring_close() */
	DEVIO_REASON_EOF,             /* the end of the file was reached */
	DEVIO_REASON_NET_VIRTUAL,     /* loopback or a virtual interface: no NIC is involved */
	DEVIO_REASON_NET_KERNEL,      /* the kernel cannot bind a dma-buf to a NIC queue */
	DEVIO_REASON_NET_DRIVER,      /* the NIC's driver has no queue management operations */
	DEVIO_REASON_NET_SPLIT,       /* the NIC does not split headers from payload */
	DEVIO_REASON_NET_RIGHTS,      /* no permission to bind a queue (CAP_NET_ADMIN) */
	DEVIO_REASON_NET_UNKNOWN,     /* the connection's interface cannot be found or queried */
	DEVIO_REASON_NET_RECV,        /* the path supports receiving only */
	DEVIO_REASON_NET_SETUP,       /* available, but the NIC is not set up: devio_nic_open() */
	DEVIO_REASON_NET,             /* the connection reported an error */
	DEVIO_REASON_RESET,           /* the peer reset or closed the connection */
	DEVIO_REASON_TIMEOUT,         /* no data was transferred within the timeout */
	DEVIO_REASON_BROKEN,          /* an earlier operation on the stream failed: the position is lost */
	DEVIO_REASON_NET_BIND,        /* the kernel or the NIC rejected this memory */
	DEVIO_REASON_NET_STEER,       /* the payload did not arrive on a queue bound to device memory */
	DEVIO_REASON_REVOKED,         /* the owner revoked the memory, including bytes of the stream */
	DEVIO_REASON_NET_UNREADABLE,  /* the payload is in device memory, which this path cannot read */
	DEVIO_REASON_NET_RING,        /* the NIC is set up for another ring, or for the other of the two paths */
	DEVIO_REASON_MAX
};

/** completion.flags */
#define DEVIO_DONE_FELL_BACK (1u << 0) /* a better path was tried, but refused by the kernel */
#define DEVIO_DONE_MIXED     (1u << 1) /* head or tail took another path (see `copied`) */
#define DEVIO_DONE_WRITE     (1u << 2) /* the operation was a write or a send */

/**
 * The outcome of one operation. The size is part of the ABI and never changes, since
 * the interface uses arrays of it; `resv0` and `resv` are zero.
 */
struct devio_completion {
	uint64_t cookie;  /* as submitted by the caller */
	int64_t result;   /* bytes transferred (short only at the end of the file or stream), or -errno */
	uint64_t good;    /* contiguous bytes transferred from the start, also after an error */
	uint64_t copied;  /* bytes that were copied through host memory (page cache, staging buffers) */
	uint16_t path;    /* enum devio_path that moved most of the bytes */
	uint16_t best_unused; /* enum devio_path: the best path not taken, 0 if there is no better one */
	uint16_t reason;  /* enum devio_reason: why not `best_unused`, or why the operation failed */
	uint16_t flags;   /* DEVIO_DONE_* */
	uint32_t frags;   /* number of fragments, from devio_ring_recv_frags() */
	uint32_t resv0;
	uint64_t resv[2];
};
#ifdef __cplusplus
static_assert(sizeof(struct devio_completion) == 64, "the completion never changes its size");
#else
_Static_assert(sizeof(struct devio_completion) == 64, "the completion never changes its size");
#endif

struct devio_mem;

/** A range of memory: `len` bytes at byte `off` of `mem`, of any alignment. */
struct devio_range {
	struct devio_mem *mem; /* borrowed until the completion */
	uint64_t off;          /* bytes */
	uint64_t len;          /* bytes */
};

/**
 * The error message of this thread's last failed call, ending in the errno's name and
 * description ("... [ENOSPC: No space left on device]"); "" if none has failed. Owned by
 * the library, valid until the thread's next failing call.
 */
DEVIO_API const char *devio_errmsg(void);

/** Name of an enum devio_path ("file-dmabuf", ...); "auto" for 0, "none" if unknown. Static. */
DEVIO_API const char *devio_path_name(unsigned int path);

/** The enum devio_path with this name; -EINVAL if there is none. */
DEVIO_API int devio_path_parse(const char *name);

/** The reason as a clause ("the memory cannot be exported as a dma-buf"). Static. */
DEVIO_API const char *devio_reason_text(unsigned int reason);

/**
 * Writes a sentence about a completion to buf, of size bytes: the path and why no better
 * one was taken, or the error with its reason and the errno's name and description.
 * Returns the length of the full text, as snprintf() does. Thread safe, no system call.
 */
DEVIO_API int devio_completion_text(const struct devio_completion *c, char *buf, size_t size);

/** The version of the library in use: "1.2.3"; DEVIO_VERSION is that of the header. Static. */
DEVIO_API const char *devio_version(void);

#ifdef __cplusplus
}
#endif
#endif
