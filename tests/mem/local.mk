# SPDX-License-Identifier: MIT
# Device memory: against fake vendor libraries and a fake kernel, and on the
# nodes that this machine has.

# cmocka's "not ok # SKIP" is a failure for automake: see the script.
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/mem/tap.sh
EXTRA_DIST += tests/mem/tap.sh

if HAVE_CMOCKA
MEM_FAKE = tests/mem/fake.c tests/mem/fake-dmabuf.c tests/mem/fake.h
MEM_FAKE_LINK = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere -pthread
MEMT = tests/mem/memtest.c tests/mem/between.c tests/mem/memtest.h tests/mem/fake.h tests/mem/fake-kernel.c tests/mem/fake-kernel.h
MEMT_C = $(AM_CFLAGS) -pthread $(CMOCKA_CFLAGS) $(DRM_CFLAGS)
MEMT_LIBS = lib/libdv.la $(CMOCKA_LIBS) -ldl
MEMT_LINK = $(AM_LDFLAGS) -Wl,--wrap=ioctl,--wrap=fstatfs,--wrap=open,--wrap=fcntl \
	-Wl,--wrap=memfd_create,--wrap=ftruncate,--wrap=mmap,--wrap=calloc

check_LTLIBRARIES += tests/mem/libfakecuda.la tests/mem/libfakehip.la tests/mem/libfakehipold.la \
	tests/mem/libfakeze.la tests/mem/libfakeamdgpu.la
tests_mem_libfakecuda_la_SOURCES = tests/mem/fake-cuda.c tests/mem/fake-cuda-app.c $(MEM_FAKE)
tests_mem_libfakecuda_la_LDFLAGS = $(MEM_FAKE_LINK)
tests_mem_libfakehip_la_SOURCES = tests/mem/fake-hip.c $(MEM_FAKE)
tests_mem_libfakehip_la_LDFLAGS = $(MEM_FAKE_LINK)
tests_mem_libfakehipold_la_SOURCES = tests/mem/fake-hip.c $(MEM_FAKE)
tests_mem_libfakehipold_la_CPPFLAGS = $(AM_CPPFLAGS) -DFAKE_HIP_OLD
tests_mem_libfakehipold_la_LDFLAGS = $(MEM_FAKE_LINK)
tests_mem_libfakeze_la_SOURCES = tests/mem/fake-ze.c $(MEM_FAKE)
tests_mem_libfakeze_la_LDFLAGS = $(MEM_FAKE_LINK)
tests_mem_libfakeamdgpu_la_SOURCES = tests/mem/fake-amdgpu.c $(MEM_FAKE)
tests_mem_libfakeamdgpu_la_CPPFLAGS = $(AM_CPPFLAGS) $(DRM_CFLAGS)
tests_mem_libfakeamdgpu_la_LDFLAGS = $(MEM_FAKE_LINK)

MEM_PROGS = tests/mem/test-cuda tests/mem/test-hip tests/mem/test-hip-old tests/mem/test-ze tests/mem/test-amdgpu \
	tests/mem/test-nodes tests/mem/test-vfio tests/mem/test-kernel-mem tests/mem/test-mem
check_PROGRAMS += $(MEM_PROGS)
TESTS += $(MEM_PROGS)

tests_mem_test_cuda_SOURCES = tests/mem/test-cuda.c $(MEMT)
tests_mem_test_cuda_CFLAGS = $(MEMT_C)
tests_mem_test_cuda_LDADD = $(MEMT_LIBS)
tests_mem_test_cuda_LDFLAGS = $(MEMT_LINK)
tests_mem_test_hip_SOURCES = tests/mem/test-hip.c $(MEMT)
tests_mem_test_hip_CFLAGS = $(MEMT_C)
tests_mem_test_hip_LDADD = $(MEMT_LIBS)
tests_mem_test_hip_LDFLAGS = $(MEMT_LINK)
tests_mem_test_hip_old_SOURCES = tests/mem/test-hip.c $(MEMT)
tests_mem_test_hip_old_CFLAGS = $(MEMT_C)
tests_mem_test_hip_old_LDADD = $(MEMT_LIBS)
tests_mem_test_hip_old_LDFLAGS = $(MEMT_LINK)
tests_mem_test_ze_SOURCES = tests/mem/test-ze.c $(MEMT)
tests_mem_test_ze_CFLAGS = $(MEMT_C)
tests_mem_test_ze_LDADD = $(MEMT_LIBS)
tests_mem_test_ze_LDFLAGS = $(MEMT_LINK)
tests_mem_test_amdgpu_SOURCES = tests/mem/test-amdgpu.c $(MEMT)
tests_mem_test_amdgpu_CFLAGS = $(MEMT_C)
tests_mem_test_amdgpu_LDADD = $(MEMT_LIBS)
tests_mem_test_amdgpu_LDFLAGS = $(MEMT_LINK)
tests_mem_test_nodes_SOURCES = tests/mem/test-nodes.c $(MEMT)
tests_mem_test_nodes_CFLAGS = $(MEMT_C)
tests_mem_test_nodes_LDADD = $(MEMT_LIBS)
tests_mem_test_nodes_LDFLAGS = $(MEMT_LINK)
tests_mem_test_vfio_SOURCES = tests/mem/test-vfio.c $(MEMT)
tests_mem_test_vfio_CFLAGS = $(MEMT_C)
tests_mem_test_vfio_LDADD = $(MEMT_LIBS)
tests_mem_test_vfio_LDFLAGS = $(MEMT_LINK)
# Nothing faked: no --wrap here.
tests_mem_test_kernel_mem_SOURCES = tests/mem/test-kernel-mem.c tests/mem/memtest.c tests/mem/memtest.h tests/mem/fake.h
tests_mem_test_kernel_mem_CFLAGS = $(MEMT_C)
tests_mem_test_kernel_mem_LDADD = $(MEMT_LIBS)
tests_mem_test_mem_SOURCES = tests/mem/test-mem.c tests/mem/memtest.c tests/mem/between.c tests/mem/memtest.h tests/mem/fake.h
tests_mem_test_mem_CFLAGS = $(MEMT_C)
tests_mem_test_mem_LDADD = $(MEMT_LIBS)
endif
