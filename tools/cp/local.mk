# SPDX-License-Identifier: MIT
bin_PROGRAMS += tools/devio-cp
tools_devio_cp_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
tools_devio_cp_LDADD = tools/common/libcommon.la lib/libdevio.la $(JSON_LIBS)
tools_devio_cp_SOURCES = tools/cp/main.c tools/cp/cp.h tools/cp/end.c tools/cp/mem.c tools/cp/run.c \
	tools/cp/verify.c tools/cp/report.c
