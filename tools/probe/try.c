/* SPDX-License-Identifier: MIT */
/* devio-probe --try: real transfers by each path, compared byte for byte. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/summary.h"
#include "probe.h"

/* One file (or a temporary one in a directory) and one memory. */
struct trial {
	struct probe *p;
	const char *spec;
	char *file;                 /* its name */
	int fd;                     /* a temporary file has no name any more: an interrupted program leaves none */
	bool temporary;             /* created here: it is written, too */
	struct devio_mem *mem;
	unsigned char *want, *got;
	size_t len;
	FILE *out;
	struct json_object *list;
};

/* One transfer. */
struct outcome {
	const char *op;
	int path;                   /* requested; 0: auto */
	ssize_t result;
	struct devio_completion done;
	double seconds;
	char error[600];            /* "": none */
	bool failed;                /* false: the path is not supported here */
};

/* Different at every offset and in every round: a wrong offset or an old copy is found. */
static void fill(unsigned char *p, size_t len, uint64_t seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;

	for (size_t i = 0; i < len; i++) {
		if (!(i & 7)) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
		}
		p[i] = x >> (8 * (i & 7));
	}
}

static void report_text(const struct trial *t, const struct outcome *o)
{
	char head[64], sentence[400];

	snprintf(head, sizeof(head), "    %-5s  %-13s  ", o->op, o->path ? devio_path_name(o->path) : "auto");
	if (*o->error) {
		char *line = text("%-6s  %s", o->failed ? "FAILED" : "no", o->error);

		term_wrap(t->out, head, line);
		free(line);
	} else {
		double rate = o->seconds > 0 ? o->result / o->seconds / 1e6 : 0;
		char *line;

		devio_completion_text(&o->done, sentence, sizeof(sentence));
		line = text("ok      %8.0f MB/s  %s", rate, sentence);
		term_wrap(t->out, head, line);
		free(line);
	}
}

static void report_json(const struct trial *t, const struct outcome *o)
{
	struct json_object *j = json_object_new_object();
	bool ok = !*o->error;

	json_put_str(j, "file", t->file);
	json_put_str(j, "memory", t->spec);
	json_put_str(j, "operation", o->op);
	json_put_str(j, "requested", o->path ? devio_path_name(o->path) : "auto");
	json_put_str(j, "state", ok ? "ok" : o->failed ? "failed" : "not supported");
	json_put_str(j, "error", o->error);
	summary_json_path(j, "", ok ? o->done.path : 0, ok ? o->done.best_unused : 0, ok ? o->done.reason : 0);
	json_put_int(j, "bytes", ok ? o->result : 0);
	json_put_u64(j, "copied_bytes", ok ? o->done.copied : 0);
	json_put_num(j, "mb_per_s", ok ? o->result / (o->seconds + 1e-9) / 1e6 : 0);
	json_object_array_add(t->list, j);
}

static void report(struct trial *t, const struct outcome *o)
{
	if (o->failed)
		t->p->failed = true;
	if (t->list)
		report_json(t, o);
	else
		report_text(t, o);
}

/* A path that is not supported here is an answer, every other error a failure. */
static void refused(struct outcome *o, int err)
{
	o->failed = !o->path || (err != -EOPNOTSUPP && err != -ENODEV);
	snprintf(o->error, sizeof(o->error), "%s", o->failed || !o->done.reason ? devio_errmsg() :
		 devio_reason_text(o->done.reason));
}

static void compare(struct outcome *o, const unsigned char *want, const unsigned char *got, size_t len)
{
	size_t i = 0;

	if (o->result != (ssize_t)len) {
		snprintf(o->error, sizeof(o->error), "%zd of %zu bytes were transferred", o->result, len);
		o->failed = true;
		return;
	}
	if (!memcmp(want, got, len))
		return;
	while (want[i] == got[i])
		i++;
	snprintf(o->error, sizeof(o->error), "by %s: wrong data from byte %zu on",
		 devio_path_name(o->done.path), i);
	o->failed = true;
}

static int open_for(struct trial *t, struct outcome *o, int flags, struct devio_file **f)
{
	struct devio_file_opts opts = DEVIO_OPTS(opts);
	int rc;

	opts.path = o->path;
	rc = t->temporary ? devio_file_import(t->p->ctx, t->fd, &opts, f) :
	     devio_file_open(t->p->ctx, t->file, flags, &opts, f);
	if (rc)
		refused(o, rc);
	return rc;
}

static int plain_read(struct trial *t, unsigned char *to)
{
	int fd = t->temporary ? t->fd : open(t->file, O_RDONLY | O_CLOEXEC);
	size_t n = 0;

	while (fd >= 0 && n < t->len) {
		ssize_t r = pread(fd, to + n, t->len - n, n);

		if (r <= 0)
			break;
		n += r;
	}
	if (fd >= 0 && !t->temporary)
		close(fd);
	return n == t->len ? 0 : -EIO;
}

static void try_read(struct trial *t, int path)
{
	struct outcome o = { .op = "read", .path = path };
	struct devio_file *f;
	double start;

	memset(t->got, 0x5a, t->len);
	if (!open_for(t, &o, O_RDONLY, &f)) {
		/* Old contents of the memory must not pass the comparison. */
		if (devio_mem_copy_in(t->mem, 0, t->got, t->len)) {
			refused(&o, -EIO);
		} else {
			start = tool_now();
			o.result = devio_file_read(f, t->mem, 0, t->len, 0, &o.done);
			o.seconds = tool_now() - start;
			if (o.result < 0)
				refused(&o, o.result);
			else if (devio_mem_copy_out(t->mem, 0, t->got, t->len))
				refused(&o, -EIO);
			else
				compare(&o, t->want, t->got, t->len);
		}
		devio_file_close(f);
	}
	report(t, &o);
}

static void try_write(struct trial *t, int path)
{
	struct outcome o = { .op = "write", .path = path };
	struct devio_file *f;
	double start;

	fill(t->want, t->len, path + 17);
	if (!open_for(t, &o, O_RDWR, &f)) {
		if (devio_mem_copy_in(t->mem, 0, t->want, t->len)) {
			refused(&o, -EIO);
		} else {
			start = tool_now();
			o.result = devio_file_write(f, t->mem, 0, t->len, 0, &o.done);
			o.seconds = tool_now() - start;
			if (o.result < 0)
				refused(&o, o.result);
			else if (plain_read(t, t->got))
				snprintf(o.error, sizeof(o.error), "cannot read the file back"), o.failed = true;
			else
				compare(&o, t->want, t->got, t->len);
		}
		devio_file_close(f);
	}
	report(t, &o);
}

static int problem(struct trial *t, const char *what, const char *why, bool failed)
{
	struct outcome o = { .op = what, .failed = failed };

	snprintf(o.error, sizeof(o.error), "%s", why);
	report(t, &o);
	return -1;
}

/* The drive is tested, not the page cache. */
static void drop_cache(const struct trial *t)
{
	int fd = t->temporary ? t->fd : open(t->file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)fdatasync(fd);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (!t->temporary)
		close(fd);
}

static void run(struct trial *t)
{
	for (int path = 0; path < DEVIO_PATH_FILE_MAX && t->temporary; path++)
		try_write(t, path);
	if (plain_read(t, t->want)) {
		problem(t, "read", "cannot read the file", true);
		return;
	}
	for (int path = 0; path < DEVIO_PATH_FILE_MAX; path++) {
		drop_cache(t);
		try_read(t, path);
	}
}

static int open_target(struct trial *t, const char *where)
{
	struct stat st;
	char why[200];
	int err;

	if (stat(where, &st)) {
		snprintf(why, sizeof(why), "%.100s: %s", where, strerror(errno));
		t->file = text("%s", where);
		return problem(t, "open", why, true);
	}
	t->temporary = S_ISDIR(st.st_mode);
	if (!t->temporary) {
		t->file = text("%s", where);
		if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < t->len)
			t->len = st.st_size;
		return t->len ? 0 : problem(t, "read", "the file is empty", true);
	}
	t->file = text("%s/devio-probe.XXXXXX", where);
	t->fd = open(where, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	err = 0;
	if (t->fd < 0) {
		t->fd = mkostemp(t->file, O_CLOEXEC);
		err = t->fd < 0 || unlink(t->file) ? errno : 0;
	}
	if (!err)
		err = posix_fallocate(t->fd, 0, (off_t)t->len);
	if (!err)
		return 0;
	snprintf(why, sizeof(why), "cannot create a temporary file of %zu bytes in %.80s: %s", t->len, where,
		 strerror(err));
	return problem(t, "write", why, true);
}

/* Rather less memory than no answer: a CMB may have a few MiB. */
static int alloc_memory(struct trial *t)
{
	int rc = -ENOMEM;

	for (size_t len = t->len; len; len = len > 65536 ? len / 2 : 0) {
		rc = devio_mem_alloc(t->p->ctx, t->spec, len, NULL, &t->mem);
		if (!rc) {
			t->len = len;
			return 0;
		}
		if (rc != -ENOMEM && rc != -ENOSPC && rc != -EINVAL)
			break;
	}
	return problem(t, "alloc", devio_errmsg(), t->p->mem_given);
}

static void try_one(struct probe *p, const char *where, const char *spec, FILE *out, struct json_object *list)
{
	struct trial t = { .p = p, .spec = spec, .fd = -1, .len = p->size, .out = out, .list = list };

	if (!list)
		fprintf(out, "  memory %s\n", spec);
	if (!open_target(&t, where) && !alloc_memory(&t)) {
		t.want = malloc(t.len);
		t.got = malloc(t.len);
		if (t.want && t.got)
			run(&t);
		else
			problem(&t, "alloc", "out of memory", true);
	}
	if (t.fd >= 0)
		close(t.fd);
	devio_mem_free(t.mem);
	free(t.file);
	free(t.want);
	free(t.got);
}

void probe_try(struct probe *p, FILE *out, struct json_object *list)
{
	signal(SIGXFSZ, SIG_IGN); /* a limit of the file size is an error of the file */
	for (unsigned int i = 0; i < p->nr_file; i++) {
		if (!list)
			fprintf(out, "\nTrying %s\n", p->file[i]);
		for (unsigned int k = 0; k < p->nr_mem; k++)
			try_one(p, p->file[i], p->mem[k], out, list);
	}
}
