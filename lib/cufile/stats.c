/* SPDX-License-Identifier: MIT */
/* Statistics in the vendor's levels: basic, by size, by GPU. */
#include "config.h"
#include <string.h>
#include "cufile/gds.h"

#define MAX_LEVEL 3

static atomic_int level;

static int current(void)
{
	dv_conf_load();
	return level ? level : (int)dv_conf.size[CONF_STATS];
}

GDS_API struct gds_error cuFileGetStatsLevel(int *out)
{
	if (!out)
		return dv_status(GDS_INVALID_VALUE, "get statistics level: NULL");
	*out = current();
	return dv_ok();
}

GDS_API struct gds_error cuFileSetStatsLevel(int new)
{
	if (new < 0 || new > MAX_LEVEL)
		return dv_status(GDS_INVALID_VALUE, "set statistics level: 0 to 3");
	dv_conf_load();
	level = new;
	dv_conf.size[CONF_STATS] = (size_t)new;
	dv_conf.size_set[CONF_STATS] = true;
	dv_usage_open(new);
	return dv_ok();
}

static struct gds_error need_level(int min)
{
	return current() < min ? dv_status(GDS_INVALID_VALUE, "statistics: the level is too low") : dv_ok();
}

GDS_API struct gds_error cuFileStatsStart(void)
{
	struct gds_error e = need_level(1);

	if (!e.err)
		dv_counting = true;
	return e;
}

GDS_API struct gds_error cuFileStatsStop(void)
{
	struct gds_error e = need_level(1);

	if (!e.err)
		dv_counting = false;
	return e;
}

GDS_API struct gds_error cuFileStatsReset(void)
{
	struct gds_error e = need_level(1);

	if (!e.err)
		dv_usage_reset();
	return e;
}

/* A second at least counts as one: no rate of what has only begun. */
static uint64_t per_second(uint64_t n)
{
	uint64_t us = (dv_usage_now() - dv_counts.start_ns) / 1000;

	return us ? (uint64_t)((double)n * 1e6 / (double)us) : 0;
}

static uint64_t average(uint64_t sum, uint64_t n)
{
	return n ? sum / n : 0;
}

static struct gds_count transfers(const struct dv_usage *u, int write)
{
	return (struct gds_count){ u->ops[write] - u->errors[write], u->errors[write] };
}

static void basic(struct gds_stats1 *s)
{
	const struct dv_usage *u = &dv_counts.all;
	const struct gds_count *call = dv_counts.call;
	const struct gds_count io = call[DV_CALL_BATCH_IO];

	*s = (struct gds_stats1){
		.read = transfers(u, 0), .write = transfers(u, 1),
		.handle_register = call[DV_CALL_HANDLE_REGISTER],
		.handle_deregister = call[DV_CALL_HANDLE_DEREGISTER],
		.buf_register = call[DV_CALL_BUF_REGISTER], .buf_deregister = call[DV_CALL_BUF_DEREGISTER],
		.read_bytes = u->bytes[0], .write_bytes = u->bytes[1],
		.read_bw = per_second(u->bytes[0]), .write_bw = per_second(u->bytes[1]),
		.read_lat_avg_us = average(u->ns[0] / 1000, u->ops[0]),
		.write_lat_avg_us = average(u->ns[1] / 1000, u->ops[1]),
		.reads_per_s = per_second(u->ops[0]), .writes_per_s = per_second(u->ops[1]),
		.read_lat_sum_us = u->ns[0] / 1000, .write_lat_sum_us = u->ns[1] / 1000,
		.batch_submit = call[DV_CALL_BATCH_SUBMIT], .batch_complete = call[DV_CALL_BATCH_COMPLETE],
		.batch_setup = call[DV_CALL_BATCH_SETUP], .batch_cancel = call[DV_CALL_BATCH_CANCEL],
		.batch_destroy = call[DV_CALL_BATCH_DESTROY],
		.batch_queued = io, .batch_processed = io, .batch_uring = io, .batch_total = io,
		.batch_read_bytes = dv_counts.batch_bytes[0], .batch_write_bytes = dv_counts.batch_bytes[1],
		.batch_read_bw = per_second(dv_counts.batch_bytes[0]),
		.batch_write_bw = per_second(dv_counts.batch_bytes[1]),
		.batch_submits_per_s = per_second(call[DV_CALL_BATCH_SUBMIT].ok),
		.batch_completes_per_s = per_second(call[DV_CALL_BATCH_COMPLETE].ok),
	};
}

static void by_size(struct gds_stats2 *s)
{
	basic(&s->basic);
	memcpy(s->read_hist, dv_counts.hist[0], sizeof(s->read_hist));
	memcpy(s->write_hist, dv_counts.hist[1], sizeof(s->write_hist));
}

/* Peer to peer is what the vendor counts as such; all else goes through the host, which it calls POSIX. */
static uint64_t direct_ops(const struct dv_usage *u, int write)
{
	return u->path_ops[write][DEVIO_PATH_FILE_DMABUF] + u->path_ops[write][DEVIO_PATH_FILE_P2P];
}

static void by_gpu(struct gds_gpu_stats *s, int gpu)
{
	const struct dv_usage *u = &dv_counts.gpu[gpu];

	*s = (struct gds_gpu_stats){
		.read_bytes = u->bytes[0], .read_bw = per_second(u->bytes[0]), .read_duration_us = u->ns[0] / 1000,
		.reads = u->ops[0], .p2p_reads = direct_ops(u, 0), .posix_reads = u->ops[0] - direct_ops(u, 0),
		.unaligned_reads = u->unaligned[0], .read_errors = u->errors[0],
		.write_bytes = u->bytes[1], .write_bw = per_second(u->bytes[1]), .write_duration_us = u->ns[1] / 1000,
		.writes = u->ops[1], .p2p_writes = direct_ops(u, 1), .posix_writes = u->ops[1] - direct_ops(u, 1),
		.unaligned_writes = u->unaligned[1], .write_errors = u->errors[1],
		.registered_bytes = dv_counts.registered[gpu],
	};
}

GDS_API struct gds_error cuFileGetStatsL1(struct gds_stats1 *s)
{
	struct gds_error e = s ? need_level(1) : dv_status(GDS_INVALID_VALUE, "get statistics: NULL");

	if (!e.err)
		basic(s);
	return e;
}

GDS_API struct gds_error cuFileGetStatsL2(struct gds_stats2 *s)
{
	struct gds_error e = s ? need_level(2) : dv_status(GDS_INVALID_VALUE, "get statistics: NULL");

	if (!e.err)
		by_size(s);
	return e;
}

GDS_API struct gds_error cuFileGetStatsL3(struct gds_stats3 *s)
{
	struct gds_error e = s ? need_level(3) : dv_status(GDS_INVALID_VALUE, "get statistics: NULL");

	if (e.err)
		return e;
	memset(s, 0, sizeof(*s));
	by_size(&s->detailed);
	for (int i = 0; i < GDS_GPUS; i++) {
		by_gpu(&s->gpu[i], i);
		if (s->gpu[i].reads || s->gpu[i].writes || s->gpu[i].registered_bytes)
			s->nr_gpus = (uint32_t)i + 1;
	}
	return e;
}
