/* SPDX-License-Identifier: MIT */
/* Errors: the thread's last error message, and the names of paths and reasons. */
#include "config.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <devio/base.h>
#include "core/err.h"

static __thread char errmsg[512];

DEVIO_API const char *devio_errmsg(void)
{
	return errmsg;
}

/* INT_MIN, which an invalid completion from the caller may contain, cannot be negated. */
static int positive(int err)
{
	return err < 0 && err != INT_MIN ? -err : err;
}

const char *dv_errno_name(int err)
{
	const char *name = strerrorname_np(positive(err));

	return name ? name : "unknown errno";
}

static const char *errno_desc(int err)
{
	const char *desc = strerrordesc_np(positive(err));

	return desc ? desc : "?";
}

int dv_err(int err, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(errmsg, sizeof(errmsg), "%s [%s: %s]", text, dv_errno_name(err), errno_desc(err));
	return err;
}

int dv_err_plain(int err, const char *text)
{
	size_t n = strlen(text);

	n = n < sizeof(errmsg) ? n : sizeof(errmsg) - 1;
	memcpy(errmsg, text, n);
	errmsg[n] = '\0';
	return err;
}

int dv_err_in(int err, const char *where)
{
	char old[400];

	snprintf(old, sizeof(old), "%.399s", errmsg);
	snprintf(errmsg, sizeof(errmsg), "%.100s: %s", where, old);
	return err;
}

static int tail_is_zero(const unsigned char *p, size_t n)
{
	while (n--)
		if (*p++)
			return 0;
	return 1;
}

int dv_opts_copy(void *out, size_t outsz, const void *in, const char *name)
{
	size_t sz;

	memset(out, 0, outsz);
	if (!in)
		return 0;
	memcpy(&sz, in, sizeof(sz));
	if (sz < sizeof(sz) || sz > 65536)
		return dv_err(-EINVAL, "%s: sz is %zu: set it to sizeof(struct %s)", name, sz, name);
	if (sz > outsz && !tail_is_zero((const unsigned char *)in + outsz, sz - outsz))
		return dv_err(-E2BIG, "%s: options unknown to this library (version %s) are set: "
			      "use a newer libdevio or leave them zero", name, devio_version());
	memcpy(out, in, sz < outsz ? sz : outsz);
	return 0;
}

int dv_info_copy(void *to, void *info, size_t infosz, const char *name)
{
	size_t sz;

	if (!to)
		return dv_err(-EINVAL, "%s: pointer is NULL", name);
	memcpy(&sz, to, sizeof(sz));
	if (sz < sizeof(sz) || sz > 65536)
		return dv_err(-EINVAL, "%s: sz is %zu: set it to sizeof(struct %s)", name, sz, name);
	memcpy(info, &sz, sizeof(sz));
	memset(to, 0, sz);
	memcpy(to, info, sz < infosz ? sz : infosz);
	return 0;
}

static const char *const path_names[DEVIO_PATH_MAX] = {
	[DEVIO_PATH_AUTO] = "auto",
	[DEVIO_PATH_FILE_DMABUF] = "file-dmabuf",
	[DEVIO_PATH_FILE_P2P] = "file-p2p",
	[DEVIO_PATH_FILE_HOST] = "file-host",
	[DEVIO_PATH_FILE_BOUNCE] = "file-bounce",
	[DEVIO_PATH_FILE_BUFFERED] = "file-buffered",
	[DEVIO_PATH_SOCK_DEVMEM] = "sock-devmem",
	[DEVIO_PATH_SOCK_ZCRX] = "sock-zcrx",
	[DEVIO_PATH_SOCK_HOST] = "sock-host",
	[DEVIO_PATH_SOCK_BOUNCE] = "sock-bounce",
};

DEVIO_API const char *devio_path_name(unsigned int path)
{
	return path < DEVIO_PATH_MAX ? path_names[path] : "none";
}

DEVIO_API int devio_path_parse(const char *name)
{
	for (int i = 0; name && i < DEVIO_PATH_MAX; i++)
		if (!strcmp(name, path_names[i]))
			return i;
	return dv_err(-EINVAL, "path: unknown path '%s': use auto, file-dmabuf, file-p2p, file-host, "
		      "file-bounce, file-buffered, sock-devmem, sock-zcrx, sock-host or sock-bounce",
		      name ? name : "");
}

static const char *const reasons[DEVIO_REASON_MAX] = {
	[DEVIO_REASON_NONE] = "available",
	[DEVIO_REASON_FORCED] = "the caller forced the path",
	[DEVIO_REASON_NO_DMABUF_IO] = "the kernel does not support dma-buf fixed buffers (needs Linux 7.3 with the "
				      "patches in kernel/; expected in Linux 7.4)",
	[DEVIO_REASON_NO_EXPORT] = "the memory cannot be exported as a dma-buf",
	[DEVIO_REASON_TARGET] = "the file's device or file system does not support dma-buf I/O",
	[DEVIO_REASON_MAP] = "the drive has no peer-to-peer access to the memory",
	[DEVIO_REASON_NO_P2P_PAGES] = "the memory is not backed by P2PDMA pages",
	[DEVIO_REASON_NOT_HOST] = "the memory is not backed by ordinary host pages",
	[DEVIO_REASON_NO_DIRECT] = "the file does not support O_DIRECT",
	[DEVIO_REASON_CACHED] = "the data is already in the page cache",
	[DEVIO_REASON_ALIGN] = "offset, length or memory address is not aligned for O_DIRECT",
	[DEVIO_REASON_RANGES] = "the ranges are in different memory objects",
	[DEVIO_REASON_SMALL] = "the transfer is too short to amortize the setup cost",
	[DEVIO_REASON_REFUSED] = "the kernel refused it for this file or range",
	[DEVIO_REASON_NO_URING] = "io_uring is not available to this process (kernel.io_uring_disabled, seccomp or an "
				  "old kernel)",
	[DEVIO_REASON_OWN_RING] = "the application's ring provides no slots in its registered buffer table",
	[DEVIO_REASON_NO_SLOT] = "no staging memory or no free slot in the buffer table (see RLIMIT_MEMLOCK)",
	[DEVIO_REASON_IO] = "the file or its device reported an error",
	[DEVIO_REASON_COPY] = "the copy to or from the memory failed",
	[DEVIO_REASON_CANCELED] = "the operation was canceled",
	[DEVIO_REASON_EOF] = "the end of the file was reached",
	[DEVIO_REASON_NET_VIRTUAL] = "the connection uses loopback or a virtual interface: only a NIC can place "
				     "payload in device memory",
	[DEVIO_REASON_NET_KERNEL] = "the kernel cannot bind a dma-buf to a NIC queue (needs Linux 6.12, or 6.16 to "
				    "send and for sock-zcrx)",
	[DEVIO_REASON_NET_DRIVER] = "the NIC's driver is not known to support queue management operations (bnxt_en, "
				    "mlx5_core, gve and fbnic do, and igb with the patches in kernel/)",
	[DEVIO_REASON_NET_SPLIT] = "the NIC does not split headers from payload (enable with ethtool -G INTERFACE "
				   "tcp-data-split on)",
	[DEVIO_REASON_NET_RIGHTS] = "binding a NIC queue requires CAP_NET_ADMIN or a running devio-nicd",
	[DEVIO_REASON_NET_UNKNOWN] = "the connection's network interface cannot be found or queried",
	[DEVIO_REASON_NET_RECV] = "the path supports receiving only",
	[DEVIO_REASON_NET_SETUP] = "the NIC is not set up to receive into device memory: call devio_nic_open() "
				   "(devio-nc --nic)",
	[DEVIO_REASON_NET] = "the connection reported an error",
	[DEVIO_REASON_RESET] = "the peer closed or reset the connection",
	[DEVIO_REASON_TIMEOUT] = "no data was transferred within the timeout",
	[DEVIO_REASON_BROKEN] = "an earlier operation on the stream failed, so the position in the stream is lost",
	[DEVIO_REASON_NET_BIND] = "the kernel or the NIC rejected this memory (see the log for the kernel's message)",
	[DEVIO_REASON_NET_STEER] = "the payload did not arrive on a queue bound to device memory",
	[DEVIO_REASON_REVOKED] = "the owner revoked the memory, including bytes that were received or still to be sent",
	[DEVIO_REASON_NET_UNREADABLE] = "the payload is in a NIC's device memory, which this path cannot read",
	[DEVIO_REASON_NET_RING] = "the NIC is set up for one ring (sock-zcrx) or for all receives (sock-devmem), which "
				  "does not match this operation (see devio_nic_opts.ring)",
};

DEVIO_API const char *devio_reason_text(unsigned int reason)
{
	return reason < DEVIO_REASON_MAX ? reasons[reason] : "unknown reason";
}

DEVIO_API int devio_completion_text(const struct devio_completion *c, char *buf, size_t size)
{
	static const char *const verbs[2][2] = { { "read", "write" }, { "receive", "send" } };
	const char *verb = verbs[c->path >= DEVIO_PATH_FILE_MAX][!!(c->flags & DEVIO_DONE_WRITE)];

	if (c->result < 0)
		return snprintf(buf, size, "%s: %s failed after %llu bytes: %s [%s: %s]", devio_path_name(c->path),
				verb, (unsigned long long)c->good, devio_reason_text(c->reason),
				dv_errno_name((int)c->result), errno_desc((int)c->result));
	if (!c->best_unused)
		return snprintf(buf, size, "%s: %s of %lld bytes, no better path exists",
				devio_path_name(c->path), verb, (long long)c->result);
	return snprintf(buf, size, "%s: %s of %lld bytes; not %s: %s", devio_path_name(c->path), verb,
			(long long)c->result, devio_path_name(c->best_unused), devio_reason_text(c->reason));
}

DEVIO_API const char *devio_version(void)
{
	return PACKAGE_VERSION;
}
