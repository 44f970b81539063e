/* SPDX-License-Identifier: MIT */
/* What the tests of libcufile.so.0 share: it is opened by its path, as a program's own code would open the vendor's. */
#ifndef CUFILE_RIG_H
#define CUFILE_RIG_H

#include "mem/memtest.h"
#include "cufile/cufile.h"

#define RIG_CALLS(X) \
	X(HandleRegister) X(HandleDeregister) X(BufRegister) X(BufDeregister) X(Read) X(Write) X(Readv) X(Writev) \
	X(DriverOpen) X(DriverClose) X(DriverClose_v2) X(UseCount) X(GetVersion) X(DriverGetProperties) \
	X(DriverSetPollMode) X(DriverSetMaxDirectIOSize) X(DriverSetMaxCacheSize) X(DriverSetMaxPinnedMemSize) \
	X(DriverGetP2PFlags) X(DriverSetP2PFlags) X(GetBARSizeInKB) X(ExportPCIeTopology) X(BatchIOSetUp) \
	X(BatchIOSubmit) X(BatchIOGetStatus) X(BatchIOCancel) X(BatchIODestroy) X(ReadAsync) \
	X(WriteAsync) X(StreamRegister) X(StreamDeregister) X(GetParameterSizeT) \
	X(SetParameterSizeT) X(GetParameterBool) X(SetParameterBool) X(GetParameterString) X(SetParameterString) \
	X(GetParameterMinMaxValue) X(GetParameterPosixPoolSlabArray) X(SetParameterPosixPoolSlabArray) \
	X(GetParameterGpuBounceBufferSlabArray) X(SetParameterGpuBounceBufferSlabArray) X(GetStatsLevel) \
	X(SetStatsLevel) X(StatsStart) X(StatsStop) X(StatsReset) X(GetStatsL1) X(GetStatsL2) X(GetStatsL3)

struct rig_cf {
#define X(name) __typeof__(cuFile##name) *name;
	RIG_CALLS(X)
#undef X
};
extern struct rig_cf cf;
extern const struct fake_ctl *ctl;

/* Opens the fake driver and the library. Fails the program where that does not work. */
void rig_open(void);
/* Only the library: the process has no CUDA. */
void rig_open_library(void);

/* The byte of the test's files at this offset. */
unsigned char rig_byte(uint64_t off);
/* A file of n such bytes, opened with these flags besides O_RDWR; removed already. */
int rig_file(uint64_t n, int flags);
/* -1: this file system has no O_DIRECT. */
int rig_reopen(int fd, int flags);
void *rig_handle(int fd);
void rig_drop(void *handle, int fd);

#define rig_ok(expr) do { struct gds_error rig_e = (expr); \
	if (rig_e.err) \
		fail_msg("%s:%d: %s: %d", __FILE__, __LINE__, #expr, rig_e.err); } while (0)
#define rig_fails(expr, code) do { struct gds_error rig_e = (expr); \
	if (rig_e.err != (code)) \
		fail_msg("%s:%d: %s: %d, not %d", __FILE__, __LINE__, #expr, rig_e.err, (code)); } while (0)

/* The status of a forked child, which returns from fn what it exits with; nothing in it may assert. */
int rig_child(int (*fn)(void));

/* Memory of each kind. `at` addresses it for cuFile, rig_bytes() gives its bytes to the test. */
enum rig_kind { RIG_DEVICE, RIG_MANAGED, RIG_POOL, RIG_PIECES, RIG_PINNED, RIG_HOST, RIG_KINDS };
char *rig_mem(enum rig_kind kind, size_t size);
unsigned char *rig_bytes(enum rig_kind kind, char *at);
void rig_free(enum rig_kind kind, char *at);
extern const char *const rig_names[RIG_KINDS];

#endif
