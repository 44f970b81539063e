# SPDX-License-Identifier: MIT
# libdevio-load: sources and the loader, over libdevio's public interface. A
# library of its own, so that plain users of libdevio do not link
# libarchive. Like libdevio it is made of a convenience library, for the tests.
noinst_LTLIBRARIES += lib/load/libdvload.la
lib_load_libdvload_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden $(ARCHIVE_CFLAGS)
lib_load_libdvload_la_SOURCES = lib/load/source.c lib/load/source.h lib/load/json.c lib/load/json.h lib/load/keys.c lib/load/keys.h lib/load/dtype.c \
	lib/load/safetensors.c lib/load/safetensors.h lib/load/index.c lib/load/tar.c lib/load/records.c \
	lib/load/url.c lib/load/url.h lib/load/wire.h lib/load/peer.c lib/load/peer.h lib/load/input.c \
	lib/load/input.h lib/load/links.c lib/load/links.h \
	lib/load/order.c lib/load/order.h lib/load/cursor.c lib/load/batch.c lib/load/batch.h \
	lib/load/reads.c lib/load/reads.h lib/load/ranges.c lib/load/loader.c
lib_load_libdvload_la_LIBADD = $(ARCHIVE_LIBS)

lib_LTLIBRARIES += lib/libdevio-load.la
lib_libdevio_load_la_SOURCES =
lib_libdevio_load_la_LIBADD = lib/load/libdvload.la lib/libdevio.la
lib_libdevio_load_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(DEVIO_LT_VERSION) \
	-Wl,--version-script=$(top_srcdir)/lib/libdevio-load.map $(NO_UNDEFINED) -Wl,-z,now -Wl,-z,relro
lib_libdevio_load_la_DEPENDENCIES = lib/load/libdvload.la lib/libdevio.la lib/libdevio-load.map
EXTRA_DIST += lib/libdevio-load.map lib/devio-load.pc.in
pkgconfig_DATA += lib/devio-load.pc
dist_man_MANS += docs/man/devio_source.3 docs/man/devio_loader.3
