/* SPDX-License-Identifier: MIT */
/* libcufile.so.0: parameters, cufile.json, the environment, the log, statistics. Each case is a process of its own. */
#include "config.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "rig.h"

enum { STATS, QUEUE_DEPTH, BATCH_SIZE = 9, DIRECT_KIB = 5 };
enum { POLL, COMPAT, FORCE_COMPAT };
enum { LOG_LEVEL, LOG_PATH, LOG_DIR };

static const char *dir;

static void write_json(const char *text)
{
	mt_file(dir, "cufile.json", text);
}

static const char *path_of(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static size_t size_of(int which)
{
	size_t v = 0;

	rig_ok(cf.GetParameterSizeT(which, &v));
	return v;
}

static bool flag_of(int which)
{
	bool v = false;

	rig_ok(cf.GetParameterBool(which, &v));
	return v;
}

static void defaults(void)
{
	size_t size[3], count[3], min, max;
	struct gds_props p;
	char text[64];

	assert_int_equal(size_of(BATCH_SIZE), 128);
	assert_int_equal(size_of(DIRECT_KIB), 16384);
	assert_true(flag_of(COMPAT));
	assert_false(flag_of(FORCE_COMPAT));
	rig_ok(cf.GetParameterString(LOG_LEVEL, text, sizeof(text)));
	assert_string_equal(text, "ERROR");
	rig_fails(cf.GetParameterString(LOG_LEVEL, text, 3), GDS_INVALID_VALUE);
	rig_ok(cf.GetParameterPosixPoolSlabArray(size, count, 3));
	assert_int_equal(size[1], 1024);
	rig_fails(cf.GetParameterPosixPoolSlabArray(size, count, 2), GDS_INVALID_VALUE);
	rig_ok(cf.GetParameterMinMaxValue(BATCH_SIZE, &min, &max));
	assert_true(min == 1 && max >= 256);
	rig_ok(cf.DriverGetProperties(&p));
	assert_int_equal(p.major + p.minor, 0);
	assert_int_equal(p.control, GDS_CONTROL_COMPAT);
	assert_int_equal(p.features, 15);
	assert_int_equal(p.max_direct_io, 16384);
	assert_int_equal(p.max_batch, 128);
	assert_int_equal(p.max_device_cache, 131072);
	assert_int_equal(p.max_pinned, 33554432);
	assert_int_equal(p.poll_threshold, 4);
	/* Reading the properties opens the driver. */
	rig_fails(cf.SetParameterSizeT(BATCH_SIZE, 64), GDS_DRIVER_OPEN);
	rig_fails(cf.SetParameterBool(COMPAT, false), GDS_DRIVER_OPEN);
	rig_fails(cf.SetParameterString(LOG_LEVEL, "INFO"), GDS_DRIVER_OPEN);
	rig_fails(cf.DriverSetP2PFlags(1), GDS_DRIVER_OPEN);
	rig_ok(cf.DriverSetMaxDirectIOSize(1024));
	rig_ok(cf.DriverSetMaxCacheSize(1024));
	rig_ok(cf.DriverSetMaxPinnedMemSize(4096));
	rig_fails(cf.DriverSetMaxDirectIOSize(0), GDS_INVALID_VALUE);
	rig_fails(cf.DriverSetMaxDirectIOSize(1023), GDS_INVALID_VALUE);
	rig_ok(cf.DriverSetPollMode(true, 8));
	rig_ok(cf.DriverGetProperties(&p));
	assert_int_equal(p.max_direct_io, 1024);
	assert_int_equal(p.control, GDS_CONTROL_COMPAT | GDS_CONTROL_POLL);
	rig_fails(cf.DriverGetProperties(NULL), GDS_INVALID_VALUE);
	rig_fails(cf.GetBARSizeInKB(99, size), GDS_NO_DEVICE);
	rig_ok(cf.ExportPCIeTopology(path_of("topology.json")));
	assert_int_equal(access(path_of("topology.json"), R_OK), 0);
	rig_fails(cf.ExportPCIeTopology("/nonexistent/topology.json"), GDS_IO_ERROR);
}

static void set(void)
{
	size_t size[3] = { 4, 64, 1024 }, count[3] = { 1, 2, 3 }, out[3], none[3] = { 0 };
	unsigned int flags;

	rig_ok(cf.SetParameterSizeT(BATCH_SIZE, 300));
	assert_int_equal(size_of(BATCH_SIZE), 300);
	rig_fails(cf.SetParameterSizeT(BATCH_SIZE, 0), GDS_INVALID_VALUE);
	rig_fails(cf.SetParameterSizeT(99, 1), GDS_INVALID_VALUE);
	rig_fails(cf.SetParameterSizeT(-1, 1), GDS_INVALID_VALUE);
	rig_fails(cf.GetParameterSizeT(-1, size), GDS_INVALID_VALUE);
	rig_fails(cf.GetParameterSizeT(0, NULL), GDS_INVALID_VALUE);
	rig_ok(cf.SetParameterBool(COMPAT, false));
	assert_false(flag_of(COMPAT));
	rig_fails(cf.SetParameterBool(12, false), GDS_INVALID_VALUE);
	rig_fails(cf.SetParameterString(3, ""), GDS_INVALID_VALUE);
	rig_fails(cf.SetParameterString(LOG_DIR, NULL), GDS_INVALID_VALUE);
	rig_ok(cf.SetParameterPosixPoolSlabArray(size, count, 3));
	rig_ok(cf.GetParameterPosixPoolSlabArray(out, count, 3));
	assert_int_equal(out[2], 1024);
	rig_fails(cf.SetParameterPosixPoolSlabArray(none, count, 3), GDS_INVALID_VALUE);
	rig_fails(cf.SetParameterGpuBounceBufferSlabArray(size, count, 0), GDS_INVALID_VALUE);
	rig_ok(cf.DriverSetP2PFlags(4));
	rig_ok(cf.DriverGetP2PFlags(&flags));
	assert_int_equal(flags, 4);
	rig_fails(cf.DriverSetP2PFlags(1u << 9), GDS_INVALID_VALUE);
}

static const char json[] =
	"{ // as the vendor's file has comments\n"
	"  \"logging\": { \"dir\": \"/nonexistent\", \"level\": \"TRACE\" },\n"
	"  \"profile\": { \"cufile_stats\": 3, \"nvtx\": false, },\n"
	"  \"properties\": { \"io_batchsize\": 200, \"allow_compat_mode\": false, \"unheard_of\": [1],\n"
	"    \"max_direct_io_size_kb\": -3, \"posix_pool_slab_size_kb\": [ 8, 16 ],\n"
	"    \"posix_pool_slab_count\": [ 1, 2, ] },\n"
	"}\n";

static bool log_has(const char *word)
{
	static char text[65536];
	int fd = open(path_of("log"), O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n < 0 ? 0 : n] = 0;
	return strstr(text, word);
}

static void from_json(void)
{
	size_t size[3], count[3];

	write_json(json);
	setenv("CUFILE_ENV_PATH_JSON", path_of("cufile.json"), 1);
	setenv("CUFILE_LOGFILE_PATH", path_of("log"), 1);
	assert_int_equal(size_of(BATCH_SIZE), 200);
	assert_int_equal(size_of(STATS), 3);
	assert_int_equal(size_of(DIRECT_KIB), 16384);
	assert_false(flag_of(COMPAT));
	rig_ok(cf.GetParameterPosixPoolSlabArray(size, count, 3));
	assert_int_equal(size[1], 16);
	assert_true(log_has("unheard_of has no meaning here"));
	assert_true(log_has("max_direct_io_size_kb") && log_has("out of range"));
}

static void environment_first(void)
{
	write_json(json);
	setenv("CUFILE_ENV_PATH_JSON", path_of("cufile.json"), 1);
	setenv("CUFILE_ALLOW_COMPAT_MODE", "TRUE", 1);
	setenv("CUFILE_FORCE_COMPAT_MODE", "perhaps", 1);
	rig_ok(cf.SetParameterSizeT(BATCH_SIZE, 77));
	assert_true(flag_of(COMPAT));
	assert_false(flag_of(FORCE_COMPAT));
	assert_int_equal(size_of(BATCH_SIZE), 77);
}

static void bad_json(void)
{
	write_json("{ \"properties\": ");
	setenv("CUFILE_ENV_PATH_JSON", path_of("cufile.json"), 1);
	setenv("CUFILE_LOGFILE_PATH", path_of("log"), 1);
	assert_int_equal(size_of(BATCH_SIZE), 128);
	assert_true(log_has("not valid JSON"));
	rig_ok(cf.DriverOpen());
}

/* Direct or fail: host memory is read directly where the file has O_DIRECT, device memory without a dma-buf is not. */
static void no_compat(void)
{
	int fd = rig_file(1 << 20, 0);
	char *mem = rig_mem(RIG_DEVICE, 65536);
	struct gds_props p;
	void *handle;

	setenv("CUFILE_ALLOW_COMPAT_MODE", "false", 1);
	setenv("CUFILE_LOGFILE_PATH", path_of("log"), 1);
	handle = rig_handle(fd);
	assert_int_equal(cf.Read(handle, mem, 65536, 0, 0), -GDS_IO_UNSUPPORTED);
	rig_ok(cf.BufRegister(mem, 65536, 0));
	assert_int_equal(cf.Read(handle, mem, 65536, 0, 0), -GDS_IO_UNSUPPORTED);
	rig_ok(cf.DriverGetProperties(&p));
	assert_int_equal(p.control, 0);
	assert_true(log_has("[5008]") || log_has("EOPNOTSUPP"));
	rig_free(RIG_DEVICE, mem);
}

static void forced_compat(void)
{
	int fd = rig_file(1 << 20, 0);
	char *mem = rig_mem(RIG_DEVICE, 100000), *host = malloc(100000);
	struct gds_stats3 s;
	void *handle;

	setenv("CUFILE_FORCE_COMPAT_MODE", "true", 1);
	rig_ok(cf.SetStatsLevel(3));
	handle = rig_handle(fd);
	assert_int_equal(cf.Read(handle, mem, 100000, 3, 0), 100000);
	assert_int_equal(cf.Read(handle, host, 100000, 3, 0), 100000);
	assert_int_equal(*ctl->peek((uintptr_t)mem + 99999), rig_byte(100002));
	assert_int_equal((unsigned char)host[99999], rig_byte(100002));
	rig_ok(cf.GetStatsL3(&s));
	assert_int_equal(s.gpu[0].posix_reads, 1);
	free(host);
	rig_free(RIG_DEVICE, mem);
}

static void statistics(void)
{
	int fd = rig_file(1 << 20, 0), level;
	char *mem = rig_mem(RIG_DEVICE, 1 << 20);
	struct gds_stats3 s;
	void *handle, *batch;
	struct gds_batch_io io = { .mode = 1, .base = mem, .size = 4096 };
	struct gds_event ev;
	unsigned int nr = 1;

	rig_fails(cf.GetStatsL1(&s.detailed.basic), GDS_INVALID_VALUE);
	rig_fails(cf.StatsStart(), GDS_INVALID_VALUE);
	rig_fails(cf.SetStatsLevel(4), GDS_INVALID_VALUE);
	rig_ok(cf.SetStatsLevel(3));
	rig_ok(cf.GetStatsLevel(&level));
	assert_int_equal(level, 3);
	handle = rig_handle(fd);
	rig_ok(cf.BufRegister(mem, 1 << 20, 0));
	assert_int_equal(cf.Read(handle, mem, 1 << 20, 0, 0), 1 << 20);
	assert_int_equal(cf.Read(handle, mem, 5000, 0, 0), 5000);
	assert_int_equal(cf.Write(handle, mem, 4096, 0, 0), 4096);
	assert_true(cf.Read(handle, mem, 10, INT64_MAX - 3, 0) < 0);
	rig_ok(cf.BatchIOSetUp(&batch, 1));
	io.handle = handle;
	rig_ok(cf.BatchIOSubmit(batch, 1, &io, 0));
	rig_ok(cf.BatchIOGetStatus(batch, 1, &nr, &ev, NULL));
	rig_ok(cf.GetStatsL3(&s));
	assert_int_equal(s.detailed.basic.read.ok, 3);
	assert_int_equal(s.detailed.basic.read.err, 1);
	assert_int_equal(s.detailed.basic.write.ok, 1);
	assert_int_equal(s.detailed.basic.read_bytes, (1 << 20) + 5000 + 4096);
	assert_int_equal(s.detailed.basic.write_bytes, 4096);
	assert_int_equal(s.detailed.basic.handle_register.ok, 1);
	assert_int_equal(s.detailed.basic.buf_register.ok, 1);
	assert_int_equal(s.detailed.basic.batch_total.ok, 1);
	assert_int_equal(s.detailed.basic.batch_read_bytes, 4096);
	assert_true(s.detailed.basic.read_lat_avg_us > 0);
	assert_int_equal(s.detailed.read_hist[11], 1);
	assert_int_equal(s.nr_gpus, 1);
	assert_int_equal(s.gpu[0].posix_reads + s.gpu[0].p2p_reads, 4);
	assert_int_equal(s.gpu[0].read_errors, 1);
	assert_int_equal(s.gpu[0].unaligned_reads, 2);
	assert_int_equal(s.gpu[0].registered_bytes, 1 << 20);
	rig_ok(cf.StatsStop());
	assert_int_equal(cf.Read(handle, mem, 5000, 0, 0), 5000);
	rig_ok(cf.GetStatsL1(&s.detailed.basic));
	assert_int_equal(s.detailed.basic.read.ok, 3);
	rig_ok(cf.StatsStart());
	rig_ok(cf.StatsReset());
	rig_ok(cf.GetStatsL2(&s.detailed));
	assert_int_equal(s.detailed.basic.read.ok, 0);
	rig_free(RIG_DEVICE, mem);
}

static const struct one {
	const char *name;
	void (*fn)(void);
} cases[] = {
#define CASE(name) { #name, name }
	CASE(defaults), CASE(set), CASE(from_json), CASE(environment_first), CASE(bad_json), CASE(no_compat),
	CASE(forced_compat), CASE(statistics),
#undef CASE
};
#define NR_CASES (int)(sizeof(cases) / sizeof(cases[0]))

static const char *program;

/* In the process of its own. */
static void inside(void **state)
{
	((const struct one *)*state)->fn();
}

static void outside(void **state)
{
	const struct one *c = *state;
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		dup2(2, 1);
		execl(program, "test-conf", c->name, NULL); /* not /proc/self/exe, which under valgrind is valgrind */
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[NR_CASES];

	program = argv[0];
	setenv("CUFILE_ENV_PATH_JSON", "/nonexistent/cufile.json", 1);
	dir = mt_dir();
	rig_open();
	for (int i = 0; i < NR_CASES; i++) {
		tests[i] = (struct CMUnitTest){ cases[i].name, argc > 1 ? inside : outside, NULL, NULL,
						(void *)&cases[i] };
		if (argc > 1 && !strcmp(argv[1], cases[i].name)) {
			tests[0] = tests[i];
			return _cmocka_run_group_tests(cases[i].name, tests, 1, NULL, NULL);
		}
	}
	return _cmocka_run_group_tests("cufile-conf", tests, NR_CASES, NULL, NULL);
}
