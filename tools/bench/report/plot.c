/* SPDX-License-Identifier: MIT */
/* Plots, by gnuplot: rate and latency over time, latency by percentile, the curve of --tune. */
#include "config.h"
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <stdlib.h>
#include "bench/run.h"

struct plot {
	FILE *out;
	pid_t pid;
};

/* gnuplot reads its script from a pipe; no shell is involved. */
static int plot_open(struct plot *p, struct bench_err *err)
{
	int fds[2];

	if (pipe(fds))
		return bench_fail(err, TOOL_FAILED, "--plot: %s", strerror(errno));
	p->pid = fork();
	if (p->pid == 0) {
		dup2(fds[0], STDIN_FILENO);
		close(fds[0]);
		close(fds[1]);
		execlp("gnuplot", "gnuplot", "-", (char *)NULL);
		_exit(127);
	}
	close(fds[0]);
	p->out = p->pid < 0 ? NULL : fdopen(fds[1], "w");
	if (p->out)
		return 0;
	close(fds[1]);
	return bench_fail(err, TOOL_FAILED, "--plot: %s", strerror(errno));
}

static int plot_close(struct plot *p, const char *file, struct bench_err *err)
{
	int status = 0;

	fclose(p->out);
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return bench_fail(err, TOOL_FAILED, "--plot=%s: gnuplot is not installed (Debian: gnuplot-nox)", file);
	return bench_fail(err, TOOL_FAILED, "--plot=%s: gnuplot failed", file);
}

/* In gnuplot's single quotes, where only the quote itself is special. */
static void quoted(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', out);
		if (*text != '\n')
			fputc(*text, out);
	}
	fputc('\'', out);
}

static void begin_plot(FILE *out, const char *file, int width, int height)
{
	bool png = !strcmp(file + strlen(file) - 4, ".png");

	fprintf(out, "set terminal %s size %d,%d font 'sans,11' %s\nset output ", png ? "pngcairo" : "svg", width,
		height, png ? "" : "background rgb 'white'");
	quoted(out, file);
	fprintf(out, "\nset grid lc rgb '#dddddd' lt 1\nset border 3 lc rgb '#666666'\nset tics nomirror\n"
		"set style line 1 lc rgb '#1f77b4' lw 2 pt 7 ps 0.6\n"
		"set style line 2 lc rgb '#d62728' lw 2 pt 5 ps 0.6\n"
		"set style line 3 lc rgb '#2ca02c' lw 2 pt 9 ps 0.7\n"
		"set style line 4 lc rgb '#ff7f0e' lw 2 pt 11 ps 0.7\n"
		"set style line 5 lc rgb '#9467bd' lw 2 pt 13 ps 0.7\n"
		"set style line 6 lc rgb '#8c564b' lw 2 pt 3 ps 0.7\n");
}

static void put_samples(FILE *out, const struct bench_sample *s, unsigned int nr)
{
	fprintf(out, "$t << EOD\n");
	for (unsigned int i = 0; i < nr; i++)
		fprintf(out, "%.3f %.3f %.3f %.3f\n", s[i].s, s[i].bw[DIR_READ] / (1 << 20),
			s[i].bw[DIR_WRITE] / (1 << 20), s[i].lat_us);
	fprintf(out, "EOD\n");
}

/* x is -log10(1 - p): 90 % is 1, 99 % is 2. The names of the series are job and direction. */
static unsigned int put_percentiles(FILE *out, const struct bench_results *results)
{
	static const double p[] = { 1, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99 };
	uint64_t value[sizeof(p) / sizeof(*p)];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < results->nr && nr < 6; i++)
		for (int d = 0; d < DIR_NR && nr < 6; d++) {
			const struct hist *h = &results->r[i]->dir[d].clat;

			if (!h->n)
				continue;
			hist_percentiles(h, p, sizeof(p) / sizeof(*p), value);
			fprintf(out, "$p%u << EOD\n", nr);
			for (size_t k = 0; k < sizeof(p) / sizeof(*p); k++)
				fprintf(out, "%.6f %.3f\n", -log10(1 - p[k] / 100), (double)value[k] / 1e3);
			fprintf(out, "EOD\nn%u = ", nr);
			quoted(out, results->r[i]->name);
			fprintf(out, ".'%s'\n", d ? " writes" : " reads");
			nr++;
		}
	return nr;
}

static void title(FILE *out, const struct bench_results *results)
{
	const struct bench_result *r = results->r[0];
	unsigned int path = bench_result_path(r);
	char text[400];

	snprintf(text, sizeof(text), "%.100s: %s, %s%s%.60s", r->name, r->job->engine->name,
		 path ? devio_path_name(path) : "", path ? " into " : "", r->mem);
	quoted(out, text);
}

/* Bandwidth and mean latency over time; a direction without a byte has no curve and no key. */
static void plot_time(FILE *out, const struct bench_sample *s, unsigned int nr)
{
	static const char *const names[] = { "read", "write" };
	bool used[DIR_NR] = { false }, first = true;

	for (unsigned int i = 0; i < nr; i++)
		for (int d = 0; d < DIR_NR; d++)
			used[d] |= s[i].bw[d] > 0;
	fprintf(out, "set key outside right top noenhanced\nset lmargin 12\nset rmargin 24\nset yrange [0:*]\n"
		"set xlabel 'seconds'\nset ylabel 'MiB/s'\nplot ");
	for (int d = 0; d < DIR_NR; d++) {
		if (!used[d] && (d != DIR_READ || used[DIR_WRITE]))
			continue;
		fprintf(out, "%s$t using 1:%d with linespoints ls %d title '%s'", first ? "" : ", ", d + 2, d + 1,
			names[d]);
		first = false;
	}
	fprintf(out, "\nset ylabel 'mean latency, us'\nplot $t using 1:4 with linespoints ls 3 title 'latency'\n");
}

int bench_plot_run(const struct bench_cmd *cmd, const struct bench_live *live, const struct bench_results *results,
		   struct bench_err *err)
{
	unsigned int nr, series;
	const struct bench_sample *s = bench_live_samples(live, &nr);
	struct plot p;

	if (!results->nr || !nr)
		return bench_fail(err, TOOL_FAILED,
				  "--plot=%s: the run was too short (there is one sample per half second)", cmd->plot);
	if (plot_open(&p, err))
		return -1;
	put_samples(p.out, s, nr);
	series = put_percentiles(p.out, results);
	begin_plot(p.out, cmd->plot, 900, 1000);
	fprintf(p.out, "set multiplot layout 3,1 title ");
	title(p.out, results);
	fprintf(p.out, " noenhanced font ',14'\n");
	plot_time(p.out, s, nr);
	fprintf(p.out,
		"set xlabel 'percentile'\nset ylabel 'completion latency, us'\nset logscale y\nset yrange [*:*]\n"
		"set xrange [0:4.05]\nset xtics ('50' 0.30103, '90' 1, '99' 2, '99.9' 3, '99.99' 4)\n%s",
		series ? "plot " : "");
	for (unsigned int i = 0; i < series; i++)
		fprintf(p.out, "%s$p%u using 1:2 with linespoints ls %u title n%u", i ? ", " : "", i, i + 1, i);
	fprintf(p.out, "\nunset multiplot\n");
	return plot_close(&p, cmd->plot, err);
}

int bench_plot_tune(const struct bench_cmd *cmd, const struct bench_point *point, unsigned int nr, unsigned int best,
		    struct bench_err *err)
{
	unsigned int series = 0;
	char bs[BENCH_NUM];
	struct plot p;

	if (plot_open(&p, err))
		return -1;
	for (unsigned int i = 0; i < nr; i++) {
		if (!i || point[i].bs != point[i - 1].bs)
			fprintf(p.out, "%s$p%u << EOD\n", i ? "EOD\n" : "", series++);
		fprintf(p.out, "%llu %.3f\n", (unsigned long long)point[i].depth, point[i].bw / (1 << 20));
	}
	fprintf(p.out, "EOD\n$best << EOD\n%llu %.3f\nEOD\n", (unsigned long long)point[best].depth,
		point[best].bw / (1 << 20));
	begin_plot(p.out, cmd->plot, 900, 550);
	fprintf(p.out, "set title 'rate by depth and block size'\nset key outside right top\nset logscale x 2\n"
		"set xlabel 'iodepth'\nset ylabel 'MiB/s'\nset yrange [0:*]\nset xrange [*:*]\nset offsets 0,0,0,0\n"
		"plot ");
	series = 0;
	for (unsigned int i = 0; i < nr; i++)
		if (!i || point[i].bs != point[i - 1].bs) {
			fprintf(p.out, "$p%u using 1:2 with linespoints ls %u title 'bs=%s', ", series, series % 6 + 1,
				bench_text_bytes((double)point[i].bs, true, bs));
			series++;
		}
	fprintf(p.out,
		"$best using 1:2 with points pt 6 ps 2.5 lw 2 lc rgb 'black' title 'best: bs=%s, iodepth=%llu'\n",
		bench_text_bytes((double)point[best].bs, true, bs), (unsigned long long)point[best].depth);
	return plot_close(&p, cmd->plot, err);
}
