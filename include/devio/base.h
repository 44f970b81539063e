/* SPDX-License-Identifier: MIT */
/**
 * Names, errors and the completion: what every other header builds on.
 *
 * Errors. Every call returns 0 (or a count) on success and -errno on failure.
 * A new object is the last argument and is written only on success. After a
 * failure devio_errmsg() gives a sentence: what was tried, what failed, why,
 * and what to do. -EOPNOTSUPP means "cannot be done here", -ENODEV "the
 * hardware or its driver is absent".
 *
 * Option structures begin with `size_t sz`, the size that the caller knows:
 * set it to sizeof(the structure) and zero the rest. A NULL pointer means the
 * defaults. A longer structure whose unknown tail is not zero is refused with
 * -E2BIG, so that no option is silently ignored.
 */
#ifndef DEVIO_BASE_H
#define DEVIO_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** The version of this header; devio_version() is that of the library that runs. */
#define DEVIO_VERSION_MAJOR 0
#define DEVIO_VERSION_MINOR 1
#define DEVIO_VERSION_PATCH 0
#define DEVIO_VERSION "0.1.0"

#define DEVIO_API __attribute__((visibility("default")))

/** Zeroed options with their size set: struct devio_x_opts o = DEVIO_OPTS(o); */
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
 * The ways that bytes can go, best first. A name in words is found with
 * devio_path_name(); the same word is the --path value of the tools.
 */
enum devio_path {
	DEVIO_PATH_AUTO = 0,        /* let the library choose (as an option) */
	DEVIO_PATH_FILE_DMABUF = 1, /* file-dmabuf: registered dma-buf, READ_FIXED/WRITE_FIXED */
	DEVIO_PATH_FILE_P2P = 2,    /* file-p2p: O_DIRECT on mapped P2PDMA pages */
	DEVIO_PATH_FILE_HOST = 3,   /* file-host: O_DIRECT on the pages of host memory */
	DEVIO_PATH_FILE_BOUNCE = 4, /* file-bounce: O_DIRECT to staging slots, then copy, overlapped */
	DEVIO_PATH_FILE_BUFFERED = 5, /* file-buffered: page cache, then copy */
	DEVIO_PATH_FILE_MAX,
	DEVIO_PATH_SOCK_DEVMEM = DEVIO_PATH_FILE_MAX, /* sock-devmem: the NIC writes payload into a dma-buf */
	DEVIO_PATH_SOCK_ZCRX = 7,   /* sock-zcrx: the same by io_uring */
	DEVIO_PATH_SOCK_HOST = 8,   /* sock-host: the kernel copies between socket and host memory */
	DEVIO_PATH_SOCK_BOUNCE = 9, /* sock-bounce: socket to staging slots, then copy, overlapped */
	DEVIO_PATH_MAX
};

/** Why a better path was not taken, or at which cause an operation failed. */
enum devio_reason {
	DEVIO_REASON_NONE = 0,
	DEVIO_REASON_FORCED,          /* the caller asked for this path */
	DEVIO_REASON_NO_DMABUF_IO,    /* the kernel has no dma-buf fixed buffers */
	DEVIO_REASON_NO_EXPORT,       /* the memory cannot be exported as a dma-buf */
	DEVIO_REASON_TARGET,          /* the file's device or file system takes no dma-buf */
	DEVIO_REASON_MAP,             /* the drive cannot reach the memory peer to peer */
	DEVIO_REASON_NO_P2P_PAGES,    /* the memory is not P2PDMA pages mapped into the process */
	DEVIO_REASON_NOT_HOST,        /* the memory has no pages of host memory */
	DEVIO_REASON_NO_DIRECT,       /* the file does not do O_DIRECT */
	DEVIO_REASON_CACHED,          /* the data is in the page cache already */
	DEVIO_REASON_ALIGN,           /* offset or length not aligned for O_DIRECT */
	DEVIO_REASON_RANGES,          /* the ranges lie in different memories */
	DEVIO_REASON_SMALL,           /* too short for the set-up cost of the better path */
	DEVIO_REASON_REFUSED,         /* the kernel refused the better path for this file or range */
	DEVIO_REASON_NO_URING,        /* io_uring is not available to this process */
	DEVIO_REASON_OWN_RING,        /* the application's ring lends no buffer slots */
	DEVIO_REASON_NO_SLOT,         /* no staging memory, or no room in the buffer table */
	DEVIO_REASON_IO,              /* the file or its device reported an error */
	DEVIO_REASON_COPY,            /* the copy to or from the memory failed */
	DEVIO_REASON_CANCELED,        /* devio_ring_cancel() or devio_ring_close() */
	DEVIO_REASON_EOF,             /* the end of the file came first */
	DEVIO_REASON_NET_VIRTUAL,     /* loopback or a virtual interface: no NIC takes part */
	DEVIO_REASON_NET_KERNEL,      /* the kernel cannot bind a dma-buf to a queue of a NIC */
	DEVIO_REASON_NET_DRIVER,      /* the NIC's driver has no queue management operations */
	DEVIO_REASON_NET_SPLIT,       /* the NIC does not separate headers from payload */
	DEVIO_REASON_NET_RIGHTS,      /* no right to bind a queue (CAP_NET_ADMIN) */
	DEVIO_REASON_NET_UNKNOWN,     /* the interface of the connection was not found */
	DEVIO_REASON_NET_RECV,        /* the path only receives */
	DEVIO_REASON_NET_SETUP,       /* nothing stands in the way, but the NIC was not set up: devio_nic_open() */
	DEVIO_REASON_NET,             /* the connection reported an error */
	DEVIO_REASON_RESET,           /* the peer reset or closed the connection */
	DEVIO_REASON_TIMEOUT,         /* no byte came or went in the time allowed */
	DEVIO_REASON_BROKEN,          /* an earlier operation of the stream failed: its place in it is lost */
	DEVIO_REASON_NET_BIND,        /* the kernel or the NIC did not take this memory */
	DEVIO_REASON_NET_STEER,       /* the payload did not come by a queue of device memory */
	DEVIO_REASON_REVOKED,         /* the owner took the memory back, and bytes with it */
	DEVIO_REASON_NET_UNREADABLE,  /* the payload lies in device memory, which this path cannot read */
	DEVIO_REASON_NET_RING,        /* the NIC was set up for one ring's sock-zcrx, or not for this ring */
	DEVIO_REASON_MAX
};

/** completion.flags */
#define DEVIO_DONE_FELL_BACK (1u << 0) /* a better path was tried and refused by the kernel */
#define DEVIO_DONE_MIXED     (1u << 1) /* head or tail went by another path (see 'copied') */
#define DEVIO_DONE_WRITE     (1u << 2) /* the operation was a write or a send */

/**
 * What became of one operation. Fixed size: arrays of it cross the library's
 * border, so it never grows; `resv0` and `resv` are zero.
 */
struct devio_completion {
	uint64_t cookie;  /* the caller's own, as submitted */
	int64_t result;   /* bytes transferred (short only at the end of file or stream), or -errno */
	uint64_t good;    /* contiguous bytes from the start that were transferred, in an error too */
	uint64_t copied;  /* bytes that went through host memory (page cache, staging) on their way */
	uint16_t path;    /* enum devio_path that carried the operation */
	uint16_t best_unused; /* the best path that was not taken, 0 if none is better */
	uint16_t reason;  /* enum devio_reason: why not `best_unused`, or why the operation failed */
	uint16_t flags;   /* DEVIO_DONE_* */
	uint32_t frags;   /* pieces, of devio_ring_recv_frags() */
	uint32_t resv0;
	uint64_t resv[2];
};
#ifdef __cplusplus
static_assert(sizeof(struct devio_completion) == 64, "the completion never changes its size");
#else
_Static_assert(sizeof(struct devio_completion) == 64, "the completion never changes its size");
#endif

/** A piece of memory: `len` bytes at byte `off` of `mem`, both any value. */
struct devio_mem;
struct devio_range {
	struct devio_mem *mem; /* borrowed until the completion */
	uint64_t off;          /* bytes */
	uint64_t len;          /* bytes */
};

/**
 * The sentence for this thread's last failed call; "" if none failed.
 * Owned by the library, valid until the thread's next failing call.
 */
DEVIO_API const char *devio_errmsg(void);

/** "file-dmabuf", ...; "auto" for 0 and "none" for an unknown number. Static. */
DEVIO_API const char *devio_path_name(unsigned int path);

/** The number for a name as devio_path_name() gives it; -EINVAL if there is none. */
DEVIO_API int devio_path_parse(const char *name);

/** The reason as a clause ("the kernel has no dma-buf fixed buffers ..."). Static. */
DEVIO_API const char *devio_reason_text(unsigned int reason);

/**
 * Writes one sentence about a completion into buf: the path, why no better
 * one, or the error with its cause and cure. Returns the length it has, as
 * snprintf() does. Thread safe, no system call.
 */
DEVIO_API int devio_completion_text(const struct devio_completion *c, char *buf, size_t size);

/** "1.2.3" of the library that runs; DEVIO_VERSION is that of the header. Static. */
DEVIO_API const char *devio_version(void);

#ifdef __cplusplus
}
#endif
#endif
