/* SPDX-License-Identifier: MIT */
/* Jobs from options: defaults, job files, and checks. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench/bench.h"

#define MAX_JOBS 1024
#define MAX_JOB_FILE (4u << 20)
#define MAX_INCLUDES 16

void bench_job_init(struct bench_job *job)
{
	static const double percentiles[] = {
		1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.5, 99.9, 99.95, 99.99
	};

	memset(job, 0, sizeof(*job));
	*job = (struct bench_job){
		.engine = &bench_devio,
		.rw = RW_READ,
		.rwmix_read = 50,
		.every = 1,
		.bs = { 4096, 4096 },
		.size = UNSET,
		.size_pct = UNSET,
		.io_size = UNSET,
		.io_size_pct = UNSET,
		.filesize = UNSET,
		.offset_pct = UNSET,
		.offset_step_pct = UNSET,
		.nrfiles = UNSET,
		.service_run = 1,
		.numjobs = 1,
		.loops = 1,
		.iodepth = UNSET,
		.batch = 1,
		.batch_min = 1,
		.batch_max = UNSET,
		.depth_low = UNSET,
		.wait_spin = 1000,
		.direct = UNSET,
		.hugepage = 1,
		.invalidate = 1,
		.create_fsync = 1,
		.do_verify = 1,
		.rand_repeat = 1,
		.mem = "auto",
		.clat_pct = 1,
		.log_ms = 500,
		.pattern_len = 0,
		.nr_percentiles = sizeof(percentiles) / sizeof(*percentiles),
		.xfer = UNSET,
	};
	memcpy(job->percentile, percentiles, sizeof(percentiles));
}

struct bench_job *bench_job_add(struct bench_jobs *jobs, const struct bench_job *like, const char *name,
				struct bench_err *err)
{
	struct bench_job copy = *like, *more;

	if (jobs->nr == MAX_JOBS) {
		bench_fail(err, TOOL_USAGE, "more than %d jobs", MAX_JOBS);
		return NULL;
	}
	more = realloc(jobs->job, (jobs->nr + 1) * sizeof(*more));
	if (!more) {
		bench_fail(err, TOOL_FAILED, "out of memory");
		return NULL;
	}
	jobs->job = more;
	copy.name = name;
	more[jobs->nr] = copy;
	return &more[jobs->nr++];
}

/* State of reading a job file. */
struct reader {
	struct bench_jobs *jobs;
	const char *file, *only;    /* --section */
	struct bench_job *job;      /* of the section; NULL: skipped */
	unsigned int depth;         /* of included files */
	struct bench_err *err;
};

static int include(struct reader *r, const char *section, const char *name);

/* Replaces ${NAME} by the value of the environment variable. */
static int expand(const char *value, char *out, size_t size, struct bench_err *err)
{
	size_t n = 0;

	while (*value && n + 1 < size) {
		const char *end = value[0] == '$' && value[1] == '{' ? strchr(value, '}') : NULL;
		char name[128];
		const char *env;

		if (!end || (size_t)(end - value) >= sizeof(name)) {
			out[n++] = *value++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(end - value - 2), value + 2);
		env = getenv(name);
		if (!env)
			return bench_fail(err, TOOL_USAGE, "${%s}: not set in the environment", name);
		if (strlen(env) >= size - n)
			break;
		n += (size_t)snprintf(out + n, size - n, "%s", env);
		value = end + 1;
	}
	out[n] = 0;
	return *value ? bench_fail(err, TOOL_USAGE, "value longer than %zu characters", size) : 0;
}

static int on_line(void *arg, const char *section, const char *key, const char *value, unsigned int line)
{
	struct reader *r = arg;
	bool global = !strcmp(section, "global");
	char text[8192];
	struct bench_err inner;

	(void)line;
	if (!key) {
		const char *name = bench_keep(section);

		r->job = NULL;
		if (global)
			r->job = &r->jobs->global;
		else if (name && (!r->only || !strcmp(r->only, section)))
			return (r->job = bench_job_add(r->jobs, &r->jobs->global, name, r->err)) ? 0 : -1;
		return name ? 0 : bench_fail(r->err, TOOL_FAILED, "out of memory");
	}
	if (!r->job)
		return 0;
	if (!strcmp(key, "include"))
		return include(r, section, value ? value : "");
	if ((value && expand(value, text, sizeof(text), &inner)) ||
	    bench_option_set(r->job, key, value ? text : NULL, &inner))
		return bench_fail(r->err, inner.status, "%s", inner.text);
	return 0;
}

/* 0, or -1 with *err that names the line. */
static int parse_text(struct reader *r, char *text, const char *inside, struct bench_err *err)
{
	struct bench_err why = { "", 0 }, *outer = r->err;
	struct bench_ini ini = { .fn = on_line, .arg = r, .inside = inside };
	int rc;

	r->err = &why;
	rc = bench_ini_parse(text, &ini);
	r->err = outer;
	if (!rc)
		return 0;
	return bench_fail(err, ini.error ? TOOL_USAGE : why.status, "%s, line %u: %s", r->file, ini.line,
			  ini.error ? ini.error : why.text);
}

int bench_job_text(struct bench_jobs *jobs, char *text, const char *name, const char *section, struct bench_err *err)
{
	struct reader r = { .jobs = jobs, .file = name, .only = section };

	return parse_text(&r, text, NULL, err);
}

static char *read_all(FILE *f, size_t *len)
{
	char *text = malloc(MAX_JOB_FILE + 1), *less;

	if (!text)
		return NULL;
	*len = fread(text, 1, MAX_JOB_FILE + 1, f);
	if (ferror(f) || *len > MAX_JOB_FILE) {
		errno = *len > MAX_JOB_FILE ? EFBIG : errno;
		free(text);
		return NULL;
	}
	text[*len] = 0;
	less = realloc(text, *len + 1);
	return less ? less : text;
}

/* The text of a job file, which is noted as used; NULL with *err. */
static char *read_file(FILE *f, const char *name, struct bench_err *err)
{
	struct stat st;
	size_t len = 0;
	char *text;

	if (!fstat(fileno(f), &st) && S_ISREG(st.st_mode) && bench_files_note(&st, err))
		return NULL;
	text = read_all(f, &len);
	if (text && !memchr(text, 0, len))
		return text;
	if (text)
		bench_fail(err, TOOL_USAGE, "%s: not a text file", name);
	else
		bench_fail(err, TOOL_FAILED, "%s: %s", name, strerror(errno));
	free(text);
	return NULL;
}

int bench_job_file(struct bench_jobs *jobs, const char *name, const char *section, struct bench_err *err)
{
	FILE *f = strcmp(name, "-") ? fopen(name, "re") : stdin;
	char *text;
	int rc;

	if (!f)
		return bench_fail(err, TOOL_FAILED, "%s: %s", name, strerror(errno));
	text = read_file(f, name, err);
	rc = text ? bench_job_text(jobs, text, name, section, err) : -1;
	free(text);
	if (f != stdin)
		fclose(f);
	return rc;
}

/* As in fio: from the current directory, else from that of the file with the directive. */
static FILE *open_included(const struct reader *r, const char *name, char *path, size_t size)
{
	const char *slash = strrchr(r->file, '/');

	if (access(name, F_OK) && slash && *name != '/')
		snprintf(path, size, "%.*s%s", (int)(slash + 1 - r->file), r->file, name);
	else
		snprintf(path, size, "%s", name);
	return fopen(path, "re");
}

static int include(struct reader *r, const char *section, const char *name)
{
	const char *outer = r->file;
	char path[4096], *text;
	FILE *f;
	int rc;

	if (!*name)
		return bench_fail(r->err, TOOL_USAGE, "include: file name missing");
	if (r->depth == MAX_INCLUDES)
		return bench_fail(r->err, TOOL_USAGE, "include %s: more than %d files deep", name, MAX_INCLUDES);
	f = open_included(r, name, path, sizeof(path));
	if (!f)
		return bench_fail(r->err, TOOL_FAILED, "include %s: %s", name, strerror(errno));
	r->file = path;
	r->depth++;
	text = read_file(f, path, r->err);
	rc = text ? parse_text(r, text, section, r->err) : -1;
	free(text);
	fclose(f);
	r->depth--;
	r->file = outer;
	return rc;
}

static void set_blocks(struct bench_job *job)
{
	job->bs_max = 0;
	for (int d = 0; d < DIR_NR; d++) {
		uint64_t least = job->bs[d], most = job->bs_range[d] ? job->bs_range[d] : job->bs[d];

		for (unsigned int i = 0; i < job->nr_split[d]; i++) {
			uint64_t bs = job->split[d][i].bs;

			least = !i || bs < least ? bs : least;
			most = !i || bs > most ? bs : most;
		}
		job->bs_min[d] = least;
		if (job->rw & (d == DIR_READ ? RW_READ : RW_WRITE) && most > job->bs_max)
			job->bs_max = most;
	}
}

void bench_job_defaults(struct bench_job *job)
{
	set_blocks(job);
	if (job->iodepth == UNSET || job->engine->sync)
		job->iodepth = 1;
	if (!job->batch || job->batch > job->iodepth)
		job->batch = job->iodepth;
	if (job->batch_min > job->iodepth)
		job->batch_min = job->iodepth;
	if (job->batch_max == UNSET)        /* like fio */
		job->batch_max = job->batch_min ? job->batch_min : job->iodepth;
	if (job->batch_max > job->iodepth)
		job->batch_max = job->iodepth;
	if (job->batch_max < job->batch_min)
		job->batch_max = job->batch_min;
	if (job->depth_low >= job->iodepth)
		job->depth_low = job->iodepth - 1;
	if (!job->direct && !job->engine->host && !job->engine->net && !job->path)
		job->path = DEVIO_PATH_FILE_BUFFERED;
	if (job->direct == UNSET)
		job->direct = 1;
	if (job->verify == VERIFY_PATTERN && !job->pattern_len) {
		static const uint8_t bytes[] = { 0xde, 0xad, 0xbe, 0xef };

		memcpy(job->pattern, bytes, sizeof(bytes));
		job->pattern_len = sizeof(bytes);
	}
}

static int check_verify(const struct bench_job *job, struct bench_err *err)
{
	if (!job->verify)
		return 0;
	if (job->nr_split[DIR_READ] || job->nr_split[DIR_WRITE] || job->bs_range[DIR_READ] ||
	    job->bs_range[DIR_WRITE] || job->bs[DIR_READ] != job->bs[DIR_WRITE])
		return bench_fail(err, TOOL_USAGE, "%s: verify needs a single block size", job->name);
	if (job->verify == VERIFY_XXHASH && job->bs[DIR_READ] < 64)
		return bench_fail(err, TOOL_USAGE, "%s: verify=xxhash needs blocks of at least 64 bytes", job->name);
	return 0;
}

static int check_net(const struct bench_job *job, struct bench_err *err)
{
	if (!job->engine->net) {
		if (job->hostname || job->port || job->listen)
			return bench_fail(err, TOOL_USAGE, "%s: hostname, port and listen are for ioengine=net",
					  job->name);
		return 0;
	}
	if (job->rw != RW_READ && job->rw != RW_WRITE)
		return bench_fail(err, TOOL_USAGE,
				  "%s: ioengine=net: rw must be read (receive) or write (send): a connection has "
				  "no offsets, and each direction is a separate job",
				  job->name);
	if (!job->port || job->port + job->numjobs > 65536 || (!job->listen && !job->hostname))
		return bench_fail(err, TOOL_USAGE,
				  "%s: ioengine=net needs port (numjobs ports, up to 65535), and hostname or listen",
				  job->name);
	if (job->filename || job->directory || job->nrfiles != UNSET || job->hole)
		return bench_fail(err, TOOL_USAGE, "%s: ioengine=net excludes filename, directory, nrfiles and holes",
				  job->name);
	if (job->size == UNSET && job->io_size == UNSET && !job->time_based)
		return bench_fail(err, TOOL_USAGE, "%s: ioengine=net needs size, or time_based with runtime",
				  job->name);
	return 0;
}

static int check(const struct bench_job *job, struct bench_err *err)
{
	if (job->time_based && !job->runtime)
		return bench_fail(err, TOOL_USAGE, "%s: time_based needs runtime", job->name);
	if (job->iodepth * ((job->bs_max + 4095) & ~4095ull) > 1ull << 40)
		return bench_fail(err, TOOL_USAGE, "%s: iodepth times bs is more than 1 TiB", job->name);
	if (job->direct_only && job->engine->host)
		return bench_fail(err, TOOL_USAGE, "%s: direct-only needs ioengine=devio or net", job->name);
	if (job->path && job->engine->host)
		return bench_fail(err, TOOL_USAGE, "%s: path needs ioengine=devio or net", job->name);
	if (job->filename && job->directory && job->filename[0] == '/')
		return bench_fail(err, TOOL_USAGE, "%s: directory with an absolute filename", job->name);
	return check_net(job, err) ? -1 : check_verify(job, err);
}

int bench_jobs_finish(struct bench_jobs *jobs, struct bench_err *err)
{
	unsigned int group = 0, wave = 0;

	if (!jobs->nr)
		return bench_fail(err, TOOL_USAGE,
				  "no job: --name=NAME and options, or a job file, are needed (see --help)");
	for (unsigned int i = 0; i < jobs->nr; i++) {
		struct bench_job *job = &jobs->job[i];

		bench_job_defaults(job);
		if (check(job, err))
			return -1;
		wave += i && job->stonewall;
		group += i && (job->stonewall || job->new_group);
		job->wave = wave;
		job->group = group;
	}
	return 0;
}

void bench_jobs_free(struct bench_jobs *jobs)
{
	free(jobs->job);
	jobs->job = NULL;
	jobs->nr = 0;
}
