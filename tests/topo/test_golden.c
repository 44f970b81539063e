/* SPDX-License-Identifier: MIT */
/*
 * devio-probe --json on each captured machine, against the JSON beside it.
 * DEVIO_GOLDEN=write writes those files instead: read the difference in git.
 */
#include "config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <json-c/json.h>
#include "tree.h"

static const char *env(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v && *v ? v : otherwise;
}

static char *slurp(FILE *f)
{
	char *text = NULL;
	size_t n = 0, got;

	do {
		text = realloc(text, n + 65536 + 1);
		assert_non_null(text);
		got = fread(text + n, 1, 65536, f);
		n += got;
	} while (got);
	text[n] = 0;
	return text;
}

static char *run(const char *dir, const char *what, const char *args)
{
	char cmd[8192], *text;
	FILE *p;

	snprintf(cmd, sizeof(cmd), "%s/tools/devio-probe --root %s %s %s", env("DEVIO_BUILD", "."), dir, what, args);
	p = popen(cmd, "r");
	assert_non_null(p);
	text = slurp(p);
	assert_int_equal(pclose(p), 0);
	return text;
}

/* The first place where two JSON texts differ, for the message. */
static int differ(struct json_object *want, struct json_object *got, const char *at)
{
	char deeper[512];

	if (json_object_equal(want, got))
		return 0;
	if (json_object_is_type(want, json_type_object) && json_object_is_type(got, json_type_object)) {
		json_object_object_foreach(want, key, val) {
			struct json_object *other = NULL;

			json_object_object_get_ex(got, key, &other);
			snprintf(deeper, sizeof(deeper), "%.400s.%s", at, key);
			if (differ(val, other, deeper))
				return 1;
		}
	} else if (json_object_is_type(want, json_type_array) && json_object_is_type(got, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(want) && i < json_object_array_length(got); i++) {
			snprintf(deeper, sizeof(deeper), "%.400s[%zu]", at, i);
			if (differ(json_object_array_get_idx(want, i), json_object_array_get_idx(got, i), deeper))
				return 1;
		}
	}
	print_message("# %s: wanted %s\n", at, json_object_to_json_string(want));
	print_message("# %s: got    %s\n", at, json_object_to_json_string(got));
	return 1;
}

static void write_golden(const char *path, struct json_object *got)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, "%s\n", json_object_to_json_string_ext(got, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	assert_int_equal(fclose(f), 0);
}

static void compare(const char *path, char *text)
{
	struct json_object *got = json_tokener_parse(text), *want;

	assert_non_null(got);
	json_object_object_del(got, "devio_version");
	if (!strcmp(env("DEVIO_GOLDEN", ""), "write"))
		write_golden(path, got);
	want = json_object_from_file(path);
	assert_non_null(want);
	if (differ(want, got, ""))
		fail_msg("%s is not what devio-probe says now", path);
	json_object_put(want);
	json_object_put(got);
}

/* No line has more columns. */
static void fits(const char *text, size_t columns)
{
	while (*text) {
		size_t n = strcspn(text, "\n"), wide = 0;

		for (size_t i = 0; i < n; i++)
			wide += (text[i] & 0xc0) != 0x80;
		if (wide > columns)
			fail_msg("%zu columns: %.*s", wide, (int)n, text);
		text += n + !!text[n];
	}
}

/* Every drive of the golden JSON is in the drawing, NVMe or not. */
static void has_drives(const char *text, const char *json)
{
	struct json_object *all = json_object_from_file(json), *block, *b, *value;

	assert_true(json_object_object_get_ex(all, "block", &block));
	for (size_t i = 0; i < json_object_array_length(block); i++) {
		const char *kind, *name;

		b = json_object_array_get_idx(block, i);
		assert_true(json_object_object_get_ex(b, "kind", &value));
		kind = json_object_get_string(value);
		assert_true(json_object_object_get_ex(b, "name", &value));
		name = json_object_get_string(value);
		if ((!strcmp(kind, "disk") || !strcmp(kind, "nvme") || !strcmp(kind, "nvme-path")) &&
		    !strstr(text, name))
			fail_msg("%s (%s) is not drawn", name, kind);
	}
	json_object_put(all);
}

static void golden(void **state)
{
	const char *name = *state, *src = env("DEVIO_SRC", ".");
	char dir[] = "golden.XXXXXX", tree[4096], json[4096], *args, *text;

	snprintf(tree, sizeof(tree), "%s/tests/data/sysfs-%s.tree", src, name);
	snprintf(json, sizeof(json), "%s/tests/data/sysfs-%s.json", src, name);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(tree_unpack(tree, dir), 0);
	args = tree_probe_args(tree);
	text = run(dir, "--json", args);
	compare(json, text);
	free(text);
	/* The other two outputs have no golden file. */
	text = run(dir, "", args);
	assert_non_null(strstr(text, "file-bounce"));
	free(text);
	text = run(dir, "", "");
	assert_non_null(strstr(text, "Peer-to-peer reachability"));
	assert_non_null(strstr(text, "\nVerdict\n"));
	fits(text, 80);
	free(text);
	text = run(dir, "", args);
	fits(text, 80);
	free(text);
	assert_int_equal(setenv("COLUMNS", "44", 1), 0);
	text = run(dir, "", "");
	fits(text, 44);
	free(text);
	unsetenv("COLUMNS");
	text = run(dir, "--dot", "");
	assert_non_null(strstr(text, "digraph"));
	assert_non_null(strstr(text, "legend"));
	has_drives(text, json);
	free(text);
	free(args);
	tree_remove(dir);
}

int main(void)
{
#define GOLDEN(n) { n, golden, NULL, NULL, (void *)(uintptr_t)n }
	const struct CMUnitTest tests[] = {
		GOLDEN("desktop-zen"), GOLDEN("server-switch"), GOLDEN("server-acs"), GOLDEN("stack"), GOLDEN("cloud"),
		GOLDEN("microvm"), GOLDEN("broken"),
	};

	return cmocka_run_group_tests_name("topo-golden", tests, NULL, NULL);
}
