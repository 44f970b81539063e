# SPDX-License-Identifier: MIT
sbin_PROGRAMS += tools/devio-nicd
tools_devio_nicd_CFLAGS = $(AM_CFLAGS)
tools_devio_nicd_LDADD = tools/common/libcommon.la lib/libdevio.la
tools_devio_nicd_SOURCES = tools/nicd/main.c tools/nicd/nicd.h tools/nicd/inherit.c tools/nicd/run.c \
	tools/nicd/receiver.c tools/nicd/client.c tools/nicd/message.c tools/nicd/rate.c tools/nicd/user.c tools/nicd/caps.c \
	tools/nicd/seccomp.c lib/nic/protocol.h
