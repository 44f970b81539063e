/* SPDX-License-Identifier: MIT */
/* Opening and closing, and the properties. */
#include "config.h"
#include "cufile/async.h"
#include "cufile/batch.h"

/* The interface that is implemented: 1000 * major + 10 * minor. */
#define INTERFACE 1160
#define MAX_KIB UINT32_MAX

static unsigned int p2p_flags;

GDS_API struct gds_error cuFileDriverOpen(void)
{
	return dv_open_driver(true);
}

/* What is in use exists until its transfer is over. */
static void close_all(void)
{
	struct dv_handle *handles = dv_handle_take_all();
	struct dv_batch *batches = dv_batch_take_all();
	struct dv_async *async = dv_gds.async;
	struct devio_ctx *ctx = dv_gds.ctx;
	struct dv_regs regs, found;
	struct dv_reg *host;

	dv_reg_take_all(&regs, &found, &host);
	dv_gds.ctx = NULL;
	dv_gds.async = NULL;
	pthread_rwlock_unlock(&dv_gds.lock);
	dv_async_put(async);
	dv_batch_put_all(batches);
	dv_handle_put_all(handles);
	dv_reg_put_all(&regs);
	dv_reg_put_all(&found);
	dv_reg_put(host);
	devio_ctx_close(ctx);
}

GDS_API struct gds_error cuFileDriverClose_v2(void)
{
	pthread_rwlock_wrlock(&dv_gds.lock);
	if (!dv_gds.ctx) {
		pthread_rwlock_unlock(&dv_gds.lock);
		return dv_status(GDS_NOT_INITIALIZED, "driver close: the driver is not open");
	}
	if (--dv_gds.uses)
		pthread_rwlock_unlock(&dv_gds.lock);
	else
		close_all();
	return dv_ok();
}

GDS_API struct gds_error cuFileDriverClose(void)
{
	return cuFileDriverClose_v2();
}

GDS_API long cuFileUseCount(void)
{
	long n;

	pthread_rwlock_rdlock(&dv_gds.lock);
	n = dv_gds.uses;
	pthread_rwlock_unlock(&dv_gds.lock);
	return n;
}

GDS_API struct gds_error cuFileGetVersion(int *version)
{
	if (!version)
		return dv_status(GDS_INVALID_VALUE, "get version: NULL");
	*version = INTERFACE;
	return dv_ok();
}

/* No nvidia-fs is used: its version is 0.0, as in the vendor's compatibility mode, and so are the file systems. */
GDS_API struct gds_error cuFileDriverGetProperties(struct gds_props *p)
{
	struct gds_error e = p ? dv_open_driver(false) : dv_status(GDS_INVALID_VALUE, "get properties: NULL");

	if (e.err)
		return e;
	*p = (struct gds_props){
		.poll_threshold = dv_conf.size[CONF_POLL_KIB],
		.max_direct_io = dv_conf.size[CONF_DIRECT_IO_KIB],
		.control = (dv_conf.flag[CONF_POLL] ? GDS_CONTROL_POLL : 0) |
			   (dv_conf.flag[CONF_COMPAT] ? GDS_CONTROL_COMPAT : 0),
		.features = GDS_FEATURE_ROUTING | GDS_FEATURE_BATCH | GDS_FEATURE_STREAM | GDS_FEATURE_PARALLEL,
		.max_device_cache = (unsigned int)dv_conf.size[CONF_DEVICE_CACHE_KIB],
		.per_buffer_cache = (unsigned int)dv_conf.size[CONF_PER_BUFFER_KIB],
		.max_pinned = (unsigned int)dv_conf.size[CONF_PINNED_KIB],
		.max_batch = (unsigned int)dv_conf.size[CONF_BATCH_SIZE],
		.batch_timeout_ms = (unsigned int)dv_conf.size[CONF_BATCH_TIMEOUT_MS],
	};
	return e;
}

/* What the vendor needs for its buffers. The staging memory here is a ring's: the value is kept and reported. */
static struct gds_error set_size(int which, size_t kib, size_t multiple)
{
	dv_conf_load();
	if (!kib || kib % multiple || kib > MAX_KIB)
		return dv_status(GDS_INVALID_VALUE, "set property: not a size in KiB that is allowed");
	dv_note(DV_INFO, "set property %d to %zu KiB: accepted, without effect", which, kib);
	dv_conf.size[which] = kib;
	dv_conf.size_set[which] = true;
	return dv_ok();
}

GDS_API struct gds_error cuFileDriverSetMaxDirectIOSize(size_t kib)
{
	return set_size(CONF_DIRECT_IO_KIB, kib, 4);
}

GDS_API struct gds_error cuFileDriverSetMaxCacheSize(size_t kib)
{
	return set_size(CONF_DEVICE_CACHE_KIB, kib, 4);
}

GDS_API struct gds_error cuFileDriverSetMaxPinnedMemSize(size_t kib)
{
	return set_size(CONF_PINNED_KIB, kib, 4);
}

GDS_API struct gds_error cuFileDriverSetPollMode(bool poll, size_t threshold_kib)
{
	dv_conf_load();
	if (threshold_kib > MAX_KIB)
		return dv_status(GDS_INVALID_VALUE, "set poll mode: invalid threshold");
	dv_conf.flag[CONF_POLL] = poll;
	dv_conf.flag_set[CONF_POLL] = true;
	dv_conf.size[CONF_POLL_KIB] = threshold_kib;
	dv_conf.size_set[CONF_POLL_KIB] = true;
	return dv_ok();
}

/* The paths are chosen by what works: what the application would allow is kept for it to read. */
GDS_API struct gds_error cuFileDriverGetP2PFlags(unsigned int *flags)
{
	if (!flags)
		return dv_status(GDS_INVALID_VALUE, "get P2P flags: NULL");
	*flags = p2p_flags;
	return dv_ok();
}

GDS_API struct gds_error cuFileDriverSetP2PFlags(unsigned int flags)
{
	if (flags & ~0x1fu)
		return dv_status(GDS_INVALID_VALUE, "set P2P flags: unknown flags");
	if (dv_gds.ctx)
		return dv_status(GDS_DRIVER_OPEN, "set P2P flags: the driver is open");
	p2p_flags = flags;
	return dv_ok();
}
