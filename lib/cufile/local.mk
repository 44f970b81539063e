# SPDX-License-Identifier: MIT
# libcufile.so.0: the interface of GPUDirect Storage over libdevio. It is not in the linker's path: devio-gds runs
# programs with it.
gdsdir = $(libdir)/devio/gds
if HAVE_SHARED
gds_LTLIBRARIES = lib/cufile/libcufile.la
endif
lib_cufile_libcufile_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -pthread $(JSON_CFLAGS)
lib_cufile_libcufile_la_SOURCES = \
	lib/cufile/async.c \
	lib/cufile/async.h \
	lib/cufile/batch.c \
	lib/cufile/batch.h \
	lib/cufile/buffer.c \
	lib/cufile/buffer.h \
	lib/cufile/conf.c \
	lib/cufile/conf.h \
	lib/cufile/cufile.h \
	lib/cufile/defaults.c \
	lib/cufile/driver.c \
	lib/cufile/gds.h \
	lib/cufile/handle.c \
	lib/cufile/io.c \
	lib/cufile/log.c \
	lib/cufile/open.c \
	lib/cufile/param.c \
	lib/cufile/report.c \
	lib/cufile/state.c \
	lib/cufile/stats.c \
	lib/cufile/table.c \
	lib/cufile/table.h \
	lib/cufile/target.c \
	lib/cufile/target.h \
	lib/cufile/topology.c \
	lib/cufile/usage.c \
	lib/cufile/usage.h
lib_cufile_libcufile_la_LIBADD = lib/libdevio.la $(JSON_LIBS) -lpthread
# The vendor's names without versions, and never unloaded, as the vendor's: what is in flight, and handlers of fork(),
# do not survive dlclose().
lib_cufile_libcufile_la_LDFLAGS = $(AM_LDFLAGS) -shared -version-info 0:0:0 \
	-Wl,--version-script=$(top_srcdir)/lib/cufile/libcufile.map $(NO_UNDEFINED) -Wl,-z,now -Wl,-z,relro -Wl,-z,nodelete
lib_cufile_libcufile_la_DEPENDENCIES = lib/libdevio.la lib/cufile/libcufile.map
EXTRA_DIST += lib/cufile/libcufile.map lib/cufile/README.md
