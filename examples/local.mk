# SPDX-License-Identifier: MIT
# Built by make and run by the tests, so that they keep working.
noinst_PROGRAMS += examples/file-to-gpu examples/own-ring examples/loader examples/tcp-to-gpu
examples_file_to_gpu_SOURCES = examples/file-to-gpu.c
examples_file_to_gpu_LDADD = lib/libdevio.la
examples_own_ring_SOURCES = examples/own-ring.c
examples_own_ring_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
examples_own_ring_LDADD = lib/libdevio.la $(URING_LIBS)
examples_loader_SOURCES = examples/loader.c
examples_loader_LDADD = lib/libdevio-load.la lib/libdevio.la
examples_tcp_to_gpu_SOURCES = examples/tcp-to-gpu.c
examples_tcp_to_gpu_LDADD = lib/libdevio.la
exampledir = $(docdir)/examples
dist_example_DATA = examples/file-to-gpu.c examples/own-ring.c examples/loader.c examples/tcp-to-gpu.c examples/train.py
