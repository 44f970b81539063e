/* SPDX-License-Identifier: MIT */
/*
 * The binary interface of cuFile 1.0 to 1.16, in declarations of our own: the functions that libcufile.so.0 exports,
 * and the layout of what they take on x86-64 and aarch64. Not installed: programs are built with the vendor's header.
 */
#ifndef DV_CUFILE_CUFILE_H
#define DV_CUFILE_CUFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Every status: a cuFile code (0, or 5001 and up) and, with GDS_CUDA_DRIVER, the driver's. Returned in a register. */
struct gds_error {
	int err;
	int cu;
};

enum {
	GDS_OK = 0,
	GDS_NOT_INITIALIZED = 5001,
	GDS_INVALID_PROPERTY = 5002,
	GDS_PROPERTY_RANGE = 5003,
	GDS_CLOSING = 5006,
	GDS_IO_UNSUPPORTED = 5008,
	GDS_CUDA_DRIVER = 5011,
	GDS_POINTER = 5012,
	GDS_POINTER_RANGE = 5014,
	GDS_CONTEXT = 5015,
	GDS_PAST_REGISTRATION = 5017,
	GDS_FILE_TYPE = 5018,
	GDS_OPEN_FLAG = 5019,
	GDS_INVALID_VALUE = 5022,
	GDS_MEM_REGISTERED = 5023,
	GDS_MEM_NOT_REGISTERED = 5024,
	GDS_PERMISSION = 5025,
	GDS_DRIVER_OPEN = 5026,
	GDS_HANDLE_UNKNOWN = 5027,
	GDS_HANDLE_REGISTERED = 5028,
	GDS_NO_DEVICE = 5029,
	GDS_INTERNAL = 5030,
	GDS_BATCH_SUBMIT = 5035,
	GDS_BATCH_FULL = 5037,
	GDS_ASYNC_UNSUPPORTED = 5038,
	GDS_BATCH_SETUP_ERROR = 5039,
	GDS_BATCH_SUBMIT_ERROR = 5040,
	GDS_BATCH_STATUS_ERROR = 5041,
	GDS_BATCH_CANCEL_ERROR = 5042,
	GDS_NO_MEMORY = 5043,
	GDS_IO_ERROR = 5044,
};

/* What a file is registered with. */
enum { GDS_TYPE_FD = 1, GDS_TYPE_WIN32 = 2, GDS_TYPE_USERSPACE = 3 };

struct gds_descr {
	int type;
	union {
		int fd;
		void *handle;
	} u;
	const void *fs_ops;
};

/* Properties; sizes in KiB where they are unsigned int. */
struct gds_props {
	unsigned int major, minor;       /* of nvidia-fs: 0.0 without it */
	size_t poll_threshold;
	size_t max_direct_io;
	unsigned int file_systems;       /* GDS_FS_*: reached peer to peer by nvidia-fs */
	unsigned int control;            /* GDS_CONTROL_* */
	unsigned int features;           /* GDS_FEATURE_* */
	unsigned int max_device_cache;
	unsigned int per_buffer_cache;
	unsigned int max_pinned;
	unsigned int max_batch;
	unsigned int batch_timeout_ms;
};
enum { GDS_CONTROL_POLL = 1, GDS_CONTROL_COMPAT = 2 };
enum { GDS_FEATURE_ROUTING = 1, GDS_FEATURE_BATCH = 2, GDS_FEATURE_STREAM = 4, GDS_FEATURE_PARALLEL = 8,
       GDS_FEATURE_P2P = 16 };

/* Batches. */
struct gds_batch_io {
	int mode; /* 1 */
	void *base;
	off_t file_off;
	off_t buf_off;
	size_t size;
	void *handle;
	int opcode;
	void *cookie;
};
enum { GDS_BATCH_MODE = 1, GDS_OP_READ = 0, GDS_OP_WRITE = 1 };

struct gds_event {
	void *cookie;
	int status;
	size_t ret; /* bytes, or -errno */
};
enum { GDS_WAITING = 1, GDS_PENDING = 2, GDS_INVALID = 4, GDS_CANCELED = 8, GDS_COMPLETE = 16, GDS_TIMEOUT = 32,
       GDS_FAILED = 64 };

/* Streams: what cuFileReadAsync() may take at submission instead of at execution. */
enum { GDS_STREAM_BUF_OFF = 1, GDS_STREAM_FILE_OFF = 2, GDS_STREAM_SIZE = 4, GDS_STREAM_ALIGNED = 8 };

/* One piece of cuFileReadv() and cuFileWritev(). */
struct gds_iovec {
	void *base;
	size_t size;
};

/* Statistics. Level 2 begins with level 1, level 3 with level 2. */
struct gds_count {
	uint64_t ok, err;
};

struct gds_stats1 {
	struct gds_count read, write, handle_register, handle_deregister, buf_register, buf_deregister;
	uint64_t read_bytes, write_bytes, read_bw, write_bw; /* bandwidths in bytes a second */
	uint64_t read_lat_avg_us, write_lat_avg_us, reads_per_s, writes_per_s, read_lat_sum_us, write_lat_sum_us;
	struct gds_count batch_submit, batch_complete, batch_setup, batch_cancel, batch_destroy;
	struct gds_count batch_queued, batch_posix_queued, batch_processed, batch_posix_processed;
	struct gds_count batch_nvfs, batch_p2p, batch_aio, batch_uring, batch_mixed, batch_total;
	uint64_t batch_read_bytes, batch_write_bytes, batch_read_bw, batch_write_bw;
	uint64_t batch_submit_lat_avg_us, batch_complete_lat_avg_us, batch_submits_per_s, batch_completes_per_s;
	uint64_t batch_submit_lat_sum_us, batch_complete_lat_sum_us, last_batch_read_bytes, last_batch_write_bytes;
};

#define GDS_HIST 32 /* powers of two, in KiB */

struct gds_stats2 {
	struct gds_stats1 basic;
	uint64_t read_hist[GDS_HIST], write_hist[GDS_HIST];
};

#define GDS_GPUS 16

struct gds_gpu_stats {
	char uuid[16];
	uint64_t read_bytes, read_bw, read_utilization, read_duration_us;
	uint64_t reads, p2p_reads, nvfs_reads, posix_reads, unaligned_reads, routed_reads, sparse, inlined, read_errors;
	uint64_t write_bytes, write_bw, write_utilization, write_duration_us;
	uint64_t writes, p2p_writes, nvfs_writes, posix_writes, unaligned_writes, routed_writes, write_errors;
	uint64_t maps, maps_ok, maps_err, unmaps;
	uint64_t registered_bytes;
};

struct gds_stats3 {
	struct gds_stats2 detailed;
	uint32_t nr_gpus;
	struct gds_gpu_stats gpu[GDS_GPUS];
};

#define GDS_LAYOUT(type, field, at) _Static_assert(offsetof(struct type, field) == (at), #type "." #field)
_Static_assert(sizeof(struct gds_error) == 8, "gds_error");
_Static_assert(sizeof(struct gds_descr) == 24, "gds_descr");
GDS_LAYOUT(gds_descr, u, 8);
GDS_LAYOUT(gds_descr, fs_ops, 16);
_Static_assert(sizeof(struct gds_props) == 56, "gds_props");
GDS_LAYOUT(gds_props, poll_threshold, 8);
GDS_LAYOUT(gds_props, max_direct_io, 16);
GDS_LAYOUT(gds_props, file_systems, 24);
GDS_LAYOUT(gds_props, control, 28);
GDS_LAYOUT(gds_props, features, 32);
GDS_LAYOUT(gds_props, max_device_cache, 36);
GDS_LAYOUT(gds_props, per_buffer_cache, 40);
GDS_LAYOUT(gds_props, max_pinned, 44);
GDS_LAYOUT(gds_props, max_batch, 48);
GDS_LAYOUT(gds_props, batch_timeout_ms, 52);
_Static_assert(sizeof(struct gds_batch_io) == 64, "gds_batch_io");
GDS_LAYOUT(gds_batch_io, base, 8);
GDS_LAYOUT(gds_batch_io, file_off, 16);
GDS_LAYOUT(gds_batch_io, buf_off, 24);
GDS_LAYOUT(gds_batch_io, size, 32);
GDS_LAYOUT(gds_batch_io, handle, 40);
GDS_LAYOUT(gds_batch_io, opcode, 48);
GDS_LAYOUT(gds_batch_io, cookie, 56);
_Static_assert(sizeof(struct gds_event) == 24, "gds_event");
GDS_LAYOUT(gds_event, status, 8);
GDS_LAYOUT(gds_event, ret, 16);
_Static_assert(sizeof(struct gds_stats1) == 512, "gds_stats1");
_Static_assert(sizeof(struct gds_stats2) == 1024, "gds_stats2");
_Static_assert(sizeof(struct gds_gpu_stats) == 248, "gds_gpu_stats");
_Static_assert(sizeof(struct gds_stats3) == 5000, "gds_stats3");
GDS_LAYOUT(gds_stats3, gpu, 1032);

struct gds_error cuFileHandleRegister(void **handle, struct gds_descr *descr);
void cuFileHandleDeregister(void *handle);
struct gds_error cuFileBufRegister(const void *base, size_t size, int flags);
struct gds_error cuFileBufDeregister(const void *base);
ssize_t cuFileRead(void *handle, void *base, size_t size, off_t file_off, off_t buf_off);
ssize_t cuFileWrite(void *handle, const void *base, size_t size, off_t file_off, off_t buf_off);
ssize_t cuFileReadv(void *handle, const struct gds_iovec *iov, size_t nr, off_t file_off, unsigned int flags);
ssize_t cuFileWritev(void *handle, const struct gds_iovec *iov, size_t nr, off_t file_off, unsigned int flags);

struct gds_error cuFileDriverOpen(void);
struct gds_error cuFileDriverClose(void);
struct gds_error cuFileDriverClose_v2(void);
long cuFileUseCount(void);
struct gds_error cuFileGetVersion(int *version);
struct gds_error cuFileDriverGetProperties(struct gds_props *props);
struct gds_error cuFileDriverSetPollMode(bool poll, size_t threshold_kib);
struct gds_error cuFileDriverSetMaxDirectIOSize(size_t kib);
struct gds_error cuFileDriverSetMaxCacheSize(size_t kib);
struct gds_error cuFileDriverSetMaxPinnedMemSize(size_t kib);
struct gds_error cuFileDriverGetP2PFlags(unsigned int *flags);
struct gds_error cuFileDriverSetP2PFlags(unsigned int flags);
struct gds_error cuFileGetBARSizeInKB(int gpu, size_t *kib);
struct gds_error cuFileExportPCIeTopology(const char *path);

struct gds_error cuFileBatchIOSetUp(void **batch, unsigned int nr);
struct gds_error cuFileBatchIOSubmit(void *batch, unsigned int nr, struct gds_batch_io *io, unsigned int flags);
struct gds_error cuFileBatchIOGetStatus(void *batch, unsigned int min, unsigned int *nr, struct gds_event *events,
					struct timespec *timeout);
struct gds_error cuFileBatchIOCancel(void *batch);
void cuFileBatchIODestroy(void *batch);

struct gds_error cuFileReadAsync(void *handle, void *base, size_t *size, off_t *file_off, off_t *buf_off,
				 ssize_t *done, void *stream);
struct gds_error cuFileWriteAsync(void *handle, void *base, size_t *size, off_t *file_off, off_t *buf_off,
				  ssize_t *done, void *stream);
struct gds_error cuFileStreamRegister(void *stream, unsigned int flags);
struct gds_error cuFileStreamDeregister(void *stream);

struct gds_error cuFileGetParameterSizeT(int which, size_t *value);
struct gds_error cuFileSetParameterSizeT(int which, size_t value);
struct gds_error cuFileGetParameterBool(int which, bool *value);
struct gds_error cuFileSetParameterBool(int which, bool value);
struct gds_error cuFileGetParameterString(int which, char *value, int size);
struct gds_error cuFileSetParameterString(int which, const char *value);
struct gds_error cuFileGetParameterMinMaxValue(int which, size_t *min, size_t *max);
struct gds_error cuFileGetParameterPosixPoolSlabArray(size_t *sizes, size_t *counts, int nr);
struct gds_error cuFileSetParameterPosixPoolSlabArray(const size_t *sizes, const size_t *counts, int nr);
struct gds_error cuFileGetParameterGpuBounceBufferSlabArray(size_t *sizes, size_t *counts, int nr);
struct gds_error cuFileSetParameterGpuBounceBufferSlabArray(const size_t *sizes, const size_t *counts, int nr);

struct gds_error cuFileGetStatsLevel(int *level);
struct gds_error cuFileSetStatsLevel(int level);
struct gds_error cuFileStatsStart(void);
struct gds_error cuFileStatsStop(void);
struct gds_error cuFileStatsReset(void);
struct gds_error cuFileGetStatsL1(struct gds_stats1 *stats);
struct gds_error cuFileGetStatsL2(struct gds_stats2 *stats);
struct gds_error cuFileGetStatsL3(struct gds_stats3 *stats);

#endif
