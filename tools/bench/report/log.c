/* SPDX-License-Identifier: MIT */
/*
 * write_bw_log, write_iops_log, write_lat_log: a line for each interval, in the
 * form of fio (ms, value, direction, block size, offset), written during the run.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "bench/run.h"

enum { LOG_BW, LOG_IOPS, LOG_LAT, LOG_NR };

struct log {
	FILE *file[LOG_NR];
	uint64_t next, last, n[DIR_NR], bytes[DIR_NR], lat[DIR_NR];
};

struct bench_logs {
	unsigned int nr, numbered;  /* of this run; of all runs before */
	struct log log[];
};

static const char *prefix(const struct bench_job *job, int kind)
{
	const char *given = kind == LOG_BW ? job->bw_log : kind == LOG_IOPS ? job->iops_log : job->lat_log;

	return given && !*given ? job->name : given;
}

static int open_one(const struct bench_job *job, struct log *log, unsigned int number, struct bench_err *err)
{
	static const char *const names[] = { "bw", "iops", "lat" };
	char path[4200];

	for (int k = 0; k < LOG_NR; k++) {
		if (!prefix(job, k))
			continue;
		snprintf(path, sizeof(path), "%s_%s.%u.log", prefix(job, k), names[k], number);
		log->file[k] = bench_output_file("", path, err);
		if (!log->file[k])
			return -1;
	}
	return 0;
}

static void close_files(struct bench_logs *logs)
{
	for (unsigned int i = 0; i < logs->nr; i++)
		for (int k = 0; k < LOG_NR; k++) {
			if (logs->log[i].file[k])
				fclose(logs->log[i].file[k]);
			logs->log[i].file[k] = NULL;
		}
}

void bench_logs_close(struct bench_logs *logs)
{
	if (logs)
		close_files(logs);
	free(logs);
}

int bench_logs_open(struct bench_logs **logs, struct bench_job *const *job, unsigned int nr, struct bench_err *err)
{
	unsigned int total = 0, before = *logs ? (*logs)->numbered + (*logs)->nr : 0, n = 0;
	struct bench_logs *l;

	for (unsigned int j = 0; j < nr; j++)
		total += (unsigned int)job[j]->numjobs;
	l = calloc(1, sizeof(*l) + total * sizeof(*l->log));
	if (!l)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	bench_logs_close(*logs);
	*logs = l;
	l->nr = total;
	l->numbered = before;
	for (unsigned int j = 0; j < nr; j++)
		for (unsigned int c = 0; c < job[j]->numjobs; c++, n++)
			if (open_one(job[j], &l->log[n], before + n + 1, err))
				return -1;
	return 0;
}

void bench_logs_begin(struct bench_logs *logs)
{
	for (unsigned int i = 0; i < logs->nr; i++)
		for (int k = 0; k < LOG_NR; k++)
			if (logs->log[i].file[k])
				bench_output_empty(logs->log[i].file[k]);
}

static void put(FILE *f, uint64_t ms, uint64_t value, int dir)
{
	if (f)
		fprintf(f, "%llu, %llu, %d, 0, 0\n", (unsigned long long)ms, (unsigned long long)value, dir);
}

static void one_line(struct log *log, const struct bench_stat *s, int dir, uint64_t ms, double seconds)
{
	uint64_t n = __atomic_load_n(&s->n, __ATOMIC_RELAXED), bytes = __atomic_load_n(&s->bytes, __ATOMIC_RELAXED);
	uint64_t lat = __atomic_load_n(&s->lat_sum, __ATOMIC_RELAXED);

	if (n < log->n[dir])        /* the end of ramp_time */
		log->n[dir] = log->bytes[dir] = log->lat[dir] = 0;
	if (n > log->n[dir] && bytes >= log->bytes[dir] && lat >= log->lat[dir]) {
		put(log->file[LOG_BW], ms, (uint64_t)((double)(bytes - log->bytes[dir]) / 1024 / seconds), dir);
		put(log->file[LOG_IOPS], ms, (uint64_t)((double)(n - log->n[dir]) / seconds), dir);
		put(log->file[LOG_LAT], ms, (lat - log->lat[dir]) / (n - log->n[dir]), dir);
	}
	log->n[dir] = n;
	log->bytes[dir] = bytes;
	log->lat[dir] = lat;
}

static void poll_log(struct log *log, const struct bench_thread *t, uint64_t begin, uint64_t now, bool last)
{
	uint64_t interval = t->job->log_ms * 1000000;

	if (!log->last) {
		log->last = begin;
		log->next = begin + interval;
	}
	if ((now < log->next && !last) || now == log->last)
		return;
	for (int d = 0; d < DIR_NR; d++)
		one_line(log, &t->res->dir[d], d, (now - begin) / 1000000, (double)(now - log->last) / 1e9);
	log->last = now;
	log->next += interval;
	if (log->next <= now)
		log->next = now + interval;
}

uint64_t bench_logs_poll(struct bench_logs *logs, const struct bench_run *run, bool last)
{
	uint64_t now = bench_now(), due = UINT64_MAX;

	for (unsigned int i = 0; i < logs->nr && i < run->nr; i++) {
		poll_log(&logs->log[i], &run->thread[i], run->begin, now, last);
		due = logs->log[i].next < due ? logs->log[i].next : due;
	}
	if (last)
		close_files(logs);
	return due;
}
