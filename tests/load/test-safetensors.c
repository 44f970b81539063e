/* SPDX-License-Identifier: MIT */
/* safetensors: good files are read, bad ones are refused with the cause, one field broken at a time. */
#include "files.h"
#include <sys/resource.h>

#define ONE "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}"

static void test_good(void **state)
{
	static const char header[] = "{\"__metadata__\":{\"format\":\"pt\",\"x\":\"\\u00e4\"},"
		"\"b\":{\"dtype\":\"BF16\",\"shape\":[5,1],\"data_offsets\":[24,34]},"
		"\"\\u00fc.w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
		"\"none\":{\"dtype\":\"I64\",\"shape\":[0,7],\"data_offsets\":[34,34]},"
		"\"scalar\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[34,35]}}     ";
	const char *name = rig_name("good"), *key, *value;
	struct devio_source_info i;
	struct devio_source *s;
	struct devio_field f;

	(void)state;
	file_tensors(name, header, 35);
	must_zero(devio_source_open_safetensors(name, &s));
	i = source_info(s);
	must(i.kind == DEVIO_SOURCE_SAFETENSORS && i.items == 4 && i.files == 1 && i.bytes == 35 && i.max_bytes == 24 &&
	     i.max_fields == 1 && i.metas == 2, "info");
	f = source_field(s, devio_source_find(s, "b"), 0);
	must(!strcmp(f.key, "b") && !strcmp(f.dtype, "BF16") && f.rank == 2 && f.shape[0] == 5 && f.shape[1] == 1 &&
	     f.off == 8 + strlen(header) + 24 && f.len == 10 && !strcmp(f.path, name) && !*f.name, "b");
	must(devio_source_find(s, "\xc3\xbc.w") == 0, "the first of the data is the first item");
	f = source_field(s, devio_source_find(s, "none"), 0);
	must(f.len == 0 && f.rank == 2 && f.shape[0] == 0 && f.shape[1] == 7, "none");
	f = source_field(s, devio_source_find(s, "scalar"), 0);
	must(f.len == 1 && f.rank == 0, "scalar");
	must_fail(devio_source_find(s, "c"), -ENOENT);
	must_fail(devio_source_find(s, NULL), -ENOENT);
	must_zero(devio_source_get_meta(s, 1, &key, &value));
	must(!strcmp(key, "x") && !strcmp(value, "\xc3\xa4"), "metadata");
	must_fail(devio_source_get_meta(s, 2, &key, &value), -ERANGE);
	must_fail(devio_source_count(s, 4), -ERANGE);
	must_fail(devio_source_get_field(s, 0, 1, &f), -ERANGE);
	devio_source_close(s);
	unlink(name);
}

#define T(dtype, shape, offsets) "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

#define NO_JSON "invalid JSON"

static const struct bad {
	const char *header;
	size_t data;
	const char *word;
} bads[] = {
	{ T("32", "[2,3]", "[0,24]"), 24, "dtype" },
	{ T("\"F32\"", "[2,3]", "[0,24]"), 23, "truncated" },
	{ T("\"F32\"", "[2,3]", "[0,24]"), 25, "follow the last" },
	{ T("\"F32\"", "[2,4]", "[0,24]"), 24, "make 32 bytes" },
	{ T("\"F32\"", "[2,-3]", "[0,24]"), 24, "counts" },
	{ T("\"F32\"", "[2,3.0]", "[0,24]"), 24, "counts" },
	{ T("\"F32\"", "{}", "[0,24]"), 24, "counts" },
	{ T("\"F32\"", "null", "[0,24]"), 24, "counts" },
	{ T("\"F32\"", "[4294967296,4294967296]", "[0,24]"), 24, "2^64" },
	{ T("\"F32\"", "[2305843009213693952,2]", "[0,24]"), 24, "2^64" },
	{ T("\"F32\"", "[99999999999999999999]", "[0,24]"), 24, "counts" },
	{ T("\"F4\"", "[3]", "[0,1]"), 1, "inside a byte" },
	{ T("\"F32\"", "[2,3]", "[24,0]"), 24, "truncated, or wrong" },
	{ T("\"F32\"", "[2,3]", "[0,9223372036854775807]"), 24, "truncated" },
	{ T("\"F32\"", "[2,3]", "[-8,16]"), 24, "pair" },
	{ T("\"F32\"", "[2,3]", "[0]"), 24, "pair" },
	{ T("\"F32\"", "[2,3]", "[0,24,24]"), 24, "pair" },
	{ T("\"F32\"", "[2,3]", "[8,32]"), 32, "hole" },
	{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],"
	  "\"data_offsets\":[3,7]}}", 7, "overlaps" },
	{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"U8\",\"shape\":[4],"
	  "\"data_offsets\":[0,4]}}", 4, "duplicate" },
	{ "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "duplicate" },
	{ "{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "NUL" },
	{ "{\"a\xff\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, NO_JSON },
	{ "{\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "needs" },
	{ T("\"F33\"", "[2,-3]", "[0,24]"), 24, "counts" },
	{ T("\"F33\"", "[2,3]", "[0,25]"), 24, "truncated" },
	{ "{\"a\":7}", 0, "needs" },
	{ "{\"__metadata__\":{\"a\":1}}", 0, "strings" },
	{ "{\"__metadata__\":[]}", 0, "strings" },
	{ "{'a':{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, NO_JSON },
	{ "{} x", 0, NO_JSON },
	{ "{}{}", 0, NO_JSON },
	{ "[{}]", 0, "not a JSON object" },
	{ " {}", 0, "not a JSON object" },
	{ "{\"a\":", 0, "unexpected end" },
	{ "{\"a\":[1,]}", 0, NO_JSON },
	{ "{\"a\":[1 2]}", 0, NO_JSON },
	{ "{\"a\":[01]}", 0, NO_JSON },
	{ "{\"a\":[+1]}", 0, NO_JSON },
	{ "{\"a\":[1.]}", 0, NO_JSON },
	{ "{\"a\":[-]}", 0, NO_JSON },
	{ "{\"a\":[1e]}", 0, NO_JSON },
	{ "{\"a\":[.5]}", 0, NO_JSON },
	{ "{\"a\":[nul]}", 0, NO_JSON },
	{ "{\"a\":[NaN]}", 0, NO_JSON },
	{ "{\"a\":[True]}", 0, NO_JSON },
	{ "{\"__metadata__\":{}", 0, "unexpected end" },
	{ "{\"a\":[}", 0, NO_JSON },
	{ "{\"__metadata__\":null]", 0, NO_JSON },
	{ "{\"a\" 1}", 0, NO_JSON },
	{ "{\"a\":}", 0, NO_JSON },
	{ "{,}", 0, NO_JSON },
	{ "{\"__metadata__\":null,}", 0, NO_JSON },
	{ "{a:1}", 0, NO_JSON },
	{ "{\"\x01\":1}", 0, NO_JSON },
	{ "{\"\\x41\":1}", 0, NO_JSON },
	{ "{\"\\u12g4\":1}", 0, NO_JSON },
	{ "{\"\\ud800\":1}", 0, NO_JSON },
	{ "{\"\\ud800\\u0041\":1}", 0, NO_JSON },
	{ "{\"\\udc00\":1}", 0, NO_JSON },
	{ "{\"\xc0\xaf\":1}", 0, NO_JSON },
	{ "{\"\xed\xa0\x80\":1}", 0, NO_JSON },
	{ "{\"\xf4\x90\x80\x80\":1}", 0, NO_JSON },
	{ "{\"\xe2\x82\":1}", 0, NO_JSON },
	{ "{\"a", 0, NO_JSON },
	{ "{\"a\\", 0, NO_JSON },
	{ "{\"a\\u00", 0, NO_JSON },
	{ "{} // x", 0, NO_JSON },
	{ "{\"__metadata__\":{\"k\":\"1\",\"\\u006b\":\"2\"}}", 0, "duplicate" },
	{ "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate" },
	{ "{\"__metadata__\":{\"k\":\"\\u0000\"}}", 0, "NUL" },
	{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"\\u0061\":{\"dtype\":\"U8\","
	  "\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "duplicate" },
	{ "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", 0, NO_JSON },
};

static void must_refuse(const char *name, const struct bad *b)
{
	struct devio_source *s;

	file_tensors(name, b->header, b->data);
	must_fail(devio_source_open_safetensors(name, &s), -EBADMSG);
	must(strstr(devio_errmsg(), b->word), "'%s' is not in: %s", b->word, devio_errmsg());
	must(strstr(devio_errmsg(), name), "the file is named: %s", devio_errmsg());
}

static void test_bad(void **state)
{
	const char *name = rig_name("bad");
	int fds = rig_fds();

	(void)state;
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
		must_refuse(name, &bads[i]);
	must(rig_fds() == fds, "no descriptor is left open");
	unlink(name);
}

/* The length before the header: more than there is, than is allowed, than a size_t. */
static void test_length(void **state)
{
	static const uint64_t claims[] = { 0,
					   1,
					   sizeof(ONE) - 2,
					   sizeof(ONE),
					   sizeof(ONE) + 23,
					   sizeof(ONE) + 24,
					   100 << 20,
					   (100 << 20) + 1,
					   1ULL << 32,
					   1ULL << 63,
					   UINT64_MAX,
					   UINT64_MAX - 7 };
	const char *name = rig_name("length");
	struct devio_source *s;

	(void)state;
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		file_tensors_claim(name, ONE, sizeof(ONE) - 1, 24, claims[i]);
		must_fail(devio_source_open_safetensors(name, &s), -EBADMSG);
	}
	for (size_t n = 0; n < 8 + sizeof(ONE) - 1 + 24; n++) {
		file_tensors(name, ONE, 24);
		must(!truncate(name, n), "truncate");
		must_fail(devio_source_open_safetensors(name, &s), -EBADMSG);
	}
	file_tensors(name, ONE, 24);
	must_zero(devio_source_open_safetensors(name, &s));
	devio_source_close(s);
	unlink(name);
}

static void write_index(const char *name, const char *text)
{
	file_write(name, text, strlen(text));
}

#define SHARD(key) "{\"" key "\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]}}"

static void test_index(void **state)
{
	static const struct bad bad[] = {
		{ "{\"metadata\":{}}", 0, "weight_map" },
		{ "{\"weight_map\":[]}", 0, "weight_map" },
		{ "{\"weight_map\":{\"a\":1}}", 0, "names" },
		{ "{\"weight_map\":{\"a\":\"../x1.tmp\",\"b\":\"x2.tmp\"}}", 0, "not a file name" },
		{ "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", 0, "not a file name" },
		{ "{\"weight_map\":{\"a\":\"..\"}}", 0, "not a file name" },
		{ "{\"weight_map\":{\"a\":\"\"}}", 0, "not a file name" },
		{ "{\"weight_map\":{\"a\":\"x1.tmp\",\"b\":\"x1.tmp\"}}", 0, "'b' is not in" },
		{ "{\"weight_map\":{\"b\":\"x1.tmp\"}}", 0, "'b' is not in" },
		{ "{\"weight_map\":{\"a\":\"x2.tmp\",\"b\":\"x1.tmp\"}}", 0, "is not in" },
		{ "{\"weight_map\":{\"a\":\"x1.tmp\",\"b\":\"x2.tmp\",\"c\":\"x2.tmp\"}}", 0, "'c' is not in" },
		{ "{\"weight_map\":{},\"weight_map\":{}}", 0, "duplicate" },
		{ "{\"weight_map\":{\"a\":\"x1.tmp\",\"a\":\"x1.tmp\",\"b\":\"x2.tmp\"}}", 0, "duplicate" },
		{ "[1]", 0, "not an object" },
		{ "", 0, NO_JSON },
	};
	struct devio_source *s;
	struct devio_field f;

	(void)state;
	file_tensors("x1.tmp", SHARD("a"), 5);
	file_tensors("x2.tmp", SHARD("b"), 5);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_index("x.tmp.json", bad[i].header);
		must_tell(devio_source_open_safetensors("./x.tmp.json", &s), -EBADMSG, bad[i].word);
	}
	write_index("x.tmp.json", "{\"weight_map\":{\"a\":\"x1.tmp\",\"b\":\"x3.tmp\"}}");
	must_tell(devio_source_open_safetensors("x.tmp.json", &s), -ENOENT, "x3.tmp");
	write_index("x.tmp.json",
		    "{\"metadata\":{\"total_size\":10},\"weight_map\":{\"b\":\"x2.tmp\",\"a\":\"x1.tmp\"}}");
	must_zero(devio_source_open_safetensors("./x.tmp.json", &s));
	f = source_field(s, devio_source_find(s, "b"), 0);
	must(f.file == 1 && !strcmp(f.path, "./x2.tmp") && source_info(s).files == 2, "b is in the second file");
	devio_source_close(s);
	unlink("x.tmp.json");
	unlink("x1.tmp");
	unlink("x2.tmp");
}

/* What safetensors' own reader takes, and dtypes that nobody knows yet. */
static void test_taken(void **state)
{
	static const struct {
		const char *header, *dtype;
		uint64_t len;
	} good[] = {
		{ "{\"__metadata__\":null,\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "U8", 4 },
		{ "{\"a\":{\"x\":{\"y\":[null]},\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "U8", 4 },
		{ "{\"\\ud83d\\ude00\\/\\n\" : { \"x\":[true,false,null,-0.5e+9,\"\\u0000\"],"
		  "\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]} }\n", "U8", 4 },
		{ T("\"F8_E8M0\"", "[4]", "[0,4]"), "F8_E8M0", 4 },
		{ T("\"F8_E4M3FNUZ\"", "[4]", "[0,4]"), "F8_E4M3FNUZ", 4 },
		{ T("\"F8_E5M2FNUZ\"", "[2,2]", "[0,4]"), "F8_E5M2FNUZ", 4 },
		{ T("\"F4\"", "[2,4]", "[0,4]"), "F4", 4 },
		{ T("\"F6_E2M3\"", "[4]", "[0,3]"), "F6_E2M3", 3 },
		{ T("\"F6_E3M2\"", "[8]", "[0,6]"), "F6_E3M2", 6 },
		{ T("\"I3_of_2031\"", "[7,3]", "[0,5]"), "I3_of_2031", 5 },
	};
	const char *name = rig_name("taken");
	struct devio_source *s;
	struct devio_field f;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		file_tensors(name, good[i].header, good[i].len);
		must_zero(devio_source_open_safetensors(name, &s));
		f = source_field(s, 0, 0);
		must(source_info(s).items == 1 && source_info(s).metas == 0 && f.len == good[i].len &&
		     !strcmp(f.dtype, good[i].dtype), "%s", good[i].header);
		devio_source_close(s);
	}
	unlink(name);
}

/* Tensors that the index does not name, or gives to another file, are left out. */
static void test_index_decides(void **state)
{
	static const char both[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]},"
				   "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[5,8]},"
				   "\"c\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]}}";
	struct devio_source *s;
	struct devio_field f;

	(void)state;
	file_tensors("x1.tmp", both, 9);
	file_tensors("x2.tmp", both, 9);
	write_index("x.tmp.json", "{\"weight_map\":{\"b\":\"x2.tmp\",\"a\":\"x1.tmp\"}}");
	must_zero(devio_source_open_safetensors("x.tmp.json", &s));
	must(source_info(s).items == 2 && source_info(s).bytes == 8, "a and b alone");
	f = source_field(s, devio_source_find(s, "a"), 0);
	must(!strcmp(f.path, "x1.tmp") && f.len == 5, "a is of the first");
	f = source_field(s, devio_source_find(s, "b"), 0);
	must(!strcmp(f.path, "x2.tmp") && f.len == 3, "b is of the second");
	must_fail(devio_source_find(s, "c"), -ENOENT);
	devio_source_close(s);
	unlink("x.tmp.json");
	unlink("x1.tmp");
	unlink("x2.tmp");
}

/* A header of this text, `unit` as often as fits into 4 MiB, and this text. */
static char *repeated(const char *before, const char *unit, const char *after)
{
	size_t len = strlen(unit), nr = (4u << 20) / len, at = strlen(before);
	char *text = malloc(at + nr * len + strlen(after) + 1);

	must(text, "memory");
	strcpy(text, before);
	for (size_t i = 0; i < nr; i++, at += len)
		memcpy(text + at, unit, len);
	strcpy(text + at - 1, after); /* over the last comma */
	return text;
}

static long peak_kib(void)
{
	struct rusage u;

	must(!getrusage(RUSAGE_SELF, &u), "getrusage");
	return u.ru_maxrss;
}

/* What is refused or skipped takes no memory, and no time that grows faster than the file. */
static void test_hostile(void **state)
{
	static const struct {
		const char *before, *unit, *after, *word;
	} texts[] = {
		{ "{\"a\":[", "{},", "]}", "needs" },
		{ "{\"a\":[", "[],", "]}", "needs" },
		{ "{\"a\":[", "0,", "]}", "needs" },
		{ "{\"a\":{", "\"b\":0,", "}}", "needs" },
		{ "{\"__metadata__\":{", "\"b\":\"\",", "}}", "duplicate" },
		{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[", "9223372036854775807,", "],\"data_offsets\":[0,0]}}", "64" },
		{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[", "0,", "],\"data_offsets\":[0,0]}}", "64" },
		{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[", "0,", "]}}", "pair" },
		{ "{\"a\":", "[,", "]}", NO_JSON },
		{ "{", "\"a\":{\"dtype\":\"X\",\"shape\":[0],\"data_offsets\":[0,0]},", "}", "duplicate" },
	};
	const char *name = rig_name("hostile");
	struct devio_source *s;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *text = repeated(texts[i].before, texts[i].unit, texts[i].after);
		long before;

		file_tensors(name, text, 0);
		before = peak_kib();
		must_tell(devio_source_open_safetensors(name, &s), -EBADMSG, texts[i].word);
		must(peak_kib() - before < 3 * 4096, "%s: %ld KiB for 4 MiB", texts[i].unit, peak_kib() - before);
		free(text);
	}
	unlink(name);
}

/* 100,000 tensors: each is found by its name, and the first of the data is the first item. */
static void test_many(void **state)
{
	enum { NR = 100000 };
	const char *name = rig_name("many");
	char *text = malloc(NR * 80 + 2), *to = text, key[16];
	struct devio_source *s;

	(void)state;
	must(text, "memory");
	*to++ = '{';
	for (int i = NR - 1; i >= 0; i--)
		to += sprintf(to, "\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}%c", i, i, i + 1,
			      i ? ',' : '}');
	file_tensors(name, text, NR);
	must_zero(devio_source_open_safetensors(name, &s));
	must(source_info(s).items == NR, "all of them");
	for (int i = 0; i < NR; i++) {
		snprintf(key, sizeof(key), "t%d", i);
		must(devio_source_find(s, key) == i && source_field(s, i, 0).len == 1, "%s", key);
	}
	must_fail(devio_source_find(s, "t100000"), -ENOENT);
	devio_source_close(s);
	free(text);
	unlink(name);
}

static void test_dtypes(void **state)
{
	struct devio_dtype d = DEVIO_OPTS(d);
	unsigned int n = 0;

	(void)state;
	for (; !devio_dtype_get(n, &d); n++) {
		must(*d.name && d.bits && devio_dtype_find(d.name) == (int)n, "%s", d.name);
		d.sz = sizeof(d);
	}
	must(n >= 20, "%u dtypes", n);
	must_fail(devio_dtype_get(n, &d), -ERANGE);
	must_zero(devio_dtype_get((unsigned int)devio_dtype_find("BF16"), &d));
	must(d.bits == 16 && d.dlpack == 4 && !strcmp(d.torch, "bfloat16"), "BF16");
	must_fail(devio_dtype_find("F33"), -ENOENT);
	must_fail(devio_dtype_find(NULL), -ENOENT);
	d.sz = 0;
	must_fail(devio_dtype_get(0, &d), -EINVAL);
}

static void test_arguments(void **state)
{
	struct devio_source_info i = { 0 };
	struct devio_source *s;
	const char *name = rig_name("fifo");

	(void)state;
	must_fail(devio_source_open_safetensors(NULL, &s), -EINVAL);
	must_fail(devio_source_open_safetensors("x", NULL), -EINVAL);
	must_fail(devio_source_open_safetensors("does-not-exist", &s), -ENOENT);
	must_fail(devio_source_open_safetensors(".", &s), -EISDIR);
	must(!mkfifo(name, 0600), "mkfifo");
	must_fail(devio_source_open_safetensors(name, &s), -EINVAL);
	unlink(name);
	must_fail(devio_source_get_info(NULL, &i), -EINVAL);
	must_fail(devio_source_count(NULL, 0), -EINVAL);
	must_fail(devio_source_find(NULL, "x"), -EINVAL);
	devio_source_close(NULL);
	file_tensors(name, ONE, 24);
	must_zero(devio_source_open_safetensors(name, &s));
	must_fail(devio_source_get_info(s, &i), -EINVAL);
	devio_source_close(s);
	unlink(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_index_decides),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_dtypes),
		cmocka_unit_test(test_arguments),
	};

	return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
