# SPDX-License-Identifier: MIT
# Tests of devio-bench, and of what all tools share.
if HAVE_CMOCKA
check_PROGRAMS += tests/bench/test-bench-parts tests/bench/test-common
TESTS += tests/bench/test-bench-parts tests/bench/test-common
endif
tests_bench_test_bench_parts_SOURCES = tests/bench/test-bench-parts.c
tests_bench_test_bench_parts_CFLAGS = $(AM_CFLAGS) -pthread $(CMOCKA_CFLAGS)
tests_bench_test_bench_parts_LDADD = tools/bench/libbench.la $(CMOCKA_LIBS)
tests_bench_test_common_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_bench_test_common_LDADD = tools/common/libcommon.la lib/libdevio.la $(CMOCKA_LIBS)

bench_scripts = tests/bench/bench.sh tests/bench/bench-fio.sh tests/bench/fio-tools.sh
dist_check_SCRIPTS += $(bench_scripts)
TESTS += $(bench_scripts)
EXTRA_DIST += tests/bench/bench.bash tests/bench/against-fio tests/bench/perf-table tests/bench/suite.fio

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_jobfile
tests_fuzz_fuzz_jobfile_SOURCES = tests/fuzz/fuzz_jobfile.c
tests_fuzz_fuzz_jobfile_LDADD = tools/bench/libbench.la
tests_fuzz_fuzz_jobfile_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
EXTRA_DIST += tests/fuzz/fuzz_jobfile.c
endif
