# SPDX-License-Identifier: MIT
# file-dmabuf against a double of the kernel interface, as most kernels lack it.
dmabuf_wraps = -Wl,--wrap=syscall -Wl,--wrap=io_uring_submit -Wl,--wrap=io_uring_submit_and_wait \
	-Wl,--wrap=io_uring_submit_and_get_events -Wl,--wrap=io_uring_submit_and_wait_timeout \
	-Wl,--wrap=io_uring_register_buffers_update_tag -Wl,--wrap=io_uring_queue_exit
EXTRA_DIST += tests/dmabuf/fake.h tests/dmabuf/dmabuftest.h
if HAVE_CMOCKA
check_LTLIBRARIES += tests/dmabuf/libfake.la
tests_dmabuf_libfake_la_SOURCES = tests/dmabuf/fake.c tests/dmabuf/memfd.c
tests_dmabuf_libfake_la_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
dmabuf_tests = tests/dmabuf/test-dmabuf tests/dmabuf/test-dmabuf-cache tests/dmabuf/test-dmabuf-rw \
	tests/dmabuf/test-dmabuf-absent
check_PROGRAMS += $(dmabuf_tests)
TESTS += $(dmabuf_tests)
dmabuf_cflags = $(AM_CFLAGS) -I$(top_srcdir)/tests $(CMOCKA_CFLAGS) $(URING_CFLAGS)
dmabuf_libs = tests/dmabuf/libfake.la lib/libdv.la $(CMOCKA_LIBS) $(URING_LIBS)
dmabuf_ldflags = $(AM_LDFLAGS) $(dmabuf_wraps)
tests_dmabuf_test_dmabuf_CFLAGS = $(dmabuf_cflags)
tests_dmabuf_test_dmabuf_LDADD = $(dmabuf_libs)
tests_dmabuf_test_dmabuf_LDFLAGS = $(dmabuf_ldflags)
tests_dmabuf_test_dmabuf_cache_CFLAGS = $(dmabuf_cflags)
tests_dmabuf_test_dmabuf_cache_LDADD = $(dmabuf_libs)
tests_dmabuf_test_dmabuf_cache_LDFLAGS = $(dmabuf_ldflags)
tests_dmabuf_test_dmabuf_rw_CFLAGS = $(dmabuf_cflags)
tests_dmabuf_test_dmabuf_rw_LDADD = $(dmabuf_libs)
tests_dmabuf_test_dmabuf_rw_LDFLAGS = $(dmabuf_ldflags)
tests_dmabuf_test_dmabuf_absent_CFLAGS = $(dmabuf_cflags)
tests_dmabuf_test_dmabuf_absent_LDADD = $(dmabuf_libs)
tests_dmabuf_test_dmabuf_absent_LDFLAGS = $(dmabuf_ldflags)
endif
