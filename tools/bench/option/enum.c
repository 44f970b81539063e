/* SPDX-License-Identifier: MIT */
/* Values of options that are names: directions, engines, policies. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "bench/bench.h"
#include "bench/run.h"

struct name_value {
	const char *name;
	uint64_t value;
};

/* Looks value up; an error lists the names. */
static int look_up(const char *what, const char *value, const struct name_value *names, uint64_t *out,
		   struct bench_err *err)
{
	char list[512] = "";

	for (const struct name_value *w = names; w->name; w++) {
		if (!strcmp(w->name, value)) {
			*out = w->value;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", w == names ? "" : ", ", w->name);
	}
	return bench_fail(err, TOOL_USAGE, "%s=%s: not one of %s", what, value, list);
}

int bench_call_rw(struct bench_job *job, const char *value, struct bench_err *err)
{
	static const struct name_value names[] = {
		{ "read", RW_READ },
		{ "write", RW_WRITE },
		{ "randread", RW_READ | RW_RANDOM },
		{ "randwrite", RW_WRITE | RW_RANDOM },
		{ "rw", RW_READ | RW_WRITE },
		{ "readwrite", RW_READ | RW_WRITE },
		{ "randrw", RW_READ | RW_WRITE | RW_RANDOM },
		{ NULL, 0 },
	};
	const char *colon = strchr(value, ':');
	size_t len = colon ? (size_t)(colon - value) : strlen(value);
	char word[16];

	if (!strcmp(value, "send") || !strcmp(value, "receive") || !strcmp(value, "recv")) {
		job->engine = &bench_net;
		value = *value == 's' ? "write" : "read";
		len = strlen(value);
	}
	if (len >= sizeof(word))
		len = sizeof(word) - 1; /* longer than any name */
	memcpy(word, value, len);
	word[len] = 0;
	if (look_up("rw", word, names, &job->rw, err))
		return -1;
	return bench_rw_number(job, colon ? colon + 1 : job->rw & RW_RANDOM ? "1" : "0", err);
}

int bench_call_sequencer(struct bench_job *job, const char *value, struct bench_err *err)
{
	static const struct name_value names[] = { { "sequential", 0 }, { "identical", 1 }, { NULL, 0 } };

	return look_up("rw_sequencer", value, names, &job->identical, err);
}

int bench_call_protocol(struct bench_job *job, const char *value, struct bench_err *err)
{
	static const struct name_value names[] = { { "tcp", 0 },  { "tcp4", 4 },  { "tcpv4", 4 },
						   { "tcp6", 6 }, { "tcpv6", 6 }, { NULL, 0 } };

	return look_up("protocol", value, names, &job->protocol, err);
}

int bench_call_buffered(struct bench_job *job, const char *value, struct bench_err *err)
{
	static const struct name_value names[] = { { "0", 1 }, { "1", 0 }, { NULL, 0 } };

	return look_up("buffered", value, names, &job->direct, err);
}

int bench_call_verify(struct bench_job *job, const char *value, struct bench_err *err)
{
	static const struct name_value names[] = {
		{ "xxhash", VERIFY_XXHASH }, { "pattern", VERIFY_PATTERN }, { "null", VERIFY_NULL },
		{ "0", VERIFY_NONE },        { "none", VERIFY_NONE },       { NULL, 0 },
	};

	if (look_up("verify", value, names, &job->verify, err))
		return -1;
	if (bench_verify_known(job->verify))
		return bench_fail(err, TOOL_USAGE,
				  "verify=%s: not supported: built without libxxhash (verify=pattern is)", value);
	return 0;
}

int bench_call_continue(struct bench_job *job, const char *value, struct bench_err *err)
{
	static const struct name_value names[] = {
		{ "none", 0 },
		{ "read", CONTINUE_READ },
		{ "write", CONTINUE_WRITE },
		{ "io", CONTINUE_READ | CONTINUE_WRITE },
		{ "verify", CONTINUE_VERIFY },
		{ "all", CONTINUE_READ | CONTINUE_WRITE | CONTINUE_VERIFY },
		{ "0", 0 },
		{ "1", CONTINUE_READ | CONTINUE_WRITE | CONTINUE_VERIFY },
		{ NULL, 0 },
	};

	return look_up("continue_on_error", value, names, &job->continue_on, err);
}

const struct bench_engine *bench_engine_find(const char *name)
{
	static const struct bench_engine *const all[] = { &bench_devio, &bench_liburing, &bench_pread, &bench_net };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(all[i]->name, name) || (all[i]->alias && !strcmp(all[i]->alias, name)))
			return all[i];
	return NULL;
}

int bench_call_engine(struct bench_job *job, const char *value, struct bench_err *err)
{
	const struct bench_engine *e = bench_engine_find(value);

	if (!e)
		return bench_fail(err, TOOL_USAGE,
				  "ioengine=%s: not one of devio, liburing (io_uring), pread (psync), net", value);
	job->engine = e;
	return 0;
}

int bench_call_service(struct bench_job *job, const char *value, struct bench_err *err)
{
	static const struct name_value names[] = {
		{ "roundrobin", SERVICE_ROUND_ROBIN }, { "random", SERVICE_RANDOM },
		{ "sequential", SERVICE_SEQUENTIAL }, { NULL, 0 },
	};
	const char *colon = strchr(value, ':');
	char word[16];
	char *end;

	job->service_run = 1;
	if (colon) {
		job->service_run = strtoul(colon + 1, &end, 10);
		if (!job->service_run || *end)
			return bench_fail(err, TOOL_USAGE, "file_service_type=%s: not a number of I/Os after the colon",
					  value);
	}
	snprintf(word, sizeof(word), "%.*s", colon ? (int)(colon - value) : (int)sizeof(word), value);
	return look_up("file_service_type", word, names, &job->service, err);
}

int bench_call_path(struct bench_job *job, const char *value, struct bench_err *err)
{
	int path = devio_path_parse(value);

	if (path < 0)
		return bench_fail(err, TOOL_USAGE, "path=%s: %s", value, devio_errmsg());
	job->path = (uint64_t)path;
	return 0;
}

/*
 * The transfer types (-x) of gdsio, by number or by the name in its reports.
 * Synchronous ones run at depth 1, the others at the depth of iodepth.
 */
int bench_call_xfer(struct bench_job *job, const char *value, struct bench_err *err)
{
	enum { DEEP = 1, BATCH = 2, DIRECT = 4, HOST = 8 };
	static const struct { const char *name; unsigned int how, path; } types[] = {
		{ "GPUD", DIRECT, DEVIO_PATH_AUTO }, { "CPUONLY", HOST, DEVIO_PATH_AUTO },
		{ "CPU_GPU", 0, DEVIO_PATH_FILE_BOUNCE }, { "CPU_ASYNC_GPU", DEEP, DEVIO_PATH_FILE_BOUNCE },
		{ "CPU_CACHED_GPU", 0, DEVIO_PATH_FILE_BUFFERED }, { "GPUD_ASYNC", DIRECT | DEEP, DEVIO_PATH_AUTO },
		{ "GPU_BATCH", DIRECT | DEEP | BATCH, DEVIO_PATH_AUTO },
	};
	char number[2] = "0";

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++, number[0]++) {
		if (strcasecmp(value, types[i].name) && strcmp(value, number))
			continue;
		job->xfer = i;
		job->engine = types[i].how & HOST ? &bench_pread : &bench_devio;
		job->path = types[i].path;
		job->direct_only = !!(types[i].how & DIRECT);
		job->direct = types[i].path != DEVIO_PATH_FILE_BUFFERED;
		if (!(types[i].how & DEEP))
			job->iodepth = 1;
		else if (job->iodepth == UNSET)
			job->iodepth = 16;
		job->batch = types[i].how & BATCH ? 0 : job->batch;     /* 0: all */
		return 0;
	}
	return bench_fail(err, TOOL_USAGE, "xfer=%s: not one of the types of gdsio: 0 GPUD, 1 CPUONLY, 2 CPU_GPU, "
			  "3 CPU_ASYNC_GPU, 4 CPU_CACHED_GPU, 5 GPUD_ASYNC, 6 GPU_BATCH", value);
}

static void add_cpu(void *arg, uint64_t n)
{
	CPU_SET(n, (cpu_set_t *)arg);
}

int bench_call_cpus(struct bench_job *job, const char *value, struct bench_err *err)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (bench_value_list(value, CPU_SETSIZE - 1, add_cpu, &set) || !CPU_COUNT(&set))
		return bench_fail(err, TOOL_USAGE, "cpus_allowed=%s: not a list such as 0-3,8", value);
	job->cpus = set;
	job->have_cpus = 1;
	return 0;
}

int bench_call_cpus_policy(struct bench_job *job, const char *value, struct bench_err *err)
{
	static const struct name_value names[] = { { "shared", 0 }, { "split", 1 }, { NULL, 0 } };

	return look_up("cpus_allowed_policy", value, names, &job->cpus_split, err);
}

static void add_node_cpus(void *arg, uint64_t node)
{
	char path[96], list[1024] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist", (unsigned int)node);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(list, sizeof(list), f)) {
		list[strcspn(list, "\n")] = 0;
		bench_value_list(list, CPU_SETSIZE - 1, add_cpu, arg);
	}
	fclose(f);
}

int bench_call_numa_cpus(struct bench_job *job, const char *value, struct bench_err *err)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (bench_value_list(value, 63, add_node_cpus, &set))
		return bench_fail(err, TOOL_USAGE, "numa_cpu_nodes=%s: not a list of nodes such as 0,1", value);
	if (!CPU_COUNT(&set))
		return bench_fail(err, TOOL_USAGE, "numa_cpu_nodes=%s: no CPU of this machine is in these nodes",
				  value);
	job->cpus = set;
	job->have_cpus = job->have_numa_cpus = 1;
	return 0;
}

static void add_node(void *arg, uint64_t node)
{
	*(uint64_t *)arg |= 1ull << node;
}

/* "bind:0", "interleave:0-1", "prefer:1", "local", "default" */
int bench_call_numa_mem(struct bench_job *job, const char *value, struct bench_err *err)
{
	static const struct name_value names[] = {
		{ "default", NUMA_DEFAULT }, { "prefer", NUMA_PREFER }, { "bind", NUMA_BIND },
		{ "interleave", NUMA_INTERLEAVE }, { "local", NUMA_LOCAL }, { NULL, 0 },
	};
	const char *colon = strchr(value, ':');
	uint64_t nodes = 0;
	char word[16];
	bool wants;

	snprintf(word, sizeof(word), "%.*s", colon ? (int)(colon - value) : (int)sizeof(word), value);
	if (look_up("numa_mem_policy", word, names, &job->numa_policy, err))
		return -1;
	wants = job->numa_policy != NUMA_DEFAULT && job->numa_policy != NUMA_LOCAL;
	if (wants != !!colon || (colon && (bench_value_list(colon + 1, 63, add_node, &nodes) || !nodes)))
		return bench_fail(err, TOOL_USAGE,
				  "numa_mem_policy=%s: not default, local, or prefer, bind or interleave "
				  "with :NODES",
				  value);
	job->numa_mem_nodes = nodes;
	return 0;
}
