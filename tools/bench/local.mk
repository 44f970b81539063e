# SPDX-License-Identifier: MIT
# devio-bench. All but its main() is a library, which the tests link too.
noinst_LTLIBRARIES += tools/bench/libbench.la
tools_bench_libbench_la_CFLAGS = $(AM_CFLAGS) -pthread $(JSON_CFLAGS) $(URING_CFLAGS) $(XXHASH_CFLAGS)
tools_bench_libbench_la_LIBADD = tools/common/libcommon.la lib/libdevio.la $(JSON_LIBS) $(URING_LIBS) $(XXHASH_LIBS) \
	-lpthread -lm
tools_bench_libbench_la_SOURCES = tools/bench/bench.h tools/bench/run.h tools/bench/rand.h tools/bench/hist.h \
	tools/bench/compare.h tools/bench/util.c tools/bench/file.c tools/bench/group.c tools/bench/thread.c \
	tools/bench/loop.c tools/bench/gen.c tools/bench/dist.c tools/bench/verify.c tools/bench/cpu.c \
	tools/bench/hist.c tools/bench/compare.c tools/bench/tune.c
tools_bench_libbench_la_SOURCES += tools/bench/option/cli.c tools/bench/option/jobfile.c tools/bench/option/opts.c \
	tools/bench/option/value.c tools/bench/option/enum.c tools/bench/option/sequencer.c tools/bench/option/job.c
tools_bench_libbench_la_SOURCES += tools/bench/engine/host.c tools/bench/engine/host.h tools/bench/engine/lib.c \
	tools/bench/engine/lib.h tools/bench/engine/devio.c tools/bench/engine/uring.c tools/bench/engine/pread.c \
	tools/bench/engine/net.c
tools_bench_libbench_la_SOURCES += tools/bench/report/result.c tools/bench/report/live.c tools/bench/report/log.c \
	tools/bench/report/text.c tools/bench/report/normal.c tools/bench/report/output.c tools/bench/report/json.c tools/bench/report/terse.c \
	tools/bench/report/comparison.c tools/bench/report/output.c tools/bench/report/plot.c

bin_PROGRAMS += tools/devio-bench
tools_devio_bench_CFLAGS = $(AM_CFLAGS) -pthread
tools_devio_bench_LDADD = tools/bench/libbench.la
tools_devio_bench_SOURCES = tools/bench/main.c
