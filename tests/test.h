/* SPDX-License-Identifier: MIT */
/* What the tests add to cmocka: conditions with the library's own sentence. */
#ifndef TEST_H
#define TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* The condition must hold; the text says what that means. */
#define must(cond, ...) do { if (!(cond)) { \
	print_message("# %s:%d: %s\n", __FILE__, __LINE__, #cond); fail_msg(__VA_ARGS__); } } while (0)

/* The call must return 0. */
#define must_zero(expr) do { long must_rc = (long)(expr); if (must_rc) { \
	print_message("# %s:%d: %s\n", __FILE__, __LINE__, #expr); \
	fail_msg("%ld: %s", must_rc, devio_errmsg()); } } while (0)

/* The call must fail with this errno and leave a sentence. */
#define must_fail(expr, err) do { long must_rc = (long)(expr); \
	must(must_rc == (err), "%s: %ld, not %d: %s", #expr, must_rc, (int)(err), devio_errmsg()); \
	must(devio_errmsg()[0], "%s: a sentence", #expr); } while (0)

/* A skip has its reason; in TAP it is counted as one. */
#define must_skip(...) do { print_message("# skipped: " __VA_ARGS__); print_message("\n"); skip(); } while (0)

#endif
