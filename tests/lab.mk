# SPDX-License-Identifier: MIT
# Tests that run here with host memory, and in the lab's rows with device memory.
if HAVE_CMOCKA
check_PROGRAMS += tests/sys/test-matrix tests/sys/test-nomap tests/sys/test-vanish
TESTS += tests/sys/test-matrix tests/sys/test-nomap tests/sys/test-vanish
endif
tests_sys_test_matrix_CFLAGS = $(AM_CFLAGS) -I$(top_srcdir)/tests $(CMOCKA_CFLAGS) -pthread
tests_sys_test_matrix_LDADD = lib/libdevio.la $(CMOCKA_LIBS)
tests_sys_test_nomap_CFLAGS = $(AM_CFLAGS) -I$(top_srcdir)/tests $(CMOCKA_CFLAGS)
tests_sys_test_nomap_LDADD = lib/libdevio.la $(CMOCKA_LIBS)
tests_sys_test_vanish_CFLAGS = $(AM_CFLAGS) -I$(top_srcdir)/tests $(CMOCKA_CFLAGS) -pthread
tests_sys_test_vanish_LDADD = lib/libdevio.la $(CMOCKA_LIBS)
