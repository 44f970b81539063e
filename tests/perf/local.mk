# SPDX-License-Identifier: MIT
# The programs behind docs/measurements/library.md, and of its figures those that repeat as a test.
perf_programs = \
	tests/perf/perf-cost \
	tests/perf/perf-files \
	tests/perf/perf-hot \
	tests/perf/perf-load \
	tests/perf/perf-net \
	tests/perf/perf-read
check_PROGRAMS += $(perf_programs)
.PHONY: perf-programs
perf-programs: $(perf_programs)

tests/perf/%.o: AM_CPPFLAGS += $(URING_CFLAGS)
perf_libs = lib/libdevio.la $(URING_LIBS)
tests_perf_perf_cost_LDADD = $(perf_libs)
tests_perf_perf_files_LDADD = $(perf_libs)
tests_perf_perf_hot_LDADD = $(perf_libs)
tests_perf_perf_net_LDADD = $(perf_libs)
tests_perf_perf_read_LDADD = $(perf_libs)
tests_perf_perf_load_LDADD = lib/libdevio-load.la lib/libdevio.la

dist_check_SCRIPTS += tests/perf/test-hotpath.sh
TESTS += tests/perf/test-hotpath.sh
EXTRA_DIST += tests/perf/perf.h tests/perf/clock.h \
	tests/perf/run \
	tests/perf/run-load \
	tests/perf/run-remote \
	tests/perf/lab-cost \
	tests/perf/cost-guest
