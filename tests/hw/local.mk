# SPDX-License-Identifier: MIT
# Tests and figures on a GPU (docs/hw.md); against the fake driver in `make check`.
tests/hw/%.o: AM_CPPFLAGS += -D_GNU_SOURCE -I$(top_srcdir)/tests $(CMOCKA_CFLAGS) $(URING_CFLAGS)
hw_app = tests/hw/app.c tests/hw/app.h

if HAVE_CMOCKA
hw_tests = \
	tests/hw/test-contexts \
	tests/hw/test-faults \
	tests/hw/test-memory \
	tests/hw/test-pointers
check_PROGRAMS += $(hw_tests)
hw_libs = tests/mem/libmemtest.la lib/libdevio.la $(CMOCKA_LIBS) -ldl -lpthread

tests_hw_test_contexts_SOURCES = tests/hw/test-contexts.c $(hw_app)
tests_hw_test_contexts_LDADD = $(hw_libs)
tests_hw_test_faults_SOURCES = tests/hw/test-faults.c tests/hw/shim.h $(hw_app)
tests_hw_test_faults_LDADD = $(hw_libs)
tests_hw_test_memory_SOURCES = tests/hw/test-memory.c $(hw_app)
tests_hw_test_memory_LDADD = $(hw_libs)
tests_hw_test_pointers_SOURCES = tests/hw/test-pointers.c $(hw_app)
tests_hw_test_pointers_LDADD = $(hw_libs)

check_LTLIBRARIES += tests/hw/libcudashim.la
tests_hw_libcudashim_la_SOURCES = tests/hw/shim.c tests/hw/shim.h
tests_hw_libcudashim_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere -pthread
endif

check_PROGRAMS += tests/hw/gpu-read tests/hw/gpu-tcp
tests_hw_gpu_read_SOURCES = tests/hw/gpu-read.c tests/hw/gpu-read.h tests/hw/gpu-devio.c tests/hw/gpu-hand.c \
	tests/hw/gpu-cufile.c tests/hw/cufile.h $(hw_app)
tests_hw_gpu_read_LDADD = lib/libdevio.la $(URING_LIBS) -ldl -lpthread
tests_hw_gpu_tcp_SOURCES = tests/hw/gpu-tcp.c $(hw_app)
tests_hw_gpu_tcp_LDADD = -ldl -lpthread

check_LTLIBRARIES += tests/hw/libfakecufile.la
tests_hw_libfakecufile_la_SOURCES = tests/hw/fake-cufile.c tests/hw/cufile.h
tests_hw_libfakecufile_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere

dist_check_SCRIPTS += tests/hw/hw.sh
TESTS += tests/hw/hw.sh
EXTRA_DIST += tests/hw/mem.sh tests/hw/pack tests/hw/cuda.sh tests/hw/perf-cuda tests/hw/torch-cuda.py

# All that tests/hw/cuda.sh runs.
.PHONY: hw-programs
hw-programs: lib/libdevio.la lib/libdevio-load.la $(deviopy_LTLIBRARIES) tools/devio-bench tools/devio-cp tools/devio-probe \
	$(filter tools/devio-nc%,$(bin_PROGRAMS)) \
	$(hw_tests) tests/hw/gpu-read tests/hw/gpu-tcp tests/hw/libcudashim.la tests/hw/libfakecufile.la \
	tests/mem/libfakecuda.la tests/mem/test-kernel-mem tests/sys/test-matrix tests/sys/test-vector
