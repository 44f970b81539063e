# SPDX-License-Identifier: MIT
# What the tools share. A tool that uses its JSON links $(JSON_LIBS).
noinst_LTLIBRARIES += tools/common/libcommon.la
tools_common_libcommon_la_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
tools_common_libcommon_la_SOURCES = tools/common/args.c tools/common/args.h tools/common/attrs.c tools/common/attrs.h \
	tools/common/json.c tools/common/json.h \
	tools/common/opts.c tools/common/opts.h tools/common/outfile.c tools/common/outfile.h \
	tools/common/summary.c tools/common/summary.h tools/common/table.c tools/common/table.h \
	tools/common/term.c tools/common/term.h tools/common/tool.c tools/common/tool.h \
	tools/common/toolmem.c tools/common/toolmem.h
