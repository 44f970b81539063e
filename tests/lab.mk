# SPDX-License-Identifier: MIT
# Tests that run here with host memory, and in the lab's rows with device memory.
if HAVE_CMOCKA
check_PROGRAMS += tests/sys/test-matrix
TESTS += tests/sys/test-matrix
endif
tests_sys_test_matrix_CFLAGS = $(AM_CFLAGS) -I$(top_srcdir)/tests $(CMOCKA_CFLAGS) -pthread
tests_sys_test_matrix_LDADD = lib/libdevio.la $(CMOCKA_LIBS)
