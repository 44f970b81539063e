# SPDX-License-Identifier: MIT
# Tests and figures on a GPU (docs/hw.md); against the fake driver in `make check`.
HW_APP = tests/hw/app.c tests/hw/app.h
EXTRA_DIST += tests/hw/mem.sh
if HAVE_CMOCKA
hw_tests = tests/hw/test-memory tests/hw/test-pointers tests/hw/test-contexts tests/hw/test-faults
check_PROGRAMS += $(hw_tests)
check_LTLIBRARIES += tests/hw/libcudashim.la
tests_hw_libcudashim_la_SOURCES = tests/hw/shim.c tests/hw/shim.h
tests_hw_libcudashim_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere -pthread
HW_TEST = $(HW_APP) tests/mem/memtest.c tests/mem/memtest.h tests/mem/fake.h
HW_CFLAGS = $(AM_CFLAGS) -D_GNU_SOURCE -I$(top_srcdir)/tests $(CMOCKA_CFLAGS) -pthread
HW_LIBS = lib/libdevio.la $(CMOCKA_LIBS) -ldl -lpthread
tests_hw_test_memory_SOURCES = tests/hw/test-memory.c $(HW_TEST)
tests_hw_test_memory_CFLAGS = $(HW_CFLAGS)
tests_hw_test_memory_LDADD = $(HW_LIBS)
tests_hw_test_pointers_SOURCES = tests/hw/test-pointers.c $(HW_TEST)
tests_hw_test_pointers_CFLAGS = $(HW_CFLAGS)
tests_hw_test_pointers_LDADD = $(HW_LIBS)
tests_hw_test_contexts_SOURCES = tests/hw/test-contexts.c $(HW_TEST)
tests_hw_test_contexts_CFLAGS = $(HW_CFLAGS)
tests_hw_test_contexts_LDADD = $(HW_LIBS)
tests_hw_test_faults_SOURCES = tests/hw/test-faults.c tests/hw/shim.h $(HW_TEST)
tests_hw_test_faults_CFLAGS = $(HW_CFLAGS)
tests_hw_test_faults_LDADD = $(HW_LIBS)
endif

check_PROGRAMS += tests/hw/gpu-read tests/hw/gpu-tcp
check_LTLIBRARIES += tests/hw/libfakecufile.la
tests_hw_libfakecufile_la_SOURCES = tests/hw/fake-cufile.c tests/hw/cufile.h
tests_hw_libfakecufile_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere
tests_hw_gpu_read_SOURCES = tests/hw/gpu-read.c tests/hw/gpu-read.h tests/hw/gpu-devio.c tests/hw/gpu-hand.c \
	tests/hw/gpu-cufile.c tests/hw/cufile.h $(HW_APP)
tests_hw_gpu_read_CFLAGS = $(AM_CFLAGS) -D_GNU_SOURCE -I$(top_srcdir)/tests $(URING_CFLAGS) -pthread
tests_hw_gpu_read_LDADD = lib/libdevio.la $(URING_LIBS) -ldl -lpthread
dist_check_SCRIPTS += tests/hw/hw.sh
TESTS += tests/hw/hw.sh
EXTRA_DIST += tests/hw/pack tests/hw/cuda.sh tests/hw/perf-cuda tests/hw/torch-cuda.py
tests_hw_gpu_tcp_SOURCES = tests/hw/gpu-tcp.c $(HW_APP)
tests_hw_gpu_tcp_CFLAGS = $(AM_CFLAGS) -D_GNU_SOURCE -I$(top_srcdir)/tests
tests_hw_gpu_tcp_LDADD = -ldl
# All that tests/hw/cuda.sh runs.
.PHONY: hw-programs
hw-programs: lib/libdevio.la tools/devio-bench tools/devio-cp tools/devio-probe $(hw_tests) tests/hw/gpu-read \
	tests/hw/gpu-tcp tests/hw/libcudashim.la tests/hw/libfakecufile.la tests/mem/libfakecuda.la tests/mem/test-kernel-mem \
	tests/sys/test-matrix tests/sys/test-vector $(filter tools/devio-nc%,$(bin_PROGRAMS))
