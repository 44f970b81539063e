/* SPDX-License-Identifier: MIT */
/* tar shards: samples as WebDataset makes them, and archives that are damaged. */
#include "files.h"

static int open_tar(const char *name, struct devio_source **s)
{
	return devio_source_open_tar(&name, 1, s);
}

static void test_samples(void **state)
{
	static const char *const members[] = { "a/0.jpg",  "a/0.json", "a/0.seg.PNG", "a/1.jpg", "0.jpg",
					       "__meta__", "README",   ".hidden",     "b.c/x",	 "a/0.jpg" };
	const char *names[] = { rig_name("shard"), rig_name("shard2") };
	struct devio_source *s;
	struct devio_field f;
	struct tar t = { 0 };
	size_t at[10];

	(void)state;
	for (int i = 0; i < 10; i++)
		at[i] = tar_add(&t, members[i], i * 700, '0', 3);
	tar_add(&t, "dir.d/", 0, '5', 0);
	tar_add(&t, "link.x", 0, '2', 0);
	tar_save(&t, names[0]);
	tar_add(&t, "a/0.txt", 5, '0', 0);
	tar_save(&t, names[1]);
	must_zero(devio_source_open_tar(names, 2, &s));
	must(source_info(s).items == 5 && source_info(s).max_fields == 3 && source_info(s).files == 2, "%llu samples",
	     (unsigned long long)source_info(s).items);
	must(devio_source_count(s, 0) == 3 && devio_source_count(s, 1) == 1, "fields");
	f = source_field(s, 0, 2);
	must(!strcmp(f.key, "a/0") && !strcmp(f.name, "seg.png") && f.off == at[2] && f.len == 1400 && f.file == 0,
	     "seg.png");
	f = source_field(s, 2, 0);
	must(!strcmp(f.key, "0") && f.off == at[4], "0");
	f = source_field(s, 4, 0);
	must(f.file == 1 && !strcmp(f.name, "txt"), "the same key in another shard is another sample");
	must(devio_source_find(s, "a/0") == 0 && devio_source_find(s, "a/1") == 1, "the first with that key");
	devio_source_close(s);
	unlink(names[0]);
	unlink(names[1]);
}

static void test_damaged(void **state)
{
	const char *name = rig_name("damaged");
	unsigned char zero[600] = { 0 };
	struct devio_source *s;
	struct tar t = { 0 };
	size_t at;

	(void)state;
	tar_add(&t, "0.a", 1000, '0', 1);
	at = tar_add(&t, "1.a", 1000, '0', 1);
	tar_save(&t, name);
	for (size_t len = 0; len < at + 1000; len += len < 1100 ? 1 : 37) {
		must(!truncate(name, 0), "truncate");
		tar_add(&t, "0.a", 1000, '0', 1);
		tar_add(&t, "1.a", 1000, '0', 1);
		tar_save(&t, name);
		must(!truncate(name, len), "truncate");
		/* An archive that ends where a member could begin has no end mark: tools take it. */
		if (len == 512 + 1024)
			continue;
		must_fail(open_tar(name, &s), -EBADMSG);
	}
	tar_add(&t, "0.a", 1000, '0', 1);
	t.data[150] ^= 1;
	tar_save(&t, name);
	must_tell(open_tar(name, &s), -EBADMSG, "damaged");
	tar_add(&t, "0.a", 1000, '0', 1);
	tar_add(&t, "0.A", 10, '0', 1);
	tar_save(&t, name);
	must_tell(open_tar(name, &s), -EBADMSG, "duplicate");
	file_write(name, "\x1f\x8b\x08 no tar at all", 17);
	must_tell(open_tar(name, &s), -EBADMSG, "compressed");
	file_write(name, zero, 0);
	must_tell(open_tar(name, &s), -EBADMSG, "empty");
	unlink(name);
}

/* A size that leaves the file, as octal and in base 256, and one that is negative. */
static void test_sizes(void **state)
{
	const char *name = rig_name("sizes");
	struct devio_source *s;
	struct tar t = { 0 };

	(void)state;
	for (int how = 0; how < 4; how++) {
		unsigned int sum = 0;

		tar_add(&t, "0.a", 1000, '0', 1);
		snprintf((char *)t.data + 124, 12, "%011llo", 3000ULL);
		if (how) {
			memset(t.data + 124, how == 1 ? 0 : how == 2 ? 0x7f : 0xff, 12);
			t.data[124] = how == 3 ? 0xff : 0x80;
			if (how == 1)
				t.data[131] = 1;
		}
		memset(t.data + 148, ' ', 8);
		for (int i = 0; i < 512; i++)
			sum += t.data[i];
		snprintf((char *)t.data + 148, 8, "%06o", sum);
		tar_save(&t, name);
		must_fail(open_tar(name, &s), -EBADMSG);
	}
	unlink(name);
}

static void test_many_fields(void **state)
{
	const char *name = rig_name("many");
	struct devio_source *s;
	struct tar t = { 0 };
	char member[32];

	(void)state;
	for (int i = 0; i < 1025; i++) {
		snprintf(member, sizeof(member), "0.f%d", i);
		tar_add(&t, member, 1, '0', 1);
		if (i != 1023)
			continue;
		file_write(name, t.data, t.len);
		must_zero(open_tar(name, &s));
		must(devio_source_count(s, 0) == 1024, "1024 fields");
		devio_source_close(s);
	}
	tar_save(&t, name);
	must_tell(open_tar(name, &s), -EBADMSG, "1024");
	must_fail(devio_source_open_tar(NULL, 1, &s), -EINVAL);
	must_fail(devio_source_open_tar(&name, 0, &s), -EINVAL);
	unlink(name);
}

/* An extended header of pax with one record. */
static void add_pax(struct tar *t, const char *key, const char *value)
{
	size_t len = strlen(key) + strlen(value) + 3;
	char record[300];
	size_t at;

	len += len + 1 > 9 ? len + 2 > 99 ? 3 : 2 : 1;
	snprintf(record, sizeof(record), "%zu %s=%s\n", len, key, value);
	must(strlen(record) == len, "the length of a record");
	at = tar_add(t, "pax", len, 'x', 0);
	memcpy(t->data + at, record, len);
}

/* Sizes of records about sparse files: an item never has bytes of the next member. */
static void test_spans(void **state)
{
	static const char *const records[][3] = {
		{ "GNU.sparse.size", "2048", "sparse" },
		{ "GNU.sparse.size", "0", "sparse" },
		{ "GNU.sparse.realsize", "2048", "sparse" },
		{ "GNU.sparse.realsize", "1025", "sparse" },
		{ "GNU.sparse.realsize", "1", "sparse" },
		{ "SCHILY.realsize", "2048", "sparse" },
		{ "SCHILY.realsize", "4611686018427387904", "truncated" },
		{ "SCHILY.realsize", "9223372036854775807", "truncated" },
	};
	const char *name = rig_name("spans");
	struct devio_source *s;
	struct devio_field f;
	struct tar t = { 0 };
	size_t at;

	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		add_pax(&t, records[i][0], records[i][1]);
		tar_add(&t, "a.txt", 1000, '0', 1);
		tar_add(&t, "b.txt", 3000, '0', 1);
		tar_save(&t, name);
		must(!truncate(name, i % 2 ? (off_t)1 << 40 : 8192), "truncate"); /* room for any size */
		must_tell(open_tar(name, &s), -EBADMSG, records[i][2]);
	}
	add_pax(&t, "size", "100"); /* the size of pax is the one that counts */
	at = tar_add(&t, "a.txt", 512, '0', 1);
	tar_add(&t, "b.txt", 3000, '0', 1);
	tar_save(&t, name);
	must_zero(open_tar(name, &s));
	f = source_field(s, 0, 0);
	must(f.off == at && f.len == 100 && source_info(s).items == 2, "100 bytes");
	devio_source_close(s);
	unlink(name);
}

/* Archives joined by cat are read to their end; anything else behind an end mark is refused. */
static void test_joined(void **state)
{
	const char *name = rig_name("joined");
	struct devio_source *s;
	struct tar t = { 0 };
	size_t second;

	(void)state;
	for (size_t zeros = 512; zeros <= 3 << 20; zeros = zeros == 512 ? 1024 : zeros == 1024 ? 10240 : 8 * zeros) {
		tar_add(&t, "0.a", 1000, '0', 1);
		t.data = realloc(t.data, t.len + zeros);
		memset(t.data + t.len, 0, zeros);
		t.len += zeros;
		second = tar_add(&t, "1.a", 1000, '0', 1);
		tar_save(&t, name);
		must_zero(open_tar(name, &s));
		must(source_info(s).items == 2 && source_field(s, 1, 0).off == second, "%zu zeros", zeros);
		devio_source_close(s);
	}
	for (size_t garbage = 1; garbage <= 4096; garbage *= 4) {
		tar_add(&t, "0.a", 1000, '0', 1);
		t.data = realloc(t.data, t.len + 1024 + garbage + 1024);
		memset(t.data + t.len + 1024, 'g', garbage);
		t.len += garbage;
		tar_save(&t, name);
		must_fail(open_tar(name, &s), -EBADMSG);
	}
	tar_add(&t, "0.a", 1000, '0', 1);
	second = tar_add(&t, "1.a", 20 << 20, '0', 0);
	memset(t.data + second, 0, 20 << 20); /* zeros of a member are none behind an archive */
	tar_save(&t, name);
	must_zero(open_tar(name, &s));
	devio_source_close(s);
	must(!truncate(name, 40 << 20), "truncate");
	must_tell(open_tar(name, &s), -EBADMSG, "zeros");
	unlink(name);
}

/* What libarchive warns of is no damage: names that are not UTF-8, records that nobody knows. */
static void test_warnings(void **state)
{
	static const char *const records[][3] = {
		{ "path", "b\xe4r.txt", "b\xe4r" }, { "uname", "J\xfcrgen", "a" },
		{ "gname", "\xff", "a" },           { "VENDOR.unknown", "\xe4", "a" },
	};
	const char *name = rig_name("warn");
	struct devio_source *s;
	struct tar t = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		add_pax(&t, records[i][0], records[i][1]);
		tar_add(&t, "a.txt", 1000, '0', 1);
		tar_add(&t, "z.txt", 1000, '0', 1);
		tar_save(&t, name);
		must_zero(open_tar(name, &s));
		must(source_info(s).items == 2 && !strcmp(source_field(s, 0, 0).key, records[i][2]), "%s: '%s'",
		     records[i][0], source_field(s, 0, 0).key);
		devio_source_close(s);
	}
	unlink(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many_fields),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_warnings),
	};

	return cmocka_run_group_tests_name("tar", tests, NULL, NULL);
}
