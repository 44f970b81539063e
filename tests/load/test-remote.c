/* SPDX-License-Identifier: MIT */
/* Files of a data server are what the same files are here: items, bytes, order, and how errors come. */
#include "serverig.h"

#define FILES 3
#define O .sz = sizeof(struct devio_loader_opts)

struct env {
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	unsigned char *host;
	struct server server;
	const char *names[FILES], *urls[FILES];
};

static void env_open(struct env *e, uint64_t memory, unsigned int flags)
{
	static const char *const what[FILES] = { "remote-a", "remote-b", "remote-c" };
	void *p;

	memset(e, 0, sizeof(*e));
	e->server = server_start(0, NULL);
	for (int i = 0; i < FILES; i++) {
		e->names[i] = rig_name(what[i]);
		e->urls[i] = server_url(e->server.port, e->names[i]);
	}
	e->ctx = rig_ctx(flags);
	e->mem = rig_mem(e->ctx, memory);
	must_zero(devio_mem_map(e->mem, &p));
	e->host = p;
}

static void env_close(struct env *e)
{
	devio_mem_free(e->mem);
	devio_ctx_close(e->ctx);
	if (e->server.pid)
		must(!server_stop(&e->server, SIGTERM), "devio-serve ends well");
	for (int i = 0; i < FILES; i++)
		unlink(e->names[i]);
}

/* What is in the file of the field, which lies here too. */
static void check_bytes(const struct devio_field *f, const unsigned char *have)
{
	const char *slash = strrchr(f->path, '/');
	unsigned char *want = malloc(f->len + 1);
	int fd = open(slash ? slash + 1 : f->path, O_RDONLY);

	must(fd >= 0 && pread(fd, want, f->len, f->off) == (ssize_t)f->len, "%s here", f->path);
	must(!memcmp(have, want, f->len), "%s: the bytes from %llu on", f->path, (unsigned long long)f->off);
	close(fd);
	free(want);
}

/* An epoch: every item once (counted in seen, if there is one). Returns the number of fields. */
static uint64_t take_all(const struct env *e, const struct devio_source *s, struct devio_loader *l, unsigned char *seen)
{
	struct devio_batch b = DEVIO_OPTS(b);
	uint64_t nr = 0;
	int rc;

	while ((rc = devio_loader_next(l, &b, 20000000000LL)) == 1) {
		must(!b.failed, "batch %llu: %s", (unsigned long long)b.seq, devio_errmsg());
		for (uint32_t i = 0; i < b.nr; i++) {
			struct devio_field f = source_field(s, b.items[i].id, b.items[i].field);

			must(b.items[i].len == f.len, "length");
			if (f.len && !strncmp(f.path, "tcp:", 4))
				must(b.items[i].path >= DEVIO_PATH_SOCK_DEVMEM, "a path of connections, not %s",
				     devio_path_name(b.items[i].path));
			check_bytes(&f, e->host + b.items[i].mem_off);
			must(!seen || b.items[i].field || !seen[b.items[i].id]++, "item %llu once",
			     (unsigned long long)b.items[i].id);
		}
		nr += b.nr;
		must_zero(devio_loader_release(l, b.slot));
	}
	must(!rc, "%d: %s", rc, devio_errmsg());
	return nr;
}

static void load_all(const struct env *e, struct devio_source *s, const struct devio_loader_opts *o)
{
	unsigned char *seen = calloc(1, source_info(s).items + 1);
	struct devio_loader *l;
	uint64_t fields = 0;

	for (uint64_t i = 0; i < source_info(s).items; i++)
		fields += devio_source_count(s, i);
	must_zero(devio_loader_open(e->ctx, s, e->mem, o, &l));
	must(take_all(e, s, l, seen) == fields, "all fields");
	devio_loader_close(l);
	free(seen);
}

/* All fields one behind the other. */
static void read_all(const struct env *e, const struct devio_source *s, const struct devio_read_opts *o)
{
	struct devio_source_info info = source_info(s);
	struct devio_load_range *g = calloc(info.items * info.max_fields + 1, sizeof(*g));
	uint64_t n = 0, at = 77;

	for (uint64_t i = 0; i < info.items; i++)
		for (int k = 0; k < devio_source_count(s, i); k++) {
			struct devio_field f = source_field(s, i, k);

			g[n++] = (struct devio_load_range){ .off = f.off, .len = f.len, .mem_off = at, .file = f.file };
			at += f.len;
		}
	memset(e->host, 0xee, at + 1);
	must_zero(devio_source_read(e->ctx, s, e->mem, g, n, o));
	must(e->host[76] == 0xee && e->host[at] == 0xee, "nothing beside");
	for (uint64_t i = n = 0; i < info.items; i++)
		for (int k = 0; k < devio_source_count(s, i); k++, n++) {
			struct devio_field f = source_field(s, i, k);

			must(!g[n].error, "range %llu", (unsigned long long)n);
			check_bytes(&f, e->host + g[n].mem_off);
		}
	free(g);
}

static const struct {
	uint64_t record, header, nr;
	struct devio_loader_opts o;
	unsigned int flags;
} modes[] = {
	{ 4096, 0, 300, { O }, 0 },
	{ 4096, 0, 300, { O, .flags = DEVIO_LOADER_SHUFFLE, .depth = 4 }, 0 },
	{ 4096, 12, 300, { O, .flags = DEVIO_LOADER_SHUFFLE, .shuffle_block = 16, .batch = 50 }, 0 },
	{ 101, 7, 2000, { O, .flags = DEVIO_LOADER_SHUFFLE, .shuffle_block = 3, .align = 1, .depth = 1 }, 0 },
	{ 1, 0, 700, { O, .flags = DEVIO_LOADER_SHUFFLE | DEVIO_LOADER_UNORDERED, .batch = 11 }, 0 },
	{ 2500003, 77, 2, { O, .slots = 2 }, 0 },
	{ 2500003, 77, 2, { O, .slots = 1, .max_read = 65536, .path = DEVIO_PATH_SOCK_BOUNCE }, 0 },
	{ 5000, 0, 90, { O, .flags = DEVIO_LOADER_SHUFFLE, .max_files = 1 }, DEVIO_CTX_NO_URING },
};

/* Records: the second file is of this machine, or all are of the server. */
static void test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(modes) / sizeof(modes[0]); i++) {
		uint64_t nr = modes[i / 2].nr, record = modes[i / 2].record, header = modes[i / 2].header;
		struct devio_source *s;
		const char *names[FILES];
		struct env e;

		env_open(&e, 32 << 20, modes[i / 2].flags);
		for (int k = 0; k < FILES; k++) {
			rig_file(e.names[k], header + (k == 2 ? nr / 3 : nr) * record, k + 1);
			names[k] = i & 1 && k == 1 ? e.names[k] : e.urls[k];
		}
		s = source_records(names, FILES, record, header);
		must(source_info(s).items == 2 * nr + nr / 3, "items");
		load_all(&e, s, &modes[i / 2].o);
		read_all(&e, s, NULL);
		devio_source_close(s);
		env_close(&e);
	}
}

static void test_tar(void **state)
{
	const struct devio_loader_opts o = { O, .flags = DEVIO_LOADER_SHUFFLE, .batch = 6 };
	struct devio_source *s, *here;
	struct tar t = { 0 };
	char member[40];
	struct env e;

	(void)state;
	env_open(&e, 16 << 20, 0);
	for (int f = 0; f < 2; f++) {
		for (int i = 0; i < 90; i++) {
			snprintf(member, sizeof(member), "x/%d-%d.%s", f, i / 3,
				 (const char *const[]){ "jpg", "cls", "json" }[i % 3]);
			tar_add(&t, member, i % 3 ? i % 7 : i * 3777 % 200000, '0', 1 + f);
		}
		tar_save(&t, e.names[f]);
	}
	must_zero(devio_source_open_tar(e.names, 2, &here));
	must_zero(devio_source_open_tar(e.urls, 2, &s));
	must(source_info(s).items == 60 && source_info(s).bytes == source_info(here).bytes, "the same index");
	for (uint64_t i = 0; i < 60; i++)
		for (int k = 0; k < 3; k++) {
			struct devio_field a = source_field(s, i, k), b = source_field(here, i, k);

			must(a.off == b.off && a.len == b.len && !strcmp(a.key, b.key) && !strcmp(a.name, b.name),
			     "field");
		}
	load_all(&e, s, &o);
	read_all(&e, s, NULL);
	devio_source_close(s);
	devio_source_close(here);
	env_close(&e);
}

static void test_tensors(void **state)
{
	static const char h[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[2000001],\"data_offsets\":[0,2000001]},"
				"\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2000001,2000001]},"
				"\"c\":{\"dtype\":\"U8\",\"shape\":[77],\"data_offsets\":[2000001,2000078]}}";
	static const char h2[] = "{\"d\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]}}";
	char index[64], text[400];
	struct devio_source *s;
	struct env e;

	(void)state;
	env_open(&e, 16 << 20, 0);
	file_tensors(e.names[0], h, 2000078);
	file_tensors(e.names[1], h2, 5);
	must_zero(devio_source_open_safetensors(e.urls[0], &s));
	must(source_info(s).items == 3, "tensors");
	read_all(&e, s, NULL);
	load_all(&e, s, NULL);
	devio_source_close(s);
	snprintf(index, sizeof(index), "remote-%d.json", (int)getpid());
	snprintf(text, sizeof(text), "{\"weight_map\":{\"a\":\"%s\",\"b\":\"%s\",\"c\":\"%s\",\"d\":\"%s\"}}",
		 e.names[0], e.names[0], e.names[0], e.names[1]);
	file_write(index, text, strlen(text));
	must_zero(devio_source_open_safetensors(server_url(e.server.port, index), &s));
	must(source_info(s).items == 4 && source_info(s).files == 2, "tensors of two files");
	read_all(&e, s, NULL);
	devio_source_close(s);
	must_fail(devio_source_open_tar(&e.urls[0], 1, &s), -EBADMSG);
	must_fail(devio_source_open_safetensors(e.urls[2], &s), -ENOENT);
	unlink(index);
	env_close(&e);
}

/* More files than a connection has numbers for. */
static void test_many_files(void **state)
{
	enum { MANY = DV_WIRE_FILES + 40 };
	static char names[MANY][48];
	static const char *urls[MANY];
	const struct devio_loader_opts o = { O, .flags = DEVIO_LOADER_SHUFFLE };
	struct devio_source *s;
	struct env e;

	(void)state;
	env_open(&e, 4 << 20, 0);
	for (int i = 0; i < MANY; i++) {
		unsigned char buf[300];

		snprintf(names[i], sizeof(names[i]), "remote-%d-%d.tmp", (int)getpid(), i);
		rig_fill(buf, i, 0, sizeof(buf));
		file_write(names[i], buf, sizeof(buf));
		urls[i] = server_url(e.server.port, names[i]);
	}
	s = source_records(urls, MANY, 100, 0);
	load_all(&e, s, &o);
	devio_source_close(s);
	for (int i = 0; i < MANY; i++)
		unlink(names[i]);
	env_close(&e);
}

static void test_ranks(void **state)
{
	struct devio_loader_opts o = { O, .flags = DEVIO_LOADER_SHUFFLE, .shuffle_block = 3,
				       .world_size = 2, .num_workers = 3, .budget = 1 << 20 };
	struct devio_loader *l[6];
	unsigned char *seen;
	struct devio_source *s;
	uint64_t sum = 0;
	struct env e;

	(void)state;
	env_open(&e, 6 << 20, 0);
	for (int k = 0; k < FILES; k++)
		rig_file(e.names[k], 100 * 601, k + 1);
	s = source_records(e.urls, FILES, 601, 0);
	seen = calloc(1, 300);
	for (int i = 0; i < 6; i++) { /* all at once */
		o.rank = i / 3;
		o.worker = i % 3;
		o.mem_off = (uint64_t)i << 20;
		must_zero(devio_loader_open(e.ctx, s, e.mem, &o, &l[i]));
	}
	for (int i = 0; i < 6; i++) {
		sum += take_all(&e, s, l[i], seen);
		devio_loader_close(l[i]);
	}
	must(sum == 300, "all of them, once");
	free(seen);
	devio_source_close(s);
	env_close(&e);
}

/* Takes what is left of the epoch, items and failures; each failure must have one of the two errors. */
static uint64_t count_failed(struct devio_loader *l, int error, int other, uint64_t *good)
{
	struct devio_batch b = DEVIO_OPTS(b);
	uint64_t n = 0;
	int rc;

	*good = 0;
	while ((rc = devio_loader_next(l, &b, 20000000000LL)) == 1) {
		if (b.failed)
			must(strstr(devio_errmsg(), "tcp://"), "a sentence: %s", devio_errmsg());
		for (uint32_t i = 0; i < b.nr; i++)
			must(!b.items[i].error || b.items[i].error == error || b.items[i].error == other,
			     "error %d: %s", b.items[i].error, devio_errmsg());
		n += b.failed;
		*good += b.nr - b.failed;
		must_zero(devio_loader_release(l, b.slot));
	}
	must(!rc, "%d: %s", rc, devio_errmsg());
	return n;
}

/* The server goes in the middle of an epoch, and comes back. */
static void test_killed(void **state)
{
	const struct devio_loader_opts o = { O, .batch = 5, .slots = 2 };
	struct devio_batch b = DEVIO_OPTS(b);
	struct devio_loader *l;
	struct devio_source *s;
	uint64_t good, bad;
	struct env e;

	(void)state;
	env_open(&e, 4 << 20, 0);
	for (int k = 0; k < FILES; k++)
		rig_file(e.names[k], 100 * 4096, k + 1);
	s = source_records(e.urls, FILES, 4096, 0);
	must_zero(devio_loader_open(e.ctx, s, e.mem, &o, &l));
	must(devio_loader_next(l, &b, -1) == 1 && !b.failed, "the first batch");
	server_stop(&e.server, SIGKILL);
	must_zero(devio_loader_release(l, b.slot));
	bad = count_failed(l, -ECONNREFUSED, -ECONNRESET, &good);
	must(bad + good == 295 && bad >= 280, "%llu are lost, %llu come", (unsigned long long)bad,
	     (unsigned long long)good);
	e.server = server_start(e.server.port, NULL);
	usleep(1200000); /* until it is tried again */
	must_zero(devio_loader_start(l, 1, 0));
	must(take_all(&e, s, l, NULL) == 300, "it is there again");
	devio_loader_close(l);
	devio_source_close(s);
	env_close(&e);
}

/* A file that is another one now, or shorter: its items say so, the others come. */
static void test_changed(void **state)
{
	const struct devio_loader_opts o = { O, .batch = 5, .slots = 2 };
	struct devio_batch b = DEVIO_OPTS(b);
	struct devio_loader *l;
	struct devio_source *s;
	uint64_t good;
	struct env e;

	(void)state;
	env_open(&e, 4 << 20, 0);
	for (int k = 0; k < FILES; k++)
		rig_file(e.names[k], 50 * 4096, k + 1);
	s = source_records(e.urls, FILES, 4096, 0);
	rig_file(e.names[1], 50 * 4096, 9);
	must_zero(devio_loader_open(e.ctx, s, e.mem, &o, &l));
	must(count_failed(l, -ESTALE, 0, &good) == 50 && good == 100, "written since");
	must(strstr(devio_errmsg(), "indexed"), "%s", devio_errmsg());
	must_zero(devio_loader_start(l, 1, 0));
	must(devio_loader_next(l, &b, -1) == 1 && !b.failed, "the first batch");
	must(!truncate(e.names[0], 20 * 4096 + 5), "truncate"); /* it is open there */
	must_zero(devio_loader_release(l, b.slot));
	must(count_failed(l, -ESTALE, 0, &good) >= 80 && good >= 50, "truncated since");
	must(!unlink(e.names[2]), "unlink");
	devio_loader_close(l);
	must_zero(devio_loader_open(e.ctx, s, e.mem, &o, &l));
	must(count_failed(l, -ESTALE, -ENOENT, &good) == 150, "gone");
	devio_loader_close(l);
	devio_source_close(s);
	env_close(&e);
}

/* Closing with reads in flight, and an epoch begun anew during another. */
static void test_close(void **state)
{
	const struct devio_loader_opts o = { O, .batch = 5, .slots = 8, .flags = DEVIO_LOADER_SHUFFLE };
	struct devio_batch b = DEVIO_OPTS(b);
	struct devio_loader *l;
	struct devio_source *s;
	struct env e;

	(void)state;
	env_open(&e, 8 << 20, 0);
	for (int k = 0; k < FILES; k++)
		rig_file(e.names[k], 20 * 50000, k + 1);
	s = source_records(e.urls, FILES, 50000, 0);
	for (int i = 0; i < 5; i++) {
		must_zero(devio_loader_open(e.ctx, s, e.mem, &o, &l));
		must(devio_loader_next(l, &b, -1) == 1, "a batch");
		must_zero(devio_loader_release(l, b.slot));
		must_zero(devio_loader_start(l, i, 3));
		devio_loader_close(l);
	}
	devio_source_close(s);
	env_close(&e);
}

/* After the server has closed idle connections the reader connects again, and nothing fails. */
static void test_idle(void **state)
{
	static const char *const options[] = { "-w0.3", NULL };
	const struct devio_loader_opts o = { O, .batch = 5, .slots = 2 };
	struct devio_batch b = DEVIO_OPTS(b);
	struct devio_loader *l;
	struct devio_source *s;
	struct env e;

	(void)state;
	env_open(&e, 4 << 20, 0);
	server_stop(&e.server, SIGTERM);
	e.server = server_start(e.server.port, options);
	for (int k = 0; k < FILES; k++)
		rig_file(e.names[k], 30 * 4096, k + 1);
	s = source_records(e.urls, FILES, 4096, 0);
	must_zero(devio_loader_open(e.ctx, s, e.mem, &o, &l));
	for (int i = 0; i < 3; i++) {
		must(devio_loader_next(l, &b, -1) == 1 && !b.failed, "a batch");
		usleep(900000); /* a long step of the training */
		must_zero(devio_loader_release(l, b.slot));
	}
	must(take_all(&e, s, l, NULL) == 75, "the rest");
	devio_loader_close(l);
	devio_source_close(s);
	env_close(&e);
}

static void test_names(void **state)
{
	static const struct { const char *url, *word; } bad[] = {
		{ "tcp://", "path" }, { "tcp://host", "path" }, { "tcp://host:1/", "path" }, { "tcp://host/x", "port" },
		{ "tcp://:1/x", "host" }, { "tcp://[::1/x", "port" }, { "tcp://[::1]/x", "port" },
		{ "tcp://[]:1/x", "host" },
		{ "tcp://h:0/x", "65535" }, { "tcp://h:65536/x", "65535" }, { "tcp://h:123456/x", "65535" },
		{ "tcp://h:1x/x", "65535" }, { "tcp://h:-1/x", "65535" }, { "tcp://h:1//x", "absolute" },
	};
	struct devio_source *s;
	unsigned int port = 0;
	int l = plain_listen(AF_INET, &port);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		must_tell(devio_source_open_safetensors(bad[i].url, &s), -EINVAL, bad[i].word);
		must_tell(devio_source_open_tar(&bad[i].url, 1, &s), -EINVAL, "tcp://HOST:PORT/PATH");
	}
	close(l); /* connection refused from now on */
	must_fail(devio_source_open_safetensors(server_url(port, "x"), &s), -ECONNREFUSED);
}

/* By IPv6, where there is one. */
static void test_six(void **state)
{
	static const char *const options[] = { "-6", NULL };
	const char *name = rig_name("remote-six");
	struct devio_source *s;
	unsigned int port = 0;
	struct server server;
	char url[160];
	int l = plain_listen(AF_INET6, &port);

	(void)state;
	if (l < 0)
		skip();
	close(l);
	server = server_start(0, options);
	rig_file(name, 1000, 1);
	snprintf(url, sizeof(url), "tcp://[::1]:%u/%s", server.port, name);
	s = source_records((const char *const[]){ url }, 1, 10, 0);
	must(source_info(s).items == 100, "items");
	devio_source_close(s);
	must(!server_stop(&server, SIGINT), "it ends well");
	unlink(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_tar),
		cmocka_unit_test(test_tensors),
		cmocka_unit_test(test_many_files),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_six),
	};

	return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
