# SPDX-License-Identifier: MIT
# The lab: emulated machines with the hardware that this one lacks (docs/lab.md).
EXTRA_DIST += docs/lab.md tests/vm/rows \
	tests/vm/ask-host \
	tests/vm/demo \
	tests/vm/fetch-deb \
	tests/vm/find-bytes \
	tests/vm/guest \
	tests/vm/lab-demo \
	tests/vm/lab-igb \
	tests/vm/lab-nc-nic \
	tests/vm/lab-nicd \
	tests/vm/lab-nsim \
	tests/vm/lab-rules \
	tests/vm/lab-stack \
	tests/vm/lab-unplug \
	tests/vm/lab-wire \
	tests/vm/lab-xsk \
	tests/vm/monitor.py \
	tests/vm/nic.py \
	tests/vm/programs.py \
	tests/vm/qmp \
	tests/vm/run \
	tests/vm/where

tests/vm/%.o: AM_CPPFLAGS += $(URING_CFLAGS)

# Whether the lab itself works; it needs nothing of the library.
check_PROGRAMS += tests/vm/selftest
tests_vm_selftest_SOURCES = tests/vm/selftest.c tests/vm/uring-dmabuf.h tests/vm/uring-dmabuf-mem.c
tests_vm_selftest_LDADD =

# The kernel series (kernel/patches/dmabuf-io), without the library.
check_PROGRAMS += tests/vm/uring-dmabuf
tests_vm_uring_dmabuf_SOURCES = tests/vm/uring-dmabuf.c tests/vm/uring-dmabuf.h tests/vm/uring-dmabuf-mem.c \
	tests/vm/uring-dmabuf-io.c tests/vm/uring-dmabuf-files.c tests/vm/uring-dmabuf-kinds.c \
	tests/vm/uring-dmabuf-life.c
tests_vm_uring_dmabuf_LDADD = $(URING_LIBS) -lpthread

# TCP to device memory (kernel/patches/devmem-igb): a peer and memories, ...
devmem_peer = tests/vm/devmem-tcp.h tests/vm/devmem-nl.c tests/vm/devmem-peer.c \
	tests/vm/uring-dmabuf.h tests/vm/uring-dmabuf-mem.c
# ... without the library,
check_PROGRAMS += tests/vm/devmem-tcp
tests_vm_devmem_tcp_SOURCES = tests/vm/devmem-tcp.c tests/vm/devmem-io.c tests/vm/devmem-revoke.c \
	tests/vm/devmem-zcrx.c $(devmem_peer)
tests_vm_devmem_tcp_LDADD = $(URING_LIBS) -lpthread

# Accesses to memory that was taken back, without the library.
check_PROGRAMS += tests/vm/devmem-late
tests_vm_devmem_late_SOURCES = tests/vm/devmem-late.c tests/vm/devmem-io.c tests/vm/devmem-revoke.c \
	tests/vm/devmem-zcrx.c $(devmem_peer)
tests_vm_devmem_late_LDADD = $(URING_LIBS) -lpthread

# and by the library: as it should be, what it costs (docs/measurements/instructions.md), and when things break.
check_PROGRAMS += tests/vm/devmem-lib tests/vm/devmem-cost tests/vm/devmem-trouble
devmem_rig = tests/vm/devmem-lib.h tests/vm/devmem-rig.c $(devmem_peer)
devmem_libs = lib/libdevio.la $(URING_LIBS) -lpthread
tests_vm_devmem_lib_SOURCES = tests/vm/devmem-lib.c tests/vm/devmem-lib-buffers.c tests/vm/devmem-lib-hard.c \
	tests/vm/devmem-lib-ring.c tests/vm/devmem-lib-rules.c tests/vm/devmem-lib-zcend.c tests/vm/devmem-lib-zcrx.c \
	$(devmem_rig)
tests_vm_devmem_lib_LDADD = $(devmem_libs)
tests_vm_devmem_cost_SOURCES = tests/vm/devmem-cost.c $(devmem_rig)
tests_vm_devmem_cost_LDADD = $(devmem_libs)
tests_vm_devmem_trouble_SOURCES = tests/vm/devmem-trouble.c tests/vm/devmem-trouble.h tests/vm/devmem-disturb.c \
	$(devmem_rig)
tests_vm_devmem_trouble_LDADD = $(devmem_libs)

# All rows on emulated machines: minutes, and the first time a kernel build.
.PHONY: check-lab
check-lab: all $(check_PROGRAMS) $(check_LTLIBRARIES)
	$(top_srcdir)/tests/vm/run --jobs $${DEVIO_LAB_JOBS:-$$(($$(nproc) + 1))} --build $(abs_top_builddir)
