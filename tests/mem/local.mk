# SPDX-License-Identifier: MIT
# Device memory: against fake vendor libraries and a fake kernel, and on the nodes that this machine has.

# cmocka's "not ok # SKIP" is a failure for automake: see the script.
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/mem/tap.sh
EXTRA_DIST += tests/mem/tap.sh

tests/mem/%.o tests/mem/%.lo: AM_CPPFLAGS += $(CMOCKA_CFLAGS) $(DRM_CFLAGS)

if HAVE_CMOCKA
# The fake libraries of the vendors.
fake_sources = tests/mem/fake.c tests/mem/fake.h tests/mem/fake-dmabuf.c
fake_ldflags = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere -pthread
check_LTLIBRARIES += \
	tests/mem/libfakeamdgpu.la \
	tests/mem/libfakecuda.la \
	tests/mem/libfakehip.la \
	tests/mem/libfakehipold.la \
	tests/mem/libfakeze.la
tests_mem_libfakeamdgpu_la_SOURCES = tests/mem/fake-amdgpu.c $(fake_sources)
tests_mem_libfakeamdgpu_la_LDFLAGS = $(fake_ldflags)
tests_mem_libfakecuda_la_SOURCES = tests/mem/fake-cuda.c tests/mem/fake-cuda-app.c $(fake_sources)
tests_mem_libfakecuda_la_LDFLAGS = $(fake_ldflags)
tests_mem_libfakehip_la_SOURCES = tests/mem/fake-hip.c $(fake_sources)
tests_mem_libfakehip_la_LDFLAGS = $(fake_ldflags)
tests_mem_libfakehipold_la_SOURCES = tests/mem/fake-hip.c $(fake_sources)
tests_mem_libfakehipold_la_CPPFLAGS = $(AM_CPPFLAGS) -DFAKE_HIP_OLD
tests_mem_libfakehipold_la_LDFLAGS = $(fake_ldflags)
tests_mem_libfakeze_la_SOURCES = tests/mem/fake-ze.c $(fake_sources)
tests_mem_libfakeze_la_LDFLAGS = $(fake_ldflags)

# What the tests share (tests/hw's, too); and with it the inside of the library and the fake kernel, whose ioctl() comes
# before the C library's: programs that want the real one are linked without librig.
check_LTLIBRARIES += tests/mem/libmemtest.la tests/mem/librig.la
tests_mem_libmemtest_la_SOURCES = tests/mem/memtest.c tests/mem/memtest.h tests/mem/between.c tests/mem/fake.h
tests_mem_librig_la_SOURCES = \
	tests/mem/fake-kernel.c \
	tests/mem/fake-kernel.h \
	tests/mem/rig.c \
	tests/mem/rig.h \
	tests/mem/vendor.c \
	tests/mem/vendor.h
tests_mem_librig_la_LIBADD = tests/mem/libmemtest.la lib/libdv.la

mem_tests = \
	tests/mem/test-amdgpu \
	tests/mem/test-cuda \
	tests/mem/test-hip \
	tests/mem/test-hip-old \
	tests/mem/test-kernel-mem \
	tests/mem/test-mem \
	tests/mem/test-nodes \
	tests/mem/test-vfio \
	tests/mem/test-ze
check_PROGRAMS += $(mem_tests)
TESTS += $(mem_tests)

mem_libs = tests/mem/librig.la $(CMOCKA_LIBS) -ldl -lpthread
mem_ldflags = $(AM_LDFLAGS) -Wl,--wrap=ioctl,--wrap=fstatfs,--wrap=open,--wrap=fcntl \
	-Wl,--wrap=memfd_create,--wrap=ftruncate,--wrap=mmap,--wrap=calloc
tests_mem_test_amdgpu_LDADD = $(mem_libs)
tests_mem_test_amdgpu_LDFLAGS = $(mem_ldflags)
tests_mem_test_cuda_LDADD = $(mem_libs)
tests_mem_test_cuda_LDFLAGS = $(mem_ldflags)
tests_mem_test_hip_LDADD = $(mem_libs)
tests_mem_test_hip_LDFLAGS = $(mem_ldflags)
tests_mem_test_hip_old_SOURCES = tests/mem/test-hip.c
tests_mem_test_hip_old_LDADD = $(mem_libs)
tests_mem_test_hip_old_LDFLAGS = $(mem_ldflags)
tests_mem_test_nodes_LDADD = $(mem_libs)
tests_mem_test_nodes_LDFLAGS = $(mem_ldflags)
tests_mem_test_vfio_LDADD = $(mem_libs)
tests_mem_test_vfio_LDFLAGS = $(mem_ldflags)
tests_mem_test_ze_LDADD = $(mem_libs)
tests_mem_test_ze_LDFLAGS = $(mem_ldflags)
# Nothing faked.
mem_real_libs = tests/mem/libmemtest.la lib/libdv.la $(CMOCKA_LIBS) -ldl -lpthread
tests_mem_test_kernel_mem_LDADD = $(mem_real_libs)
tests_mem_test_mem_LDADD = $(mem_real_libs)
endif
