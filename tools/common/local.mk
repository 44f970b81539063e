# SPDX-License-Identifier: MIT
# What the tools share. Who uses its JSON links $(JSON_LIBS).
noinst_LTLIBRARIES += tools/common/libcommon.la
tools_common_libcommon_la_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
tools_common_libcommon_la_SOURCES = tools/common/opts.c tools/common/opts.h tools/common/outfile.c tools/common/outfile.h \
	tools/common/summary.c tools/common/summary.h tools/common/toolmem.c tools/common/toolmem.h
