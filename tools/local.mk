# SPDX-License-Identifier: MIT
# The tools reach the library only by <devio.h>; what their options share is in opts.c.
include tools/probe.mk

bin_PROGRAMS += tools/devio-cp
tools_devio_cp_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
tools_devio_cp_LDADD = lib/libdevio.la $(JSON_LIBS)
tools_devio_cp_SOURCES = tools/devio-cp.c tools/cp.h tools/cp-end.c tools/cp-mem.c tools/cp-run.c \
	tools/cp-verify.c tools/cp-report.c tools/opts.c tools/opts.h
include tools/bench.mk
