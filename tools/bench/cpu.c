/* SPDX-License-Identifier: MIT */
/* CPUs and NUMA nodes of a thread, and its CPU cost. */
#include "config.h"
#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "run.h"

/* Reduces the set to its n-th CPU, modulo their number. */
static void nth_cpu(cpu_set_t *set, unsigned int n)
{
	cpu_set_t one;
	int left = (int)(n % (unsigned int)CPU_COUNT(set));

	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set) && !left--) {
			CPU_SET(cpu, &one);
			break;
		}
	*set = one;
}

static int set_policy(const struct bench_job *job)
{
	/* MPOL_PREFERRED, _BIND, _INTERLEAVE, _LOCAL of the kernel; no libnuma for one call. */
	static const int mode[] = { [NUMA_PREFER] = 1, [NUMA_BIND] = 2, [NUMA_INTERLEAVE] = 3, [NUMA_LOCAL] = 4 };
	unsigned long nodes = job->numa_mem_nodes;

	if (job->numa_policy == NUMA_DEFAULT)
		return 0;
	if (syscall(SYS_set_mempolicy, mode[job->numa_policy], job->numa_policy == NUMA_LOCAL ? NULL : &nodes,
		    job->numa_policy == NUMA_LOCAL ? 0 : 8 * sizeof(nodes)))
		return -errno;
	return 0;
}

int bench_cpu_bind(struct bench_thread *t, struct bench_err *err)
{
	cpu_set_t set = t->job->cpus;
	int rc;

	if (t->job->have_cpus) {
		if (t->job->cpus_split)
			nth_cpu(&set, t->clone);
		rc = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
		if (rc)
			return bench_fail(err, TOOL_USAGE,
					  "%s: cannot run on the CPUs of cpus_allowed or numa_cpu_nodes: %s",
					  t->job->name, strerror(rc));
	}
	rc = set_policy(t->job);
	if (rc)
		return bench_fail(err, TOOL_USAGE, "%s: numa_mem_policy: %s", t->job->name, strerror(-rc));
	return 0;
}

static int open_counter(uint64_t config, bool user_only)
{
	struct perf_event_attr a = {
		.type = PERF_TYPE_HARDWARE, .size = sizeof(a), .config = config, .exclude_kernel = user_only,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

void bench_cost_open(struct bench_thread *t)
{
	t->counter_fd[0] = open_counter(PERF_COUNT_HW_INSTRUCTIONS, false);
	t->counter_fd[1] = open_counter(PERF_COUNT_HW_INSTRUCTIONS, true);
	t->counter_fd[2] = open_counter(PERF_COUNT_HW_CPU_CYCLES, false);
}

void bench_cost_close(struct bench_thread *t)
{
	for (int i = 0; i < BENCH_COUNTERS; i++)
		if (t->counter_fd[i] >= 0)
			close(t->counter_fd[i]);
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec * 1e-6;
}

void bench_cost_get(const struct bench_thread *t, struct bench_cost *cost)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	cost->usr = seconds(ru.ru_utime);
	cost->sys = seconds(ru.ru_stime);
	cost->ctx = (uint64_t)(ru.ru_nvcsw + ru.ru_nivcsw);
	cost->majf = (uint64_t)ru.ru_majflt;
	cost->minf = (uint64_t)ru.ru_minflt;
	for (int i = 0; i < BENCH_COUNTERS; i++)
		cost->have[i] = t->counter_fd[i] >= 0 &&
				read(t->counter_fd[i], &cost->counter[i], sizeof(cost->counter[i])) ==
				sizeof(cost->counter[i]);
}
