/* SPDX-License-Identifier: MIT */
/* The defaults of the parameters, and their bounds. */
#include "config.h"
#include <limits.h>
#include "cufile/conf.h"

struct dv_conf dv_conf = {
	.size = { [CONF_QUEUE_DEPTH] = 128, [CONF_IO_THREADS] = 4, [CONF_MIN_IO_KIB] = 8192, [CONF_PARALLELISM] = 4,
		  [CONF_DIRECT_IO_KIB] = 16384, [CONF_DEVICE_CACHE_KIB] = 131072, [CONF_PER_BUFFER_KIB] = 1024,
		  [CONF_PINNED_KIB] = 33554432, [CONF_BATCH_SIZE] = 128, [CONF_POLL_KIB] = 4 },
	.flag = { [CONF_COMPAT] = true, [CONF_API_CHECK] = true, [CONF_PARALLEL_IO] = true,
		  [CONF_SYSTEM_MEMORY] = true, [CONF_PREFER_URING] = true },
	.text = { [CONF_LOG_LEVEL] = "ERROR" },
	.posix_slabs = { { 4, 1024, 16384 }, { 128, 64, 64 }, 3 },
	.gpu_slabs = { { 1024 }, { 128 }, 1 },
};

const struct dv_bounds dv_conf_bounds[CONF_SIZES] = {
	[CONF_STATS] = { 0, 3 }, [CONF_QUEUE_DEPTH] = { 1, 16384 }, [CONF_IO_THREADS] = { 0, 256 },
	[CONF_MIN_IO_KIB] = { 1, 1UL << 30 }, [CONF_PARALLELISM] = { 0, 256 }, [CONF_DIRECT_IO_KIB] = { 4, 1UL << 20 },
	[CONF_DEVICE_CACHE_KIB] = { 128, 1UL << 30 }, [CONF_PER_BUFFER_KIB] = { 4, 1UL << 30 },
	[CONF_PINNED_KIB] = { 4, UINT_MAX }, [CONF_BATCH_SIZE] = { 1, 4096 }, [CONF_POLL_KIB] = { 0, 1UL << 20 },
	[CONF_BATCH_TIMEOUT_MS] = { 0, INT_MAX },
};
