/* SPDX-License-Identifier: MIT */
/* Settings: the parameters, their defaults, cufile.json and the environment; and the log. */
#ifndef DV_CUFILE_CONF_H
#define DV_CUFILE_CONF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* The numbers of the parameters in the interface. */
enum { CONF_STATS, CONF_QUEUE_DEPTH, CONF_IO_THREADS, CONF_MIN_IO_KIB, CONF_PARALLELISM, CONF_DIRECT_IO_KIB,
       CONF_DEVICE_CACHE_KIB, CONF_PER_BUFFER_KIB, CONF_PINNED_KIB, CONF_BATCH_SIZE, CONF_POLL_KIB,
       CONF_BATCH_TIMEOUT_MS, CONF_SIZES };
enum { CONF_POLL, CONF_COMPAT, CONF_FORCE_COMPAT, CONF_API_CHECK, CONF_PARALLEL_IO, CONF_NVTX, CONF_SYSTEM_MEMORY,
       CONF_P2PDMA, CONF_PREFER_URING, CONF_FORCE_DIRECT, CONF_SKIP_TOPOLOGY, CONF_BYPASS_MEMOPS, CONF_BOOLS };
enum { CONF_LOG_LEVEL, CONF_LOG_PATH, CONF_LOG_DIR, CONF_STRINGS };

#define CONF_TEXT 4096
#define CONF_SLABS 16

struct dv_slabs {
	size_t size[CONF_SLABS], count[CONF_SLABS];
	int nr;
};

struct dv_conf {
	size_t size[CONF_SIZES];
	bool flag[CONF_BOOLS];
	char text[CONF_STRINGS][CONF_TEXT];
	struct dv_slabs posix_slabs, gpu_slabs;
	bool size_set[CONF_SIZES], flag_set[CONF_BOOLS], text_set[CONF_STRINGS]; /* by cuFileSetParameter*() */
};
extern struct dv_conf dv_conf;

struct dv_bounds {
	size_t min, max;
};
extern const struct dv_bounds dv_conf_bounds[CONF_SIZES];

/* Reads cufile.json and the environment, once; what the application has set stays. */
void dv_conf_load(void);

enum dv_level { DV_TRACE, DV_DEBUG, DV_INFO, DV_NOTICE, DV_WARN, DV_ERROR };

/* Written to the log file where one is configured; never printed. */
void dv_note(enum dv_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The next line opens the log file that is configured then. */
void dv_note_reset(void);

#endif
