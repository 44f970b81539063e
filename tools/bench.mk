# SPDX-License-Identifier: MIT
# devio-bench. All but its main() is a library, which the tests link too.
noinst_LTLIBRARIES += tools/libbench.la
tools_libbench_la_CFLAGS = $(AM_CFLAGS) -pthread $(JSON_CFLAGS) $(URING_CFLAGS) $(XXHASH_CFLAGS)
tools_libbench_la_LIBADD = lib/libdevio.la $(JSON_LIBS) $(URING_LIBS) $(XXHASH_LIBS) -lpthread -lm
tools_libbench_la_SOURCES = tools/bench.h tools/bench-run.h tools/bench-rand.h tools/bench-hist.h tools/bench-host.h \
	tools/bench-compare.h tools/bench-cli.c tools/bench-jobfile.c tools/bench-opts.c tools/bench-value.c \
	tools/bench-word.c tools/bench-order.c tools/bench-job.c tools/bench-file.c tools/bench-group.c tools/bench-thread.c \
	tools/bench-loop.c tools/bench-gen.c tools/bench-dist.c tools/bench-verify.c tools/bench-eng-devio.c \
	tools/bench-eng-uring.c tools/bench-eng-pread.c tools/bench-eng-net.c tools/bench-cpu.c tools/bench-hist.c tools/bench-result.c \
	tools/bench-live.c tools/bench-log.c tools/bench-text.c tools/bench-normal.c tools/bench-json.c \
	tools/bench-terse.c tools/bench-compare.c tools/bench-compare-out.c tools/bench-tune.c tools/bench-plot.c tools/opts.c tools/opts.h

bin_PROGRAMS += tools/devio-bench
tools_devio_bench_CFLAGS = $(AM_CFLAGS) -pthread
tools_devio_bench_LDADD = tools/libbench.la
tools_devio_bench_SOURCES = tools/devio-bench.c
