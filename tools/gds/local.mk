# SPDX-License-Identifier: MIT
bin_PROGRAMS += tools/devio-gds
tools_devio_gds_CPPFLAGS = $(AM_CPPFLAGS) -DGDS_DIR='"$(gdsdir)"'
tools_devio_gds_LDADD = tools/common/libcommon.la lib/libdevio.la $(JSON_LIBS)
tools_devio_gds_SOURCES = tools/gds/main.c
