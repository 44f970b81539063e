# SPDX-License-Identifier: MIT
bin_PROGRAMS += tools/devio-serve
tools_devio_serve_CFLAGS = $(AM_CFLAGS)
tools_devio_serve_LDADD = tools/common/libcommon.la lib/libdevio.la
tools_devio_serve_SOURCES = tools/serve/main.c tools/serve/serve.h tools/serve/run.c tools/serve/conn.c \
	tools/serve/buffer.c tools/serve/file.c lib/load/wire.h
