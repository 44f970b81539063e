# SPDX-License-Identifier: MIT
# file-dmabuf against a double of the kernel interface, as most kernels lack it.
if HAVE_CMOCKA
dmabuf_tests = \
	tests/dmabuf/test-dmabuf \
	tests/dmabuf/test-dmabuf-absent \
	tests/dmabuf/test-dmabuf-cache \
	tests/dmabuf/test-dmabuf-rw
check_PROGRAMS += $(dmabuf_tests)
TESTS += $(dmabuf_tests)
endif

# The double; tests/fuzz/fuzz_ring has it, too.
check_LTLIBRARIES += tests/dmabuf/libfake.la
tests_dmabuf_libfake_la_SOURCES = tests/dmabuf/fake.c tests/dmabuf/fake.h tests/dmabuf/memfd.c
dmabuf_wraps = -Wl,--wrap=syscall,--wrap=io_uring_submit,--wrap=io_uring_submit_and_wait \
	-Wl,--wrap=io_uring_submit_and_get_events,--wrap=io_uring_submit_and_wait_timeout \
	-Wl,--wrap=io_uring_register_buffers_update_tag,--wrap=io_uring_queue_exit
EXTRA_DIST += tests/dmabuf/dmabuftest.h

tests/dmabuf/%.o tests/dmabuf/%.lo: AM_CPPFLAGS += -I$(top_srcdir)/tests $(CMOCKA_CFLAGS) $(URING_CFLAGS)
dmabuf_libs = tests/dmabuf/libfake.la lib/libdv.la $(CMOCKA_LIBS) $(URING_LIBS)
dmabuf_ldflags = $(AM_LDFLAGS) $(dmabuf_wraps)

tests_dmabuf_test_dmabuf_LDADD = $(dmabuf_libs)
tests_dmabuf_test_dmabuf_LDFLAGS = $(dmabuf_ldflags)
tests_dmabuf_test_dmabuf_absent_LDADD = $(dmabuf_libs)
tests_dmabuf_test_dmabuf_absent_LDFLAGS = $(dmabuf_ldflags)
tests_dmabuf_test_dmabuf_cache_LDADD = $(dmabuf_libs)
tests_dmabuf_test_dmabuf_cache_LDFLAGS = $(dmabuf_ldflags)
tests_dmabuf_test_dmabuf_rw_LDADD = $(dmabuf_libs)
tests_dmabuf_test_dmabuf_rw_LDFLAGS = $(dmabuf_ldflags)
