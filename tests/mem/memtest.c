/* SPDX-License-Identifier: MIT */
/* What the tests of device memory share. */
#include "config.h"
#include <dirent.h>
#include <dlfcn.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include "memtest.h"

static void *open_fake(const char *name)
{
	char path[PATH_MAX];
	const char *build = getenv("DEVIO_BUILD");
	void *so;

	snprintf(path, sizeof(path), "%s/tests/mem/.libs/lib%s.so", build ? build : ".", name);
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so) {
		fprintf(stderr, "%s\n", dlerror());
		exit(99); /* a hard error for automake, not a skip */
	}
	return so;
}

const struct fake_ctl *mt_fake(const char *name, const char *env)
{
	char path[PATH_MAX];
	const char *build = getenv("DEVIO_BUILD");

	snprintf(path, sizeof(path), "%s/tests/mem/.libs/lib%s.so", build ? build : ".", name);
	setenv(env, path, 1);
	return dlsym(open_fake(name), "fake_ctl");
}

void *mt_sym(const char *name, const char *symbol)
{
	void *f = dlsym(open_fake(name), symbol);

	assert_non_null(f);
	return f;
}

void mt_no_leak(const struct fake_ctl *ctl)
{
	static const char *const what[FAKE_KINDS] = { "allocations", "contexts", "streams", "events", "host ranges",
						      "devices" };

	for (int i = 0; i < FAKE_KINDS; i++) {
		if (ctl->live(i))
			fprintf(stderr, "# leaked: %ld %s\n", ctl->live(i), what[i]);
		assert_int_equal(ctl->live(i), 0);
	}
}

int mt_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

void mt_fails(int rc, int err, const char *word)
{
	if (rc != err || !strstr(devio_errmsg(), word))
		fprintf(stderr, "# got %d, wanted %d; '%s' in: %s\n", rc, err, word, devio_errmsg());
	assert_int_equal(rc, err);
	assert_non_null(strstr(devio_errmsg(), word));
}

void mt_fails_big(int rc, const char *word)
{
	mt_fails(rc, rc == -EINVAL ? -EINVAL : -ENOMEM, word);
}

void mt_leave(int rc)
{
	char text[32];

	snprintf(text, sizeof(text), "exit %d", rc ? 1 : 0);
	execl("/bin/sh", "sh", "-c", text, (char *)NULL);
	_exit(99);
}

void mt_ok(int rc)
{
	if (rc)
		fprintf(stderr, "# %s\n", devio_errmsg());
	assert_int_equal(rc, 0);
}

static uint64_t size_of(struct devio_mem *m)
{
	struct devio_mem_info info = DEVIO_OPTS(info);

	mt_ok(devio_mem_get_info(m, &info));
	return info.size;
}

void mt_random(unsigned char *p, size_t n)
{
	while (n--)
		*p++ = (unsigned char)random();
}

static void read_all(struct devio_mem *m, unsigned char *to, size_t size)
{
	memset(to, 0x5a, size);
	mt_ok(devio_mem_copy_out(m, 0, to, size));
}

/* Writes a piece into both, then both must be the same. */
static void put_piece(struct devio_mem *m, unsigned char *want, unsigned char *got, size_t size, size_t off, size_t len)
{
	mt_random(want + off, len);
	memcpy(got, want + off, len);
	mt_ok(devio_mem_copy_in(m, off, got, len));
	memset(got, 0, len);
	read_all(m, got, size);
	assert_memory_equal(got, want, size);
	if (len) {
		memset(got, 0, len);
		mt_ok(devio_mem_copy_out(m, off, got, len));
		assert_memory_equal(got, want + off, len);
	}
}

void mt_copies(struct devio_mem *m)
{
	size_t size = size_of(m);
	unsigned char *want = malloc(size), *got = malloc(size);
	static const struct { size_t off, len; } piece[] = {
		{ 0, 1 },    { 1, 1 },	     { 1, 6 },	   { 3, 17 }, { 7, 4090 },
		{ 4095, 2 }, { 4096, 4096 }, { 511, 513 }, { 0, 0 },
	};

	mt_random(want, size);
	mt_ok(devio_mem_copy_in(m, 0, want, size));
	read_all(m, got, size);
	assert_memory_equal(got, want, size);
	for (size_t i = 0; i < sizeof(piece) / sizeof(piece[0]); i++)
		if (piece[i].off + piece[i].len <= size)
			put_piece(m, want, got, size, piece[i].off, piece[i].len);
	put_piece(m, want, got, size, size - 1, 1);
	for (int i = 0; i < 20; i++) {
		size_t off = (size_t)random() % size;

		put_piece(m, want, got, size, off, (size_t)random() % (size - off));
	}
	mt_fails(devio_mem_copy_in(m, size, got, 1), -ERANGE, "exceed its");
	mt_fails(devio_mem_copy_out(m, 1, got, size), -ERANGE, "exceed its");
	mt_fails(devio_mem_copy_out(m, UINT64_MAX, got, 2), -ERANGE, "exceed its");
	read_all(m, got, size);
	assert_memory_equal(got, want, size);
	free(want);
	free(got);
}

void mt_roundtrip(struct devio_ctx *ctx, struct devio_mem *m, bool shared)
{
	struct devio_mem *again;
	size_t size = size_of(m);
	unsigned char *want = malloc(size), *got = malloc(size);
	uint64_t off = UINT64_MAX, off2;
	int fd = -1, fd2 = -1;

	mt_random(want, size);
	mt_ok(devio_mem_copy_in(m, 0, want, size));
	mt_ok(devio_mem_export(m, &fd, &off));
	mt_ok(devio_mem_export(m, &fd2, &off2)); /* the cached one, a descriptor of its own */
	assert_int_not_equal(fd, fd2);
	assert_int_equal(off, off2);
	close(fd2);
	mt_ok(devio_mem_import_dmabuf(ctx, fd, off, size, &again));
	close(fd); /* it was duplicated */
	read_all(again, got, size);
	assert_memory_equal(got, want, size);
	if (shared) {
		mt_copies(again);
		read_all(again, want, size);
		read_all(m, got, size);
		assert_memory_equal(got, want, size);
	}
	devio_mem_free(again);
	free(want);
	free(got);
}

void mt_info(struct devio_mem *m, const char *spec, uint64_t size, unsigned int caps, const char *bdf)
{
	struct devio_mem_info info = DEVIO_OPTS(info);

	mt_ok(devio_mem_get_info(m, &info));
	assert_string_equal(info.spec, spec);
	assert_string_equal(info.bdf, bdf);
	assert_int_equal(info.size, size);
	assert_int_equal(info.caps, caps);
}

static int append(void *arg, const char *spec)
{
	char *text = arg;

	if (*text)
		strcat(text, " ");
	strcat(text, spec);
	return 0;
}

const char *mt_list(struct devio_ctx *ctx)
{
	static char text[4096];

	text[0] = 0;
	mt_ok(devio_mem_list(ctx, append, text));
	return text;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static char *last_dir[64];
static int nr_dirs;
static pid_t owner;

static void remove_dirs(void)
{
	if (getpid() != owner)
		return;
	while (nr_dirs) {
		nftw(last_dir[--nr_dirs], remove_one, 16, FTW_DEPTH | FTW_PHYS);
		free(last_dir[nr_dirs]);
	}
}

const char *mt_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/devio-mem-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(path));
	if (!owner) {
		owner = getpid();
		atexit(remove_dirs);
	}
	assert_true(nr_dirs < 64);
	last_dir[nr_dirs] = strdup(path);
	return last_dir[nr_dirs++];
}

static void path_of(char *out, size_t size, const char *root, const char *path)
{
	snprintf(out, size, "%s/%s", root, path);
	for (char *p = out + strlen(root) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		mkdir(out, 0755);
	}
}

void mt_file(const char *root, const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *f;

	path_of(full, sizeof(full), root, path);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

void mt_link(const char *root, const char *path, const char *to)
{
	char full[PATH_MAX];

	path_of(full, sizeof(full), root, path);
	assert_int_equal(symlink(to, full), 0);
}
