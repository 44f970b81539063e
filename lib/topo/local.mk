# SPDX-License-Identifier: MIT
lib_libdv_la_SOURCES += lib/topo/topo.c lib/topo/topo.h lib/topo/store.c lib/topo/loop.c lib/topo/explain.c \
	lib/topo/parse.c lib/topo/parse.h lib/topo/machine.c lib/topo/pci.c lib/topo/block.c \
	lib/topo/mount.c lib/topo/device.c lib/topo/p2p.c lib/topo/verdict.c lib/topo/verdict.h \
	lib/topo/object.c
dist_man_MANS += docs/man/devio_topo.3
EXTRA_DIST += docs/compat.md
