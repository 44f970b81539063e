# SPDX-License-Identifier: MIT
include_HEADERS = include/devio.h
devioincludedir = $(includedir)/devio
devioinclude_HEADERS = include/devio/base.h include/devio/ctx.h include/devio/mem.h \
	include/devio/file.h include/devio/sock.h include/devio/frag.h include/devio/nic.h include/devio/ring.h \
	include/devio/stat.h include/devio/topo.h include/devio/topo_info.h include/devio/uring.h include/devio/source.h \
	include/devio/load.h include/devio/stream.h
dist_man_MANS += docs/man/devio_frag.3
