/* SPDX-License-Identifier: MIT */
/*
 * The files of the jobs: named, checked, created if they do not exist. Existing
 * files are written to only with allow_overwrite, devices in use only with
 * allow_mounted_write.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bench.h"
#include "run.h"

#define FILL (1u << 20)
#define CONNECTION (1ull << 30)

/* Files that this process created: they may be written to, and are removed with unlink=1. */
static struct created {
	dev_t dev;
	ino_t ino;
	const char *name;
	bool unlink;
	struct created *next;
} *created;

static bool is_created(const struct stat *st)
{
	for (struct created *m = created; m; m = m->next)
		if (m->dev == st->st_dev && m->ino == st->st_ino)
			return true;
	return false;
}

void bench_files_unlink(const struct bench_jobs *jobs)
{
	(void)jobs;
	for (struct created *m = created; m; m = m->next)
		if (m->unlink)
			unlink(m->name);
	created = NULL;
}

/* Files that the jobs use or were read from: a report must not take their place. */
static struct used {
	dev_t dev, rdev;
	ino_t ino;
	struct used *next;
} *used;

int bench_files_note(const struct stat *st, struct bench_err *err)
{
	struct used *u = bench_keep_bytes(sizeof(*u));

	if (!u)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	*u = (struct used){ st->st_dev, S_ISBLK(st->st_mode) ? st->st_rdev : 0, st->st_ino, used };
	used = u;
	return 0;
}

static bool is_used(const struct stat *st)
{
	for (struct used *u = used; u; u = u->next)
		if ((u->dev == st->st_dev && u->ino == st->st_ino) ||
		    (u->rdev && S_ISBLK(st->st_mode) && u->rdev == st->st_rdev))
			return true;
	return is_created(st);
}

int bench_files_spare(const char *what, const char *name, struct bench_err *err)
{
	struct stat st;

	if (stat(name, &st) || !is_used(&st))
		return 0;
	return bench_fail(err, TOOL_USAGE, "%s%s: is a file of the jobs: the report would overwrite it", what, name);
}

static int remember_created(int fd, const struct bench_job *job, const char *name, struct bench_err *err)
{
	struct created *m = bench_keep_bytes(sizeof(*m));
	struct stat st;

	if (!m || fstat(fd, &st))
		return bench_fail(err, TOOL_FAILED, "%s: %s", name, strerror(errno));
	*m = (struct created){ st.st_dev, st.st_ino, name, job->unlink, created };
	created = m;
	return 0;
}

/* Bytes that do not repeat: no drive can compress or deduplicate them. */
static int fill(int fd, const char *name, uint64_t from, uint64_t to, struct bench_err *err)
{
	uint8_t *buf = aligned_alloc(4096, FILL);
	int rc = buf ? 0 : bench_fail(err, TOOL_FAILED, "out of memory");

	while (!rc && from < to) {
		size_t len = to - from < FILL ? to - from : FILL;
		ssize_t n;

		bench_fill_random(buf, len, from + 1);
		n = pwrite(fd, buf, len, (off_t)from);
		if (n < 0 && errno != EINTR)
			rc = bench_fail(err, TOOL_FAILED, "%s: cannot write: %s", name, strerror(errno));
		else if (tool_stop)
			rc = bench_fail(err, TOOL_FAILED, "%s: interrupted while it was created", name);
		from += n > 0 ? (uint64_t)n : 0;
	}
	free(buf);
	return rc;
}

/* Extends a regular file: with data if it will be read, else with allocated blocks. */
static int extend(int fd, const struct bench_job *job, const struct bench_file *f, uint64_t need, struct bench_err *err)
{
	if (job->rw & RW_READ) {
		if (fill(fd, f->name, f->have, need, err))
			return -1;
	} else if (fallocate(fd, 0, (off_t)f->have, (off_t)(need - f->have)) &&
		   (errno == ENOSPC || ftruncate(fd, (off_t)need))) {
		return bench_fail(err, TOOL_FAILED, "%s: cannot extend to %llu bytes: %s", f->name,
				  (unsigned long long)need, strerror(errno));
	}
	if (job->create_fsync && fsync(fd))
		return bench_fail(err, TOOL_FAILED, "%s: %s", f->name, strerror(errno));
	return 0;
}

static int create(const struct bench_job *job, const struct bench_file *f, uint64_t need, bool quiet,
		struct bench_err *err)
{
	int fd = open(f->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644), rc;
	char size[32];

	if (fd < 0)
		return bench_fail(err, TOOL_FAILED, "%s: %s", f->name, strerror(errno));
	if (!quiet)
		fprintf(stderr, "%s: Laying out IO file (1 file / %s)\n", job->name,
			need >> 20 ? (snprintf(size, sizeof(size), "%lluMiB", (unsigned long long)need >> 20), size) :
			(snprintf(size, sizeof(size), "%llu bytes", (unsigned long long)need), size));
	rc = remember_created(fd, job, f->name, err);
	if (!rc)
		rc = extend(fd, job, f, need, err);
	close(fd);
	if (rc)
		unlink(f->name);
	return rc;
}

static uint64_t percent(uint64_t n, uint64_t pct)
{
	return (uint64_t)((unsigned __int128)n * pct / 100);
}

static uint64_t least_block(const struct bench_job *job)
{
	uint64_t read = job->bs_min[DIR_READ], write = job->bs_min[DIR_WRITE];

	if (!(job->rw & RW_WRITE))
		return read;
	return job->rw & RW_READ && read < write ? read : write;
}

/* A percentage is of the file, rounded up to whole blocks, as in fio. */
uint64_t bench_file_offset(const struct bench_job *job, const struct bench_file *f, uint64_t clone)
{
	uint64_t least = least_block(job);

	if (job->offset_step_pct == UNSET)
		return job->offset_step * clone;
	return (percent(f->have, job->offset_step_pct * clone) + least - 1) / least * least;
}

/* The size that a file needs: the end of the region of the last thread. */
static uint64_t need_of(const struct bench_job *job, const struct bench_file *f)
{
	return f->start + (job->own_files ? 0 : bench_file_offset(job, f, job->numjobs - 1)) + f->size;
}

static int lengthen(const struct bench_job *job, const struct bench_file *f, const struct stat *st, bool quiet,
		    struct bench_err *err)
{
	uint64_t need = need_of(job, f);
	int fd, rc;

	if (!job->overwrite && !is_created(st))
		return bench_fail(err, TOOL_USAGE,
				  "%s: has %llu bytes, the job needs %llu (allow_overwrite extends it; size and "
				  "offset can be reduced)",
				  f->name, (unsigned long long)f->have, (unsigned long long)need);
	if (!quiet)
		fprintf(stderr, "%s: extending %s to %llu bytes\n", job->name, f->name, (unsigned long long)need);
	fd = open(f->name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return bench_fail(err, TOOL_FAILED, "%s: %s", f->name, strerror(errno));
	rc = extend(fd, job, f, need, err);
	close(fd);
	return rc;
}

static int device(const struct bench_job *job, struct bench_file *f, struct bench_err *err)
{
	int flags = job->rw & RW_WRITE && !job->no_mounted_check ? O_WRONLY | O_EXCL : O_RDONLY;
	int fd = open(f->name, flags | O_CLOEXEC), rc = 0;

	if (fd < 0 && errno == EBUSY)
		return bench_fail(err, TOOL_USAGE, "%s: in use (mounted, or part of another device); "
				  "allow_mounted_write writes to it anyway, and destroys its contents", f->name);
	if (fd < 0)
		return bench_fail(err, TOOL_FAILED, "%s: %s", f->name, strerror(errno));
	if (ioctl(fd, BLKGETSIZE64, &f->have))
		rc = bench_fail(err, TOOL_FAILED, "%s: %s", f->name, strerror(errno));
	close(fd);
	return rc;
}

static int check(const struct bench_job *job, struct bench_file *f, struct stat *st, bool *exists,
		 struct bench_err *err)
{
	*exists = !stat(f->name, st);
	if (!*exists)
		return errno == ENOENT ? 0 : bench_fail(err, TOOL_FAILED, "%s: %s", f->name, strerror(errno));
	f->is_block = S_ISBLK(st->st_mode);
	if (!S_ISREG(st->st_mode) && !f->is_block)
		return bench_fail(err, TOOL_FAILED, "%s: neither a regular file nor a block device", f->name);
	if (job->rw & RW_WRITE && !job->overwrite && !is_created(st))
		return bench_fail(err, TOOL_USAGE, "%s: exists, and the job writes (allow_overwrite overwrites it)",
				  f->name);
	f->have = (uint64_t)st->st_size;
	return f->is_block ? device(job, f, err) : 0;
}

/* Sets the region of one file, from size, filesize and offset. */
static int region(const struct bench_job *job, struct bench_file *f, bool exists, struct bench_err *err)
{
	uint64_t least = least_block(job), want = job->filesize;

	f->start = job->offset_pct != UNSET ? percent(f->have, job->offset_pct) / least * least : job->offset;
	if (want == UNSET && job->size != UNSET)
		want = job->size / job->nr_files;
	if (want == UNSET && job->size_pct != UNSET)
		want = percent(f->have, job->size_pct);
	if (want == UNSET && job->offset_step)
		return bench_fail(err, TOOL_USAGE, "%s: offset_increment needs size", job->name);
	if (want == UNSET && !exists)
		return bench_fail(err, TOOL_FAILED, "%s: does not exist (with size it is created)", f->name);
	if (want == UNSET)
		want = f->have > f->start ? f->have - f->start : 0;
	f->size = want / least * least;
	if (!f->size)
		return bench_fail(err, TOOL_USAGE, "%s: %llu bytes from byte %llu on are not one block of %llu",
				  f->name, (unsigned long long)want, (unsigned long long)f->start,
				  (unsigned long long)least);
	if (f->start > INT64_MAX || f->size > INT64_MAX || need_of(job, f) > INT64_MAX)
		return bench_fail(err, TOOL_USAGE, "%s: the region exceeds 2^63 bytes", f->name);
	return 0;
}

static int prepare(const struct bench_job *job, struct bench_file *f, bool quiet, struct bench_err *err)
{
	struct stat st;
	bool exists;

	if (check(job, f, &st, &exists, err) || region(job, f, exists, err) ||
	    (exists && bench_files_note(&st, err)))
		return -1;
	if (!exists)
		return create(job, f, need_of(job, f), quiet, err);
	if (need_of(job, f) <= f->have)
		return 0;
	if (f->is_block)
		return bench_fail(err, TOOL_USAGE, "%s: has %llu bytes, the job needs %llu", f->name,
				  (unsigned long long)f->have, (unsigned long long)need_of(job, f));
	return lengthen(job, f, &st, quiet, err);
}

/* filename=a:b\:c:d */
static int name_given(struct bench_job *job, struct bench_err *err)
{
	char word[4096];
	const char *at = job->filename;

	while (*at && job->nr_files < BENCH_MAX_FILES) {
		size_t n = 0;

		if (job->directory)
			n = (size_t)snprintf(word, sizeof(word), "%s/", job->directory);
		for (; *at && *at != ':' && n + 1 < sizeof(word); at++) {
			at += at[0] == '\\' && at[1] == ':';
			word[n++] = *at;
		}
		if (n + 1 >= sizeof(word))
			return bench_fail(err, TOOL_USAGE, "%s: filename too long", job->name);
		word[n] = 0;
		at += *at == ':';
		job->file[job->nr_files++].name = bench_keep(word);
	}
	if (!job->nr_files || *at)
		return bench_fail(err, TOOL_USAGE, "%s: filename has no name, or more than %d", job->name,
				  BENCH_MAX_FILES);
	if (job->nrfiles != UNSET && job->nrfiles > job->nr_files)
		return bench_fail(err, TOOL_USAGE, "%s: nrfiles=%llu, but filename has %u", job->name,
				  (unsigned long long)job->nrfiles, job->nr_files);
	if (job->nrfiles != UNSET)
		job->nr_files = (unsigned int)job->nrfiles;
	return 0;
}

/* The directories of a name, from byte `at` on. */
static int make_directories(char *name, size_t at, struct bench_err *err)
{
	for (char *slash = strchr(name + at, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (*name && mkdir(name, 0755) && errno != EEXIST)
			return bench_fail(err, TOOL_FAILED, "%s: cannot create the directory: %s", name,
					  strerror(errno));
		*slash = '/';
	}
	return 0;
}

/* A name by filename_format, with the variables of fio. */
static int format_name(const struct bench_job *job, uint64_t clone, uint64_t file, char *word, size_t size,
		       struct bench_err *err)
{
	size_t n = job->directory ? (size_t)snprintf(word, size, "%s/", job->directory) : 0, begin = n;
	const char *at = job->filename_format ? job->filename_format : "$jobname.$jobnum.$filenum";

	while (*at && n < size) {
		if (!strncmp(at, "$jobname", 8) && (at += 8))
			n += (size_t)snprintf(word + n, size - n, "%s", job->name);
		else if (!strncmp(at, "$jobnum", 7) && (at += 7))
			n += (size_t)snprintf(word + n, size - n, "%llu", (unsigned long long)clone);
		else if (!strncmp(at, "$filenum", 8) && (at += 8))
			n += (size_t)snprintf(word + n, size - n, "%llu", (unsigned long long)file);
		else
			word[n++] = *at++;
	}
	if (n >= size)
		return bench_fail(err, TOOL_USAGE, "%s: file name too long", job->name);
	word[n] = 0;
	return job->filename_format ? make_directories(word, begin, err) : 0;
}

static int name_files(struct bench_job *job, struct bench_err *err)
{
	uint64_t nr = job->nrfiles == UNSET ? 1 : job->nrfiles;
	char word[4096];

	job->own_files = !job->filename;
	job->nr_files = 0;
	job->file = bench_keep_bytes((job->filename ? BENCH_MAX_FILES : nr * job->numjobs) * sizeof(*job->file));
	if (!job->file)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	if (job->filename)
		return name_given(job, err);
	if (strchr(job->name, '/') && !job->directory && !job->filename_format)
		return bench_fail(err, TOOL_USAGE, "%s: a job name with / needs filename or directory", job->name);
	for (uint64_t i = 0; i < nr * job->numjobs; i++) {
		if (format_name(job, i / nr, i % nr, word, sizeof(word), err))
			return -1;
		job->file[i].name = bench_keep(word);
	}
	job->nr_files = (unsigned int)nr;
	return 0;
}

/* Each thread has a connection instead; after `size` bytes the pattern is repeated. */
static int name_connections(struct bench_job *job, struct bench_err *err)
{
	uint64_t size = job->size != UNSET ? job->size : job->io_size != UNSET ? job->io_size : CONNECTION;
	uint64_t least = job->bs_min[job->rw & RW_READ ? DIR_READ : DIR_WRITE];
	char word[4096];

	if (size < least)
		return bench_fail(err, TOOL_USAGE, "%s: size is less than one block of %llu bytes", job->name,
				  (unsigned long long)least);

	job->own_files = true;
	job->nr_files = 1;
	job->file = bench_keep_bytes(job->numjobs * sizeof(*job->file));
	if (!job->file)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	for (uint64_t i = 0; i < job->numjobs; i++) {
		snprintf(word, sizeof(word), "%.200s port %u", job->hostname ? job->hostname : "*",
			 (unsigned int)(job->port + i));
		job->file[i].name = bench_keep(word);
		job->file[i].size = size / least * least;
		if (!job->file[i].name)
			return bench_fail(err, TOOL_FAILED, "out of memory");
	}
	return 0;
}

static int prepare_all(struct bench_job *job, bool quiet, struct bench_err *err)
{
	uint64_t files;

	if (job->engine->net)
		return name_connections(job, err);
	if (name_files(job, err))
		return -1;
	files = job->nr_files * (job->own_files ? job->numjobs : 1);
	for (uint64_t i = 0; i < files; i++)
		if (!job->file[i].name || prepare(job, &job->file[i], quiet, err))
			return -1;
	return 0;
}

/* Bytes of one pass over a file; the holes of rw=read:SIZE are not transferred. */
static uint64_t bytes_of(const struct bench_job *job, const struct bench_file *f)
{
	uint64_t bs = job->bs[job->rw & RW_READ ? DIR_READ : DIR_WRITE];

	return job->hole ? (f->size + job->hole) / (bs + job->hole) * bs : f->size;
}

int bench_files_prepare(struct bench_jobs *jobs, bool quiet, struct bench_err *err)
{
	for (unsigned int j = 0; j < jobs->nr; j++) {
		struct bench_job *job = &jobs->job[j];
		uint64_t total = 0;

		if (prepare_all(job, quiet, err))
			return -1;
		for (unsigned int i = 0; i < job->nr_files; i++)
			total += bytes_of(job, &job->file[i]);
		job->io_total = job->io_size != UNSET ? job->io_size :
				job->io_size_pct != UNSET ? percent(total, job->io_size_pct) : total;
		if (!job->io_total)
			return bench_fail(err, TOOL_USAGE, "%s: io_size is 0", job->name);
	}
	return 0;
}
