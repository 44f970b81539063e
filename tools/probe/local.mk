# SPDX-License-Identifier: MIT
bin_PROGRAMS += tools/devio-probe
tools_devio_probe_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
tools_devio_probe_SOURCES = tools/probe/main.c tools/probe/probe.h tools/probe/text.c tools/probe/ends.c \
	tools/probe/explain.c tools/probe/support.c tools/probe/tables.c tools/probe/json.c tools/probe/dot.c \
	tools/probe/try.c
tools_devio_probe_LDADD = tools/common/libcommon.la lib/libdevio.la $(JSON_LIBS)
dist_man_MANS += docs/man/devio-probe.1
