# SPDX-License-Identifier: MIT
# The library's objects once, as a convenience library: tests link it to reach
# the inside, libdevio is made of it. A room a paragraph, each above those that it may use.
noinst_LTLIBRARIES += lib/libdv.la
lib_libdv_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -pthread $(URING_CFLAGS) $(DRM_CFLAGS) $(NL_CFLAGS)
lib_libdv_la_SOURCES =
lib_libdv_la_SOURCES += lib/core/clock.h lib/core/ctx.c lib/core/ctx.h lib/core/err.c lib/core/err.h \
	lib/core/outcome.h lib/core/stat.c lib/core/stat.h
lib_libdv_la_SOURCES += lib/kern/devmem.h lib/kern/dmabuf.c lib/kern/dmabuf.h lib/kern/ethtool.c \
	lib/kern/ethtool.h lib/kern/genl.c lib/kern/genl.h lib/kern/netbind.c lib/kern/netbind.h lib/kern/netdev.c \
	lib/kern/netdev.h lib/kern/netif.c lib/kern/netif.h lib/kern/pagecache.c lib/kern/pagecache.h lib/kern/pool.c \
	lib/kern/pool.h lib/kern/poolnet.c lib/kern/poolnet.h lib/kern/spin.h lib/kern/sysfs.c lib/kern/sysfs.h \
	lib/kern/uapi/uring_dmabuf.h lib/kern/uapi/vfio.h lib/kern/uapi/zcrx.h lib/kern/uring.c lib/kern/uring.h \
	lib/kern/zcrx.c lib/kern/zcrx.h lib/kern/zerocopy.c lib/kern/zerocopy.h
lib_libdv_la_SOURCES += lib/mem/amdgpu.c lib/mem/bufmem.c lib/mem/bufmem.h lib/mem/cuda.c lib/mem/cuda_api.c \
	lib/mem/cuda_api.h lib/mem/cuda_stream.c lib/mem/cuda_ptr.c lib/mem/dl.c lib/mem/dl.h lib/mem/dmaheap.c lib/mem/drm.c \
	lib/mem/evpool.h lib/mem/hip.c lib/mem/hip_api.c lib/mem/hip_api.h lib/mem/host.c lib/mem/import.c \
	lib/mem/mem.c lib/mem/mem.h lib/mem/appstream.c lib/mem/appstream.h lib/mem/p2pmem.c lib/mem/provider.c lib/mem/ptr.c lib/mem/ptr.h lib/mem/share.c lib/mem/share.h \
	lib/mem/stream.c lib/mem/stream.h lib/mem/sys.c lib/mem/sys.h lib/mem/table.c lib/mem/udmabuf.c \
	lib/mem/vfio.c lib/mem/vfiodev.c lib/mem/vfiodev.h lib/mem/ze.c lib/mem/ze_api.c lib/mem/ze_api.h
lib_libdv_la_SOURCES += lib/ring/attach.c lib/ring/client.h lib/ring/close.c lib/ring/endpoint.h \
	lib/ring/engine.h lib/ring/idle.c lib/ring/idle.h lib/ring/index.c lib/ring/index.h lib/ring/op.c \
	lib/ring/pair.c lib/ring/pair.h lib/ring/part.c lib/ring/reap.c lib/ring/ring.c lib/ring/staging.c lib/ring/staging.h
lib_libdv_la_SOURCES += lib/path/choose.c lib/path/choose.h lib/path/explain.c
lib_libdv_la_SOURCES += lib/nic/buffers.c lib/nic/client.c lib/nic/handle.c lib/nic/journal.c \
	lib/nic/journal.h lib/nic/nic.h lib/nic/protocol.h lib/nic/queues.c lib/nic/restore.c lib/nic/ring.c \
	lib/nic/rules.c lib/nic/setup.c
lib_libdv_la_SOURCES += lib/file/avoid.c lib/file/bounce.c lib/file/buffered.c lib/file/direct.c \
	lib/file/dmabuf.c lib/file/endpoint.c lib/file/events.c lib/file/fast.c lib/file/file.c lib/file/file.h \
	lib/file/host.c lib/file/io.c lib/file/open.c lib/file/p2p.c lib/file/paths.c lib/file/plan.c \
	lib/file/promote.c lib/file/regcache.c lib/file/regcache.h lib/file/staged.c lib/file/stream.c lib/file/submit.c \
	lib/file/sync.c
lib_libdv_la_SOURCES += lib/sock/borrow.c lib/sock/bounce.c lib/sock/connect.c lib/sock/devmem.c \
	lib/sock/devmem_rx.c lib/sock/devmem_tx.c lib/sock/endpoint.c lib/sock/frag_table.c lib/sock/frag_table.h \
	lib/sock/frags.c lib/sock/gather.c lib/sock/host.c lib/sock/open.c lib/sock/paths.c lib/sock/rx.c \
	lib/sock/rx.h lib/sock/sock.c lib/sock/sock.h lib/sock/steer.c lib/sock/stream.c lib/sock/stream.h \
	lib/sock/submit.c lib/sock/transfer.c lib/sock/tx.c lib/sock/zcrx.c lib/sock/zerocopy.c
lib_libdv_la_LIBADD = $(URING_LIBS) $(DRM_LIBS) $(NL_LIBS) -lpthread -ldl

lib_LTLIBRARIES += lib/libdevio.la
lib_libdevio_la_SOURCES =
lib_libdevio_la_LIBADD = lib/libdv.la
lib_libdevio_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(DEVIO_LT_VERSION) \
	-Wl,--version-script=$(top_srcdir)/lib/libdevio.map $(NO_UNDEFINED) -Wl,-z,now -Wl,-z,relro
lib_libdevio_la_DEPENDENCIES = lib/libdv.la lib/libdevio.map
EXTRA_DIST += lib/libdevio.map lib/devio.pc.in
EXTRA_DIST += lib/file/README.md lib/mem/README.md lib/nic/README.md lib/ring/README.md lib/sock/README.md
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = lib/devio.pc
