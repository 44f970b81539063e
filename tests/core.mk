# SPDX-License-Identifier: MIT
# Tests of rings, files and paths.
EXTRA_DIST += tests/test.h tests/rig.h tests/forbid.h
if HAVE_CMOCKA
sys_tests = tests/sys/test-file-rw tests/sys/test-bad-args tests/sys/test-opts tests/sys/test-ring \
	tests/sys/test-cancel tests/sys/test-told tests/sys/test-vector tests/sys/test-threads tests/sys/test-fork tests/sys/test-own-ring tests/sys/test-limits tests/sys/test-disk
unit_tests = tests/unit/test-misbehave tests/unit/test-fallback tests/unit/test-slots tests/unit/test-pool \
	tests/unit/test-oom tests/unit/test-spin
check_PROGRAMS += $(sys_tests) $(unit_tests)
TESTS += $(sys_tests) $(unit_tests)
endif

# tests/sys: what a program sees.
sys_cflags = $(AM_CFLAGS) -D_GNU_SOURCE -I$(top_srcdir)/tests $(CMOCKA_CFLAGS)
sys_libs = lib/libdevio.la $(CMOCKA_LIBS)
tests_sys_test_file_rw_CFLAGS = $(sys_cflags)
tests_sys_test_file_rw_LDADD = $(sys_libs)
tests_sys_test_bad_args_CFLAGS = $(sys_cflags)
tests_sys_test_bad_args_LDADD = $(sys_libs)
tests_sys_test_opts_CFLAGS = $(sys_cflags)
tests_sys_test_opts_LDADD = $(sys_libs)

# tests/unit: the inside, with a kernel (double.c) and a memory (fake.c) that misbehave.
unit_cflags = $(AM_CFLAGS) -I$(top_srcdir)/tests -I$(top_srcdir)/tests/unit $(CMOCKA_CFLAGS)
unit_libs = lib/libdv.la $(CMOCKA_LIBS)
double_ldflags = $(AM_LDFLAGS) -Wl,--wrap=io_uring_submit_and_wait_timeout \
	-Wl,--wrap=io_uring_submit_and_get_events -Wl,--wrap=pread -Wl,--wrap=pwrite
double_sources = tests/unit/double.c tests/unit/double.h tests/unit/fake.c tests/unit/fake.h
tests_unit_test_misbehave_SOURCES = tests/unit/test-misbehave.c $(double_sources)
tests_unit_test_misbehave_CFLAGS = $(unit_cflags)
tests_unit_test_misbehave_LDFLAGS = $(double_ldflags)
tests_unit_test_misbehave_LDADD = $(unit_libs)
tests_sys_test_ring_CFLAGS = $(sys_cflags)
tests_sys_test_ring_LDADD = $(sys_libs)
tests_sys_test_cancel_CFLAGS = $(sys_cflags)
tests_sys_test_cancel_LDADD = $(sys_libs)
tests_sys_test_told_CFLAGS = $(sys_cflags)
tests_sys_test_told_LDADD = $(sys_libs)
tests_sys_test_vector_CFLAGS = $(sys_cflags)
tests_sys_test_vector_LDADD = $(sys_libs)
tests_sys_test_threads_CFLAGS = $(sys_cflags)
tests_sys_test_threads_LDADD = $(sys_libs) -lpthread
tests_sys_test_fork_CFLAGS = $(sys_cflags)
tests_sys_test_fork_LDADD = $(sys_libs)
tests_sys_test_own_ring_CFLAGS = $(sys_cflags) $(URING_CFLAGS)
tests_sys_test_own_ring_LDADD = $(sys_libs) $(URING_LIBS)
tests_sys_test_limits_CFLAGS = $(sys_cflags)
tests_sys_test_limits_LDADD = $(sys_libs) -lpthread
tests_unit_test_fallback_SOURCES = tests/unit/test-fallback.c $(double_sources)
tests_unit_test_fallback_CFLAGS = $(unit_cflags)
tests_unit_test_fallback_LDFLAGS = $(double_ldflags)
tests_unit_test_fallback_LDADD = $(unit_libs)
tests_unit_test_spin_CFLAGS = $(unit_cflags)
tests_unit_test_spin_LDADD = $(unit_libs)
tests_unit_test_slots_CFLAGS = $(unit_cflags)
tests_unit_test_slots_LDADD = $(unit_libs)
tests_unit_test_pool_CFLAGS = $(unit_cflags)
tests_unit_test_pool_LDADD = $(unit_libs)
tests_unit_test_oom_CFLAGS = $(unit_cflags)
tests_unit_test_oom_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=free -Wl,--wrap=strdup \
	-Wl,--wrap=mmap
tests_unit_test_oom_LDADD = $(unit_libs)

# tests/fault: each system call fails in turn. The driver must be a program, not libtool's script.
check_PROGRAMS += tests/fault/driver
tests_fault_driver_CFLAGS = $(AM_CFLAGS) -D_GNU_SOURCE
tests_fault_driver_LDADD = lib/libdv.la
dist_check_SCRIPTS += tests/fault/run-faults.sh
TESTS += tests/fault/run-faults.sh
tests_sys_test_disk_CFLAGS = $(sys_cflags)
tests_sys_test_disk_LDADD = $(sys_libs)
