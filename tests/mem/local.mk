# SPDX-License-Identifier: MIT
# Device memory: against fake vendor libraries and a fake kernel, and on the
# nodes that this machine has.
if HAVE_CMOCKA
MEM_FAKE = tests/mem/fake.c tests/mem/fake.h
MEM_FAKE_LINK = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere -pthread
MEMT = tests/mem/memtest.c tests/mem/memtest.h tests/mem/fake.h tests/mem/fake-kernel.c tests/mem/fake-kernel.h
MEMT_C = $(AM_CFLAGS) -pthread $(CMOCKA_CFLAGS) $(DRM_CFLAGS)
MEMT_LIBS = lib/libdv.la $(CMOCKA_LIBS) -ldl
MEMT_LINK = $(AM_LDFLAGS) -Wl,--wrap=ioctl,--wrap=fstatfs

check_LTLIBRARIES += tests/mem/libfakecuda.la
tests_mem_libfakecuda_la_SOURCES = tests/mem/fake-cuda.c $(MEM_FAKE)
tests_mem_libfakecuda_la_LDFLAGS = $(MEM_FAKE_LINK)

MEM_PROGS = tests/mem/test-cuda
check_PROGRAMS += $(MEM_PROGS)
TESTS += $(MEM_PROGS)

tests_mem_test_cuda_SOURCES = tests/mem/test-cuda.c $(MEMT)
tests_mem_test_cuda_CFLAGS = $(MEMT_C)
tests_mem_test_cuda_LDADD = $(MEMT_LIBS)
tests_mem_test_cuda_LDFLAGS = $(MEMT_LINK)
endif
