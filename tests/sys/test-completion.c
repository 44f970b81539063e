/* SPDX-License-Identifier: MIT */
/* What a completion reports: path, best_unused, reason, copied and flags, situation by situation. */
#include "rig.h"

#include <errno.h>
#include <sys/mount.h>

#define SIZE (8u << 20)

static struct rig_env e;

static int setup(void **state)
{
	(void)state;
	e.name = rig_name("completion");
	rig_file(e.name, SIZE, 3);
	e.ctx = rig_ctx(0);
	e.mem = rig_mem(e.ctx, SIZE);
	e.ring = rig_ring(e.ctx, 8, 0, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_env_close(&e);
	return 0;
}

struct want {
	int path, best_unused, reason;
	unsigned int flags;
	uint64_t copied;
};

static void must_report(const char *when, const struct devio_completion *c, const struct want *w)
{
	char text[300];
	int n = devio_completion_text(c, text, sizeof(text));

	must(n > 0 && n < (int)sizeof(text), "%s: a sentence", when);
	if (c->path != w->path || c->best_unused != w->best_unused || c->reason != w->reason || c->flags != w->flags ||
	    c->copied != w->copied)
		fail_msg("%s: path %u not %d, better %u not %d, reason %u not %d, flags %u not %u, copied %llu not "
			 "%llu: %s",
			 when, c->path, w->path, c->best_unused, w->best_unused, c->reason, w->reason, c->flags,
			 w->flags, (unsigned long long)c->copied, (unsigned long long)w->copied, text);
}

/* The same transfer by a ring, by a ring's hot path and by the synchronous call. */
static void one(const char *when, struct devio_file *f, uint64_t moff, uint64_t len, uint64_t off,
		const struct want *w)
{
	struct devio_completion c;
	unsigned int write = w->flags & DEVIO_DONE_WRITE;
	int hot = w->reason == DEVIO_REASON_CACHED;
	unsigned char *buf = malloc(len);

	/* A write leaves the file as it is. */
	rig_fill(buf, 3, off, len);
	if (write)
		must_zero(devio_mem_copy_in(e.mem, moff, buf, len));
	free(buf);
	for (int i = 0; i < 3; i++) {
		if (!write)
			rig_cache(e.name, hot);
		if (write)
			must_zero(devio_ring_write(e.ring, f, e.mem, moff, len, off, 0));
		else
			must_zero(devio_ring_read(e.ring, f, e.mem, moff, len, off, 0));
		rig_wait(e.ring, &c, 1);
		must(c.result == (int64_t)len && c.good == len, "%s: %lld", when, (long long)c.result);
		must_report(when, &c, w);
	}
	if (!write)
		rig_cache(e.name, hot);
	must((write ? devio_file_write : devio_file_read)(f, e.mem, moff, len, off, &c) == (ssize_t)len, "%s: %s",
	     when, devio_errmsg());
	must_report(when, &c, w);
}

#define HOST DEVIO_PATH_FILE_HOST
#define BOUNCE DEVIO_PATH_FILE_BOUNCE
#define BUFFERED DEVIO_PATH_FILE_BUFFERED
#define MIB (1u << 20)

static struct devio_file *open_or_skip(int path, unsigned int flags)
{
	struct devio_file_opts o = DEVIO_OPTS(o);
	struct devio_file *f;

	o.path = path;
	o.flags = flags;
	must_zero(devio_file_open(e.ctx, e.name, O_RDWR, &o, &f));
	if (!rig_direct(f)) {
		devio_file_close(f);
		must_skip("no O_DIRECT in this directory");
	}
	return f;
}

static void test_auto(void **state)
{
	struct devio_file *f = open_or_skip(0, 0);

	(void)state;
	one("cold", f, 0, MIB, MIB, &(struct want){ HOST, 0, 0, 0, 0 });
	one("cold, to the end", f, 0, SIZE, 0, &(struct want){ HOST, 0, 0, 0, 0 });
	one("out of step", f, 1, MIB, 0, &(struct want){ BOUNCE, HOST, DEVIO_REASON_ALIGN, 0, MIB });
	one("short", f, 0, 100, 0, &(struct want){ BOUNCE, HOST, DEVIO_REASON_ALIGN, 0, 100 });
	one("write", f, 0, MIB, MIB, &(struct want){ HOST, 0, 0, DEVIO_DONE_WRITE, 0 });
	devio_file_close(f);
	f = open_or_skip(0, 0);
	one("cached", f, 0, MIB, MIB, &(struct want){ BUFFERED, HOST, DEVIO_REASON_CACHED, 0, MIB });
	devio_file_close(f);
	f = open_or_skip(0, DEVIO_FILE_NO_CACHE);
	rig_cache(e.name, 1);
	one("NO_CACHE", f, 0, MIB, MIB, &(struct want){ HOST, 0, 0, 0, 0 });
	devio_file_close(f);
}

/* Head and tail by a slot, the middle direct. */
static void test_edges(void **state)
{
	struct devio_file *f = open_or_skip(0, DEVIO_FILE_NO_CACHE);
	struct devio_file_info i = DEVIO_OPTS(i);
	struct devio_completion c;
	uint32_t a;

	(void)state;
	must_zero(devio_file_get_info(f, &i));
	a = i.dio_off_align;
	must_zero(devio_ring_read(e.ring, f, e.mem, a - 1, MIB, a - 1, 0));
	rig_wait(e.ring, &c, 1);
	must(c.result == MIB && c.path == HOST && c.flags == DEVIO_DONE_MIXED, "path %u flags %u", c.path, c.flags);
	must(c.copied > 0 && c.copied < 2 * a, "%llu bytes copied", (unsigned long long)c.copied);
	rig_check(e.mem, a - 1, MIB, 3, a - 1);
	must_zero(devio_ring_write(e.ring, f, e.mem, a - 1, MIB, a - 1, 0));
	rig_wait(e.ring, &c, 1);
	must(c.result == MIB && c.path == HOST && c.flags == (DEVIO_DONE_MIXED | DEVIO_DONE_WRITE), "path %u flags %u",
	     c.path, c.flags);
	devio_file_close(f);
}

static void test_forced(void **state)
{
	struct devio_file *f = open_or_skip(HOST, 0);

	(void)state;
	one("file-host", f, 0, MIB, 0, &(struct want){ HOST, 0, 0, 0, 0 });
	devio_file_close(f);
	f = open_or_skip(BOUNCE, 0);
	one("file-bounce", f, 0, MIB, 0, &(struct want){ BOUNCE, HOST, DEVIO_REASON_FORCED, 0, MIB });
	one("file-bounce, odd", f, 5, 77777, 3, &(struct want){ BOUNCE, HOST, DEVIO_REASON_FORCED, 0, 77777 });
	devio_file_close(f);
	f = open_or_skip(BUFFERED, 0);
	one("file-buffered", f, 0, MIB, 0, &(struct want){ BUFFERED, HOST, DEVIO_REASON_FORCED, 0, MIB });
	one("file-buffered write", f, 0, MIB, 0,
	    &(struct want){ BUFFERED, HOST, DEVIO_REASON_FORCED, DEVIO_DONE_WRITE, MIB });
	devio_file_close(f);
}

/* A path that cannot be: an error with its reason, and nothing is moved. */
static void test_impossible(void **state)
{
	static const struct { int path; unsigned int flags; uint64_t moff, len; int reason; } bad[] = {
		{ DEVIO_PATH_FILE_P2P, 0, 0, 4096, DEVIO_REASON_NO_P2P_PAGES },
		{ BOUNCE, DEVIO_FILE_DIRECT_ONLY, 0, 4096, DEVIO_REASON_FORCED },
		{ 0, DEVIO_FILE_DIRECT_ONLY, 1, 4096, DEVIO_REASON_ALIGN },
		{ 0, DEVIO_FILE_DIRECT_ONLY, 0, 4095, DEVIO_REASON_ALIGN },
		{ HOST, DEVIO_FILE_DIRECT_ONLY, 0, 5000, DEVIO_REASON_ALIGN },
		{ DEVIO_PATH_FILE_DMABUF, 0, 0, 4096, -1 },
	};
	struct devio_completion c;

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct devio_file *f = open_or_skip(bad[i].path, bad[i].flags);

		must_fail(devio_file_read(f, e.mem, bad[i].moff, bad[i].len, 0, &c), -EOPNOTSUPP);
		must(c.result == -EOPNOTSUPP && !c.good && !c.copied, "case %u: %lld", i, (long long)c.result);
		must(bad[i].reason < 0 || c.reason == bad[i].reason, "case %u: reason %u", i, c.reason);
		must_zero(devio_ring_read(e.ring, f, e.mem, bad[i].moff, bad[i].len, 0, 7));
		rig_wait(e.ring, &c, 1);
		must(c.result == -EOPNOTSUPP && c.cookie == 7, "case %u: %lld", i, (long long)c.result);
		must_fail(devio_file_explain(f, e.mem, bad[i].moff, bad[i].len, 0, 0, &c, NULL, 0), -EOPNOTSUPP);
		must(bad[i].reason < 0 || c.reason == bad[i].reason, "explain %u: reason %u", i, c.reason);
		devio_file_close(f);
	}
	struct devio_file *f = open_or_skip(0, DEVIO_FILE_DIRECT_ONLY);

	one("direct or fail", f, 0, MIB, 0, &(struct want){ HOST, 0, 0, 0, 0 });
	devio_file_close(f);
}

/* The path and flags of one operation, whatever the file's. */
static void test_per_operation(void **state)
{
	struct devio_file *f = open_or_skip(0, 0);
	struct devio_range g = { e.mem, 0, MIB };
	struct devio_io io = { .sz = sizeof(io), .file = f, .ranges = &g, .nr_ranges = 1 };
	struct devio_completion c;

	(void)state;
	for (int round = 0; round < 3; round++) {
		rig_cache(e.name, 1);
		io.path = HOST;
		must_zero(devio_ring_io(e.ring, &io));
		rig_wait(e.ring, &c, 1);
		must_report("host", &c, &(struct want){ HOST, 0, 0, 0, 0 });
		io.path = BOUNCE;
		must_zero(devio_ring_io(e.ring, &io));
		rig_wait(e.ring, &c, 1);
		must_report("bounce", &c, &(struct want){ BOUNCE, HOST, DEVIO_REASON_FORCED, 0, MIB });
		io.path = 0;
		io.flags = DEVIO_FILE_NO_CACHE;
		rig_cache(e.name, 1);
		must_zero(devio_ring_io(e.ring, &io));
		rig_wait(e.ring, &c, 1);
		must_report("NO_CACHE", &c, &(struct want){ HOST, 0, 0, 0, 0 });
		io.flags = DEVIO_FILE_DIRECT_ONLY;
		must_zero(devio_ring_io(e.ring, &io));
		rig_wait(e.ring, &c, 1);
		must_report("DIRECT_ONLY", &c, &(struct want){ HOST, 0, 0, 0, 0 });
		io.flags = 0;
	}
	devio_file_close(f);
}

static void test_small(void **state)
{
	const char *little = rig_name("little");
	struct devio_completion c;
	struct devio_file *f;

	(void)state;
	rig_file(little, 5000, 9);
	f = rig_open(e.ctx, little, O_RDONLY, 0);
	must(devio_file_read(f, e.mem, 3, 65536, 1, &c) == 4999, "short at the end");
	must_report("small", &c, &(struct want){ BUFFERED, HOST, DEVIO_REASON_SMALL, 0, 4999 });
	rig_check(e.mem, 3, 4999, 9, 1);
	must_zero(devio_ring_read(e.ring, f, e.mem, 0, 5000, 0, 0));
	rig_wait(e.ring, &c, 1);
	must_report("small by ring", &c, &(struct want){ BUFFERED, HOST, DEVIO_REASON_SMALL, 0, 5000 });
	must(devio_file_read(f, e.mem, 0, 100, 5000, &c) == 0 && c.good == 0, "nothing at the end");
	must(devio_file_read(f, e.mem, 0, 100, 1 << 20, &c) == 0, "nothing behind it");
	devio_file_close(f);
	rig_file(little, 0, 9);
	f = rig_open(e.ctx, little, O_RDONLY, 0);
	must(devio_file_read(f, e.mem, 0, 65536, 0, &c) == 0 && c.good == 0, "an empty file");
	must_zero(devio_ring_read(e.ring, f, e.mem, 0, 1 << 20, 0, 0));
	rig_wait(e.ring, &c, 1);
	must(c.result == 0 && c.good == 0, "an empty file by ring: %lld", (long long)c.result);
	must(devio_file_read(f, e.mem, 0, 0, 0, &c) == 0, "nothing wanted");
	devio_file_close(f);
	unlink(little);
}

/* Marks the memory; what lies behind the end of the file keeps the mark. */
static void untouch(uint64_t len)
{
	void *at;

	must_zero(devio_mem_map(e.mem, &at));
	memset(at, 0xa5, len);
}

static void must_untouched(uint64_t from, uint64_t len, int path)
{
	void *at;

	must_zero(devio_mem_map(e.mem, &at));
	for (uint64_t i = from; i < len; i++)
		must(((unsigned char *)at)[i] == 0xa5, "%s wrote byte %llu, the file ended at %llu",
		     devio_path_name(path), (unsigned long long)i, (unsigned long long)from);
}

/* A file larger than the memory, read piece by piece; and the end of the file inside each path's blocks. */
static void test_end_of_file(void **state)
{
	static const int paths[] = { 0, HOST, BOUNCE, BUFFERED };
	static const uint64_t sizes[] = { 300000, 299008, 65537, 131072 };
	const char *odd = rig_name("odd");
	struct devio_completion c;

	(void)state;
	for (int s = 0; s < 4; s++) {
		rig_file(odd, sizes[s], 4);
		for (int p = 0; p < 4; p++) {
			struct devio_file *f = rig_open(e.ctx, odd, O_RDONLY, paths[p]);

			for (uint64_t off = 0; off < sizes[s] + 5000; off += 4096 * 7 + (p & 1)) {
				uint64_t left = off < sizes[s] ? sizes[s] - off : 0;

				if (paths[p] && paths[p] != BUFFERED && !rig_direct(f))
					continue;
				untouch(MIB);
				must_zero(devio_ring_read(e.ring, f, e.mem, 0, MIB, off, 0));
				rig_wait(e.ring, &c, 1);
				must_untouched(left, MIB, paths[p]);
				must(c.result == (int64_t)left && c.good == left && c.copied <= left,
				     "%llu of %llu at %llu by %s: %lld", (unsigned long long)left,
				     (unsigned long long)sizes[s], (unsigned long long)off, devio_path_name(paths[p]),
				     (long long)c.result);
				rig_check(e.mem, 0, left, 4, off);
			}
			devio_file_close(f);
		}
	}
	unlink(odd);
}

/* One read by each kind of plan, across the end of the file or not. */
static void read_at_end(struct devio_file *f, uint64_t size, uint64_t off, int path)
{
	uint64_t left = off < size ? size - off : 0;
	struct devio_completion c;

	left = left < 65536 ? left : 65536;
	untouch(MIB);
	must_zero(devio_ring_read(e.ring, f, e.mem, 0, 65536, off, 0));
	rig_wait(e.ring, &c, 1);
	must(c.result == (int64_t)left, "%lld of %llu at %llu by %s", (long long)c.result, (unsigned long long)left,
	     (unsigned long long)off, devio_path_name(path));
	rig_check(e.mem, 0, left, 4, off);
	must_untouched(left, MIB, path);
}

/* Plans of reads that ended before the end of the file, then one across it; a file that grows; several ranges. */
static void test_end_of_file_planned(void **state)
{
	static const int paths[] = { 0, HOST, BOUNCE, BUFFERED };
	const struct devio_range g[] = { { e.mem, 8192, 65536 }, { e.mem, 131072, 131072 } };
	struct devio_io io = { .sz = sizeof(io), .ranges = g, .nr_ranges = 2, .file_off = 303104 };
	const char *odd = rig_name("grows");
	struct devio_completion c;

	(void)state;
	for (int p = 0; p < 4; p++) {
		struct devio_file *f;

		rig_file(odd, 200000, 4);
		f = io.file = rig_open(e.ctx, odd, O_RDONLY, paths[p]);
		if (!paths[p] || paths[p] == BUFFERED || rig_direct(f)) {
			for (uint64_t off = 0; off < 400000; off += 65536)
				read_at_end(f, 200000, off, paths[p]);
			rig_file(odd, 400000, 4);
			for (uint64_t off = 0; off < 500000; off += 65536)
				read_at_end(f, 400000, off, paths[p]);
			untouch(MIB);
			must_zero(devio_ring_io(e.ring, &io)); /* ends in the second range */
			rig_wait(e.ring, &c, 1);
			must(c.result == 400000 - 303104, "two ranges by %s: %lld", devio_path_name(paths[p]),
			     (long long)c.result);
			must_untouched(131072 + 400000 - 303104 - 65536, MIB, paths[p]);
		}
		devio_file_close(f);
	}
	unlink(odd);
}

/* tmpfs has no O_DIRECT worth the name; ramfs cannot read without waiting. */
static void on_mount(const char *type)
{
	char dir[] = "completion-XXXXXX", path[64];
	struct devio_completion c;
	struct devio_file *f;

	must(mkdtemp(dir) != NULL, "mkdtemp");
	if (mount("none", dir, type, 0, NULL)) {
		rmdir(dir);
		must_skip("a %s cannot be mounted here", type);
	}
	snprintf(path, sizeof(path), "%s/file", dir);
	rig_file(path, SIZE, 3);
	f = rig_open(e.ctx, path, O_RDWR, 0);
	must_zero(devio_ring_read(e.ring, f, e.mem, 0, SIZE, 0, 0));
	rig_wait(e.ring, &c, 1);
	must(c.result == SIZE, "%s: %lld", type, (long long)c.result);
	rig_check(e.mem, 0, SIZE, 3, 0);
	must_report(type, &c, &(struct want){ BUFFERED, HOST, c.reason, 0, SIZE });
	must(c.reason == DEVIO_REASON_NO_DIRECT || c.reason == DEVIO_REASON_CACHED, "%s: %u", type, c.reason);
	must(devio_file_write(f, e.mem, 1, 100000, 777, &c) == 100000, "%s: %s", type, devio_errmsg());
	must(c.path == BUFFERED && c.reason == DEVIO_REASON_NO_DIRECT, "%s: reason %u", type, c.reason);
	devio_file_close(f);
	umount(dir);
	rmdir(dir);
}

static void test_tmpfs(void **state)
{
	(void)state;
	on_mount("tmpfs");
}

static void test_ramfs(void **state)
{
	(void)state;
	on_mount("ramfs");
}

static void test_explain(void **state)
{
	struct devio_file *f = open_or_skip(0, 0);
	struct devio_completion v, c;
	char buf[1000], tiny[8];

	(void)state;
	for (int hot = 0; hot < 2; hot++) {
		struct devio_mem *m = rig_mem(e.ctx, SIZE);

		rig_cache(e.name, hot);
		must_zero(devio_file_explain(f, m, 0, MIB, 0, 0, &v, buf, sizeof(buf)));
		must(devio_file_read(f, m, 0, MIB, 0, &c) == MIB, "read");
		must(v.path == c.path && v.best_unused == c.best_unused && v.reason == c.reason,
		     "as the transfer: %u %u %u, %u %u %u", v.path, v.best_unused, v.reason, c.path, c.best_unused,
		     c.reason);
		must(v.path == (hot ? BUFFERED : HOST), "path %u", v.path);
		for (int i = 1; i < DEVIO_PATH_FILE_MAX; i++)
			must(strstr(buf, devio_path_name(i)) != NULL, "%s in:\n%s", devio_path_name(i), buf);
		devio_mem_free(m);
	}
	memset(tiny, 'x', sizeof(tiny));
	must_zero(devio_file_explain(f, e.mem, 0, MIB, 0, 1, &v, tiny, 4));
	must(strlen(tiny) == 3 && tiny[4] == 'x', "cut to size");
	must(v.flags == DEVIO_DONE_WRITE, "a write");
	must_zero(devio_file_explain(f, e.mem, 0, MIB, 0, 0, NULL, NULL, 0));
	devio_file_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auto), cmocka_unit_test(test_edges), cmocka_unit_test(test_forced),
		cmocka_unit_test(test_impossible), cmocka_unit_test(test_per_operation), cmocka_unit_test(test_small),
		cmocka_unit_test(test_end_of_file), cmocka_unit_test(test_end_of_file_planned),
		cmocka_unit_test(test_tmpfs), cmocka_unit_test(test_ramfs),
		cmocka_unit_test(test_explain),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
