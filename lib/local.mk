# SPDX-License-Identifier: MIT
# The library's objects once, as a convenience library: tests link it to reach
# the inside, libdevio is made of it.
noinst_LTLIBRARIES += lib/libdv.la
lib_libdv_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -pthread $(URING_CFLAGS) $(DRM_CFLAGS) $(NL_CFLAGS)
lib_libdv_la_SOURCES = lib/err.c lib/err.h lib/ctx.c lib/ctx.h lib/mem.c lib/mem.h lib/ring.c lib/ring.h \
	lib/op.c lib/fast.c lib/part.c lib/path.c lib/path.h lib/file.c lib/file.h lib/sync.c lib/sync.h lib/close.c lib/attach.c \
	lib/nic.c lib/nic.h lib/nicring.c lib/nicbuf.c lib/nicclient.c lib/nicwire.h lib/nicsteer.c lib/nicundo.c lib/nicjournal.c lib/nicjournal.h lib/sock.c lib/sock.h lib/sockaddr.c lib/flow.c lib/flowops.c lib/flowheld.c lib/flowzc.c lib/frags.c lib/devmem.c lib/devmem.h lib/lent.h lib/stat.c lib/regs.c lib/regs.h lib/slots.c lib/slots.h \
	lib/kern/uring.c lib/kern/uring.h lib/kern/spin.h lib/kern/clock.h lib/kern/pool.c lib/kern/pool.h lib/kern/poolnet.c lib/kern/poolnet.h lib/kern/pagecache.c \
	lib/kern/pagecache.h lib/kern/netdev.c lib/kern/netdev.h lib/kern/netif.c lib/kern/netif.h lib/kern/zerocopy.c lib/kern/zerocopy.h lib/kern/genl.c lib/kern/genl.h lib/kern/netbind.c lib/kern/netbind.h lib/kern/zcrx.c lib/kern/zcrx.h \
	lib/kern/ethtool.c lib/kern/ethtool.h lib/kern/devmem.h lib/kern/uapi/uring_dmabuf.h lib/kern/uapi/zcrx.h \
	lib/path/file_dmabuf.c lib/path/file_p2p.c lib/path/file_host.c lib/path/file_bounce.c \
	lib/path/file_buffered.c lib/path/sock_host.c lib/path/sock_bounce.c lib/path/sock_nic.c lib/path/sock_devmem_rx.c lib/path/sock_devmem_tx.c lib/path/sock_zcrx.c lib/path/staged.c lib/path/direct.c
lib_libdv_la_LIBADD = $(URING_LIBS) $(DRM_LIBS) $(NL_LIBS) -lpthread -ldl

lib_LTLIBRARIES += lib/libdevio.la
lib_libdevio_la_SOURCES =
lib_libdevio_la_LIBADD = lib/libdv.la
lib_libdevio_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(DEVIO_LT_VERSION) \
	-Wl,--version-script=$(top_srcdir)/lib/libdevio.map $(NO_UNDEFINED) -Wl,-z,now -Wl,-z,relro
lib_libdevio_la_DEPENDENCIES = lib/libdv.la lib/libdevio.map
EXTRA_DIST += lib/libdevio.map lib/devio.pc.in
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = lib/devio.pc
