/* SPDX-License-Identifier: MIT */
/* The progress line, and samples over time for bw_min, iops_mean and the plot. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench/run.h"
#include "common/term.h"

#define SAMPLE_NS 500000000u
#define MAX_SAMPLES 2048            /* more are merged in pairs */

struct sum {
	uint64_t n[DIR_NR], bytes[DIR_NR], lat;
};

struct bench_live {
	struct bench_cmd *cmd;
	struct bench_logs *logs;
	bool line, shown, plot;
	uint64_t next_line, next_sample, last_line, last_sample, started, per_sample;
	struct sum line_sum, sample_sum;
	struct bench_sample *sample;
	unsigned int nr, merged, per_point;
	struct bench_sample open;           /* a point that is not complete yet */
};

struct bench_live *bench_live_new(struct bench_cmd *cmd, struct bench_err *err)
{
	struct bench_live *l = calloc(1, sizeof(*l));

	if (l && cmd->plot)
		l->sample = calloc(MAX_SAMPLES, sizeof(*l->sample));
	if (!l || (cmd->plot && !l->sample)) {
		free(l);
		bench_fail(err, TOOL_FAILED, "out of memory");
		return NULL;
	}
	l->cmd = cmd;
	l->line = cmd->eta < 0 ? isatty(STDERR_FILENO) : cmd->eta;
	l->per_point = 1;
	return l;
}

void bench_live_free(struct bench_live *l)
{
	if (!l)
		return;
	bench_logs_close(l->logs);
	free(l->sample);
	free(l);
}

int bench_live_open(struct bench_live *l, struct bench_job *const *job, unsigned int nr, struct bench_err *err)
{
	l->next_line = l->next_sample = 0;
	return bench_logs_open(&l->logs, job, nr, err);
}

void bench_live_begin(struct bench_live *l)
{
	bench_logs_begin(l->logs);
	bench_output_begin(l->cmd);
}

const struct bench_sample *bench_live_samples(const struct bench_live *l, unsigned int *nr)
{
	*nr = l->nr;
	return l->sample;
}

static uint64_t peek(const uint64_t *value)
{
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static void sum_up(const struct bench_run *run, struct sum *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int i = 0; i < run->nr; i++)
		for (int d = 0; d < DIR_NR; d++) {
			const struct bench_stat *s = &run->thread[i].res->dir[d];

			sum->n[d] += peek(&s->n);
			sum->bytes[d] += peek(&s->bytes);
			sum->lat += peek(&s->lat_sum);
		}
}

/* A counter may have been reset at the end of ramp_time. */
static uint64_t since(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

/* The result that gets the samples of a thread: its own, or the first of its group. */
static struct bench_result *keeper(const struct bench_run *run, unsigned int i)
{
	struct bench_result *r = run->thread[i].res;

	for (unsigned int k = 0; k < i && r->job->group_reporting; k++)
		if (run->thread[k].res->job->group_reporting && run->thread[k].res->group == r->group)
			return run->thread[k].res;
	return r;
}

static void take_series(const struct bench_run *run, double seconds)
{
	for (unsigned int i = 0; i < run->nr; i++) {
		struct bench_result *own = run->thread[i].res;

		if (keeper(run, i) != own)
			continue;
		for (int d = 0; d < DIR_NR; d++) {
			uint64_t n = 0, bytes = 0;

			for (unsigned int k = i; k < run->nr; k++)
				if (keeper(run, k) == own) {
					n += peek(&run->thread[k].res->dir[d].n);
					bytes += peek(&run->thread[k].res->dir[d].bytes);
				}
			/* ramp_time and startdelay are not in the mean. */
			if (own->seen_n[d] && n >= own->seen_n[d]) {
				bench_series_add(&own->bw[d], (double)(bytes - own->seen_bytes[d]) / 1024 / seconds);
				bench_series_add(&own->iops[d], (double)(n - own->seen_n[d]) / seconds);
			}
			own->seen_n[d] = n;
			own->seen_bytes[d] = bytes;
		}
	}
}

static void add_sample(struct bench_live *l, const struct bench_sample *s)
{
	l->sample[l->nr++] = *s;
	if (l->nr < MAX_SAMPLES)
		return;
	for (l->nr = 0; l->nr < MAX_SAMPLES / 2; l->nr++) {
		struct bench_sample *a = &l->sample[2 * l->nr], *b = a + 1;

		for (int d = 0; d < DIR_NR; d++) {
			b->bw[d] = (a->bw[d] + b->bw[d]) / 2;
			b->iops[d] = (a->iops[d] + b->iops[d]) / 2;
		}
		b->lat_us = (a->lat_us + b->lat_us) / 2;
		l->sample[l->nr] = *b;
	}
	l->per_point *= 2;
}

/* With many samples a point covers more of them: the memory stays the same. */
static void keep_sample(struct bench_live *l, struct bench_sample *s)
{
	struct bench_sample *o = &l->open;
	double n = l->per_point;

	for (int d = 0; d < DIR_NR; d++) {
		o->bw[d] += s->bw[d] / n;
		o->iops[d] += s->iops[d] / n;
	}
	o->lat_us += s->lat_us / n;
	if (++l->merged < l->per_point)
		return;
	o->s = s->s;
	add_sample(l, o);
	memset(o, 0, sizeof(*o));
	l->merged = 0;
}

static void take_sample(struct bench_live *l, const struct bench_run *run, uint64_t now)
{
	double seconds = (double)(now - l->last_sample) / 1e9;
	struct bench_sample s = { .s = (double)(now - l->started) / 1e9 };
	struct sum sum;
	uint64_t n = 0;

	take_series(run, seconds);
	sum_up(run, &sum);
	for (int d = 0; d < DIR_NR; d++) {
		uint64_t done = since(sum.n[d], l->sample_sum.n[d]);

		s.bw[d] = (double)since(sum.bytes[d], l->sample_sum.bytes[d]) / seconds;
		s.iops[d] = (double)done / seconds;
		n += done;
	}
	s.lat_us = n ? (double)since(sum.lat, l->sample_sum.lat) / (double)n / 1e3 : 0;
	l->sample_sum = sum;
	l->last_sample = now;
	if (l->sample)
		keep_sample(l, &s);
}

/* Progress from 0 to 1 and the ns left, of the slowest thread. */
static double progress(const struct bench_run *run, uint64_t now, uint64_t *left)
{
	double least = 1;
	uint64_t run_ns = now - run->begin;

	*left = 0;
	for (unsigned int i = 0; i < run->nr; i++) {
		const struct bench_job *job = run->thread[i].job;
		const struct bench_result *r = run->thread[i].res;
		double by_time = 0, by_bytes = 0, done;
		uint64_t whole = job->start_delay + job->ramp + job->runtime, ns;

		if (job->runtime)
			by_time = (double)run_ns / (double)whole;
		if (!job->time_based)
			by_bytes = (double)(peek(&r->dir[0].bytes) + peek(&r->dir[1].bytes)) /
				   ((double)job->io_total * (double)job->loops);
		done = by_time > by_bytes ? by_time : by_bytes;
		done = done > 1 ? 1 : done < 1e-6 ? 1e-6 : done;
		ns = (uint64_t)((double)run_ns * (1 - done) / done);
		if (ns > *left)
			*left = ns;
		least = done < least ? done : least;
	}
	return least;
}

static const char *path_now(const struct bench_run *run)
{
	uint64_t most = 0;
	unsigned int best = 0;

	for (unsigned int p = 1; p < BENCH_PATHS; p++) {
		uint64_t n = 0;

		for (unsigned int i = 0; i < run->nr; i++)
			n += peek(&run->thread[i].res->paths.ops[p]);
		if (n > most) {
			most = n;
			best = p;
		}
	}
	return best ? devio_path_name(best) : run->thread[0].job->engine->name;
}

static void print_line(struct bench_live *l, const struct bench_run *run, uint64_t now)
{
	static const char letters[] = "?RWM?rwm";
	double seconds = (double)(now - l->last_line) / 1e9, done;
	char rate[2][BENCH_NUM], iops[2][BENCH_NUM], eta[BENCH_NUM], rates[4 * BENCH_NUM + 32];
	struct sum sum;
	uint64_t left;

	sum_up(run, &sum);
	for (int d = 0; d < DIR_NR; d++) {
		bench_text_bytes((double)since(sum.bytes[d], l->line_sum.bytes[d]) / seconds, true, rate[d]);
		bench_text_count((double)(uint64_t)((double)since(sum.n[d], l->line_sum.n[d]) / seconds), iops[d]);
	}
	done = progress(run, now, &left);
	if (sum.n[DIR_WRITE] && sum.n[DIR_READ])
		snprintf(rates, sizeof(rates), "[r=%s/s,w=%s/s][r=%s,w=%s IOPS]", rate[0], rate[1], iops[0], iops[1]);
	else if (sum.n[DIR_WRITE])
		snprintf(rates, sizeof(rates), "[w=%s/s][w=%s IOPS]", rate[1], iops[1]);
	else
		snprintf(rates, sizeof(rates), "[r=%s/s][r=%s IOPS]", rate[0], iops[0]);
	progress_print("Jobs: %u (f=%u): [%c(%u)][%s][%.1f%%]%s[eta %s]", run->nr - run->nr_finished,
		       run->thread[0].nr_files, letters[run->thread[0].job->rw & 7], run->nr, path_now(run), 100 * done,
		       rates, bench_text_clock(left, eta));
	l->shown = true;
	l->line_sum = sum;
	l->last_line = now;
}

uint64_t bench_live_poll(struct bench_live *l, struct bench_run *run, bool last)
{
	uint64_t now = bench_now(), due;

	if (!l->next_sample) {
		memset(&l->line_sum, 0, sizeof(l->line_sum));
		memset(&l->sample_sum, 0, sizeof(l->sample_sum));
		l->started = l->started ? l->started : run->begin;
		l->last_line = l->last_sample = run->begin;
		l->next_sample = run->begin + SAMPLE_NS;
		l->next_line = run->begin + l->cmd->eta_ms * 1000000;
	}
	due = bench_logs_poll(l->logs, run, last);
	if (now >= l->next_sample && !last) {
		take_sample(l, run, now);
		l->next_sample = now + SAMPLE_NS - (now - l->next_sample) % SAMPLE_NS;
	}
	if (l->line && now >= l->next_line && !last) {
		print_line(l, run, now);
		l->next_line = now + l->cmd->eta_ms * 1000000;
	}
	if (last && l->shown) {
		fprintf(stderr, "\r\033[K");
		l->shown = false;
	}
	if (l->line && l->next_line < due)
		due = l->next_line;
	return l->next_sample < due ? l->next_sample : due;
}
