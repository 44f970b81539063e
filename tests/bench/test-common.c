/* SPDX-License-Identifier: MIT */
/* What the tools share: the nearest option, text that fits the terminal, signals beside busy descriptors. */
#include "config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/opts.h"
#include "common/table.h"
#include "common/term.h"
#include "common/tool.h"

static const char *nearest(const char *word)
{
	static const char *const names[] = { "block-size", "depth", "direct-only", "json", "mem", "no-progress", "path",
					     "progress", "sync", "verify", "iodepth_batch" };
	struct opt_guess g;

	opt_guess_begin(&g, word, strlen(word));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		opt_guess(&g, names[i]);
	return g.best ? g.best : "";
}

static void guesses(void **state)
{
	(void)state;
	assert_string_equal(nearest("verfy"), "verify");
	assert_string_equal(nearest("vreify"), "verify");
	assert_string_equal(nearest("verifyy"), "verify");
	assert_string_equal(nearest("jsno"), "json");
	assert_string_equal(nearest("men"), "mem");
	assert_string_equal(nearest("direct"), "direct-only");
	assert_string_equal(nearest("block_size"), "block-size");
	assert_string_equal(nearest("iodepth-bacth"), "iodepth_batch");
	assert_string_equal(nearest("noprogress"), "no-progress");
	assert_string_equal(nearest(""), "");
	assert_string_equal(nearest("x"), "");
	assert_string_equal(nearest("output"), "");
	assert_string_equal(nearest("queue-size-of-the-block-layer-in-the-kernel"), "");
}

static void sizes(void **state)
{
	static const struct { const char *text; uint64_t bytes; } good[] = {
		{ "4m", 4 << 20 }, { "4M", 4 << 20 }, { "4k", 4096 }, { "4K", 4096 }, { "1g", 1 << 30 },
		{ "1T", 1ull << 40 }, { "1t", 1ull << 40 }, { "4mib", 4 << 20 }, { "4MiB", 4 << 20 },
		{ "4mb", 4000000 }, { "4MB", 4000000 }, { "4kb", 4000 },
	};
	static const char *const bad[] = { "4x", "4mi", "4mbb", "m", "", "-4m", "4 m" };
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		bytes = 0;
		if (opt_size(good[i].text, &bytes) || bytes != good[i].bytes)
			fail_msg("%s: %llu", good[i].text, (unsigned long long)bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!opt_size(bad[i], &bytes))
			fail_msg("%s was accepted", bad[i]);
}

static void fits(void **state)
{
	(void)state;
	assert_int_equal(term_fit("one two three", 20), 13);
	assert_int_equal(term_fit("one two three", 13), 13);
	assert_int_equal(term_fit("one two three", 12), 7);
	assert_int_equal(term_fit("one two three", 7), 7);
	assert_int_equal(term_fit("/usr/share/devio/file", 12), 11);
	assert_int_equal(term_fit("0000:01:00.0", 8), 8);
	assert_int_equal(term_fit("1.5 MiB/s", 8), 3);
	assert_int_equal(term_fit("nvme0n1,nvme1n1", 10), 8);
	assert_int_equal(term_fit("devio:file-host", 10), 6);
	assert_int_equal(term_fit("unbreakable", 4), 4);
	assert_int_equal(term_fit("\xc3\xa4\xc3\xb6\xc3\xbc", 2), 4);
	assert_int_equal(term_columns("\xc3\xa4x"), 2);
}

/* Cells of every length, at every width: no line is wider, and no letter is lost. */
static void tables(void **state)
{
	(void)state;
	for (unsigned int width = 20; width < 100; width++) {
		char columns[16], *text = NULL, cell[64];
		size_t size = 0, letters = 0, found = 0, line = 0;
		FILE *out = tmpfile();
		struct table t = { .right = width & 6 };

		assert_non_null(out);
		snprintf(columns, sizeof(columns), "%u", width);
		assert_int_equal(setenv("COLUMNS", columns, 1), 0);
		table_row(&t, 4, "W", "W", "W", "W");
		for (unsigned int i = 0; i < 40; i++) {
			size_t n = (i * 7 + width) % 30;

			for (size_t k = 0; k < n; k++)
				cell[k] = k % 9 == 5 ? ' ' : 'x';
			cell[n] = '\0';
			table_cell(&t, cell);
			for (size_t k = 0; k < n; k++)
				letters += cell[k] == 'x';
		}
		table_print(&t, out);
		rewind(out);
		size = 65536;
		text = calloc(1, size);
		assert_non_null(text);
		assert_true(fread(text, 1, size - 1, out) > 0);
		for (const char *c = text; *c; c++) {
			found += *c == 'x';
			line = *c == '\n' ? 0 : line + 1;
			if (line > width)
				fail_msg("%u columns: %s", width, text);
		}
		assert_int_equal(found, letters);
		free(text);
		fclose(out);
	}
	unsetenv("COLUMNS");
}

static void signals(void **state)
{
	const struct timespec none = { 0 };
	struct pollfd p = { .events = POLLIN };
	int fds[2];
	sigset_t open;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	p.fd = fds[0];
	assert_int_equal(write(fds[1], "x", 1), 1);
	tool_block_signals(0, &open);
	raise(SIGTERM);
	assert_int_equal(tool_stop, 0);
	assert_int_equal(tool_poll(&p, 1, &none, &open), 1);
	assert_int_equal(tool_stop, SIGTERM);
	tool_stop = 0;
	raise(SIGTERM);
	assert_int_equal(tool_stop, 0);         /* blocked again */
	assert_int_equal(tool_poll(&p, 1, &none, &open), 1);
	assert_int_equal(tool_stop, SIGTERM);
	close(fds[0]);
	close(fds[1]);
}

static void sentences(void **state)
{
	struct tool_error e = { .status = 0 };

	(void)state;
	assert_int_equal(tool_fail(&e, TOOL_USAGE, "first %d", 1), -1);
	assert_int_equal(tool_fail(&e, TOOL_FAILED, "second"), -1);
	assert_int_equal(e.status, TOOL_USAGE);
	assert_string_equal(e.text, "first 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guesses), cmocka_unit_test(sizes), cmocka_unit_test(fits),
		cmocka_unit_test(tables), cmocka_unit_test(signals),
		cmocka_unit_test(sentences),
	};

	return cmocka_run_group_tests_name("common", tests, NULL, NULL);
}
