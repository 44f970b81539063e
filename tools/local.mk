# SPDX-License-Identifier: MIT
# The tools reach the library only by <devio.h>; what they share is in tool_sources.
tool_sources = tools/opts.c tools/opts.h tools/outfile.c tools/outfile.h tools/tally.c tools/tally.h \
	tools/toolmem.c tools/toolmem.h
include tools/probe.mk

bin_PROGRAMS += tools/devio-cp
tools_devio_cp_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
tools_devio_cp_LDADD = lib/libdevio.la $(JSON_LIBS)
tools_devio_cp_SOURCES = tools/devio-cp.c tools/cp.h tools/cp-end.c tools/cp-mem.c tools/cp-run.c \
	tools/cp-verify.c tools/cp-report.c $(tool_sources)

bin_PROGRAMS += tools/devio-nc
tools_devio_nc_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
tools_devio_nc_LDADD = lib/libdevio.la $(JSON_LIBS)
tools_devio_nc_SOURCES = tools/devio-nc.c tools/nc.h tools/nc-link.c tools/nc-ends.c tools/nc-lane.c tools/nc-run.c \
	tools/nc-check.c tools/nc-explain.c tools/nc-nic.c tools/nc-report.c $(tool_sources)

bin_PROGRAMS += tools/devio-serve
tools_devio_serve_LDADD = lib/libdevio.la
tools_devio_serve_SOURCES = tools/devio-serve.c tools/serve.h tools/serve-run.c tools/serve-conn.c tools/serve-room.c \
	tools/serve-file.c tools/opts.c tools/opts.h tools/toolmem.c tools/toolmem.h lib/load/wire.h

sbin_PROGRAMS += tools/devio-nicd
tools_devio_nicd_LDADD = lib/libdevio.la
tools_devio_nicd_SOURCES = tools/devio-nicd.c tools/nicd.h tools/nicd-run.c tools/nicd-client.c tools/nicd-rights.c \
	tools/opts.c tools/opts.h lib/nic/protocol.h
include tools/bench.mk
