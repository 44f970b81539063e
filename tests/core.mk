# SPDX-License-Identifier: MIT
# Tests of rings, files and paths.
EXTRA_DIST += tests/test.h
if HAVE_CMOCKA
sys_tests = tests/sys/test-file-rw
check_PROGRAMS += $(sys_tests)
TESTS += $(sys_tests)
endif
sys_cflags = $(AM_CFLAGS) -I$(top_srcdir)/tests $(CMOCKA_CFLAGS)
sys_libs = lib/libdevio.la $(CMOCKA_LIBS)
tests_sys_test_file_rw_CFLAGS = $(sys_cflags)
tests_sys_test_file_rw_LDADD = $(sys_libs)
