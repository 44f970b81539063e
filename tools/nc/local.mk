# SPDX-License-Identifier: MIT
bin_PROGRAMS += tools/devio-nc
tools_devio_nc_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
tools_devio_nc_LDADD = tools/common/libcommon.la lib/libdevio.la $(JSON_LIBS)
tools_devio_nc_SOURCES = tools/nc/main.c tools/nc/nc.h tools/nc/util.c tools/nc/link.c tools/nc/ends.c tools/nc/lane.c \
	tools/nc/run.c tools/nc/check.c tools/nc/explain.c tools/nc/nic.c tools/nc/report.c
