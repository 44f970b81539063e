# SPDX-License-Identifier: MIT
# The inside of the library: a folder here for each of lib/. Those of mem, topo and load are in tests/mem, tests/dmabuf,
# tests/topo and tests/load.
if HAVE_CMOCKA
unit_tests = \
	tests/unit/core/test-oom \
	tests/unit/file/test-misbehave \
	tests/unit/file/test-plans \
	tests/unit/kern/test-netdev \
	tests/unit/kern/test-pool \
	tests/unit/kern/test-refill \
	tests/unit/kern/test-spin \
	tests/unit/nic/test-nicclient \
	tests/unit/nic/test-nicd \
	tests/unit/nic/test-nicd-hostile \
	tests/unit/path/test-fallback \
	tests/unit/ring/test-index \
	tests/unit/ring/test-pairs \
	tests/unit/ring/test-slots \
	tests/unit/sock/test-devmem \
	tests/unit/sock/test-flow \
	tests/unit/sock/test-zcrx
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)

# The library, a kernel (double.c) and a memory (fake.c) that misbehave; the linker takes what a program uses.
check_LTLIBRARIES += tests/unit/librig.la
endif
tests_unit_librig_la_SOURCES = tests/unit/double.c tests/unit/double.h tests/unit/fake.c tests/unit/fake.h
tests_unit_librig_la_LIBADD = lib/libdv.la
EXTRA_DIST += tests/unit/nic/nicdrig.h

tests/unit/%.o tests/unit/%.lo: AM_CPPFLAGS += -I$(top_srcdir)/tests $(CMOCKA_CFLAGS)
unit_libs = tests/unit/librig.la $(CMOCKA_LIBS) -lpthread

# core
tests_unit_core_test_oom_LDADD = $(unit_libs)
tests_unit_core_test_oom_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=free,--wrap=strdup,--wrap=mmap

# kern
tests_unit_kern_test_netdev_LDADD = $(unit_libs)
tests_unit_kern_test_pool_LDADD = $(unit_libs)
tests_unit_kern_test_refill_LDADD = $(unit_libs)
tests_unit_kern_test_spin_LDADD = $(unit_libs)

# ring, path and file
double_ldflags = $(AM_LDFLAGS) \
	-Wl,--wrap=io_uring_submit_and_wait_timeout,--wrap=io_uring_submit_and_get_events,--wrap=pread,--wrap=pwrite
tests_unit_ring_test_index_LDADD = $(unit_libs)
tests_unit_ring_test_index_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=calloc
tests_unit_ring_test_pairs_LDADD = $(unit_libs)
tests_unit_ring_test_pairs_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=calloc
tests_unit_ring_test_slots_LDADD = $(unit_libs)
tests_unit_path_test_fallback_LDADD = $(unit_libs)
tests_unit_path_test_fallback_LDFLAGS = $(double_ldflags)
tests_unit_file_test_misbehave_LDADD = $(unit_libs)
tests_unit_file_test_misbehave_LDFLAGS = $(double_ldflags)
tests_unit_file_test_plans_LDADD = $(unit_libs)

# sock and nic; test-nicd* are clients of devio-nicd, and need nothing but the headers of the inside.
tests_unit_sock_test_devmem_LDADD = $(unit_libs)
tests_unit_sock_test_flow_LDADD = $(unit_libs)
tests_unit_sock_test_zcrx_LDADD = $(unit_libs)
tests_unit_nic_test_nicclient_LDADD = $(unit_libs)
tests_unit_nic_test_nicd_LDADD = lib/libdevio.la $(CMOCKA_LIBS)
tests_unit_nic_test_nicd_hostile_LDADD = lib/libdevio.la $(CMOCKA_LIBS)
