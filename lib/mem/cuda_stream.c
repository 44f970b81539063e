/* SPDX-License-Identifier: MIT */
/* Ordering with CUDA's streams. */
#include "config.h"
#include <stdbool.h>
#include "core/err.h"
#include "mem/cuda_api.h"
#include "mem/appstream.h"
#include "mem/share.h"

static int load(void)
{
	int nr, rc;

	dv_share_lock();
	rc = dv_cu_load("cuda", &nr);
	dv_share_unlock();
	if (!rc && (!dv_cu.StreamGetCtx || !dv_cu.LaunchHostFunc))
		rc = dv_err(-EOPNOTSUPP, "stream: this driver has no cuLaunchHostFunc: use CUDA 10 or newer");
	return rc;
}

/* The null stream is that of the current context: with none, it is nobody's. */
static int enter(void *stream, void **where)
{
	void *ctx;
	int rc = dv_cu.StreamGetCtx(stream, &ctx);

	if (rc >= CU_CAPTURE_UNSUPPORTED && rc < CU_CAPTURE_UNSUPPORTED + 10)
		return dv_err(-EOPNOTSUPP, "stream: cannot be captured into a graph: submit the transfer "
			      "outside of it");
	if (!rc)
		rc = dv_cu.CtxPush(ctx);
	*where = ctx;
	return rc ? dv_cu_err("stream", rc, "cuStreamGetCtx or cuCtxPushCurrent") : 0;
}

static void leave(void)
{
	void *popped;

	(void)dv_cu.CtxPop(&popped);
}

static int call(void *stream, void (*fn)(void *arg), void *arg)
{
	int rc = dv_cu.LaunchHostFunc(stream, fn, arg);

	return rc ? dv_cu_err("stream", rc, "cuLaunchHostFunc") : 0;
}

static int wait(void *stream, uint32_t *word, uint32_t value)
{
	dv_cu_ptr at;
	int rc = dv_cu.StreamWaitValue32 && dv_cu.MemHostGetDevicePointer ?
		 dv_cu.MemHostGetDevicePointer(&at, word, 0) : CU_NOT_SUPPORTED;

	if (!rc)
		rc = dv_cu.StreamWaitValue32(stream, at, value, CU_WAIT_GEQ);
	return rc ? dv_cu_err("stream", rc, "cuStreamWaitValue32") : 0;
}

static int drain(void *stream)
{
	int rc = dv_cu.st.StreamSynchronize(stream);

	return rc ? dv_cu_err("stream", rc, "cuStreamSynchronize") : 0;
}

static int share(void *p, size_t len)
{
	int rc = dv_cu.MemHostRegister(p, len, CU_HOST_PORTABLE | CU_HOST_DEVICEMAP);

	return rc ? dv_cu_err("stream", rc, "cuMemHostRegister") : 0;
}

/* A context that the application has destroyed has taken its page-locked memory along. */
static void cuda_unshare(void *p, void *where)
{
	if (dv_cu.CtxPush(where))
		return;
	(void)dv_cu.MemHostUnregister(p);
	leave();
}

const struct dv_appstream_ops dv_appstream_cuda = {
	.name = "cuda",
	.load = load,
	.enter = enter,
	.leave = leave,
	.call = call,
	.wait = wait,
	.drain = drain,
	.share = share,
	.unshare = cuda_unshare,
};
