# SPDX-License-Identifier: MIT
# libcufile.so.0 as programs use it: opened at run time, over the fake driver.
tests/cufile/%.o: AM_CPPFLAGS += -D_GNU_SOURCE -I$(top_srcdir)/tests $(CMOCKA_CFLAGS)

# fio's own engine, compiled from Debian's source package.
dist_check_SCRIPTS += tests/cufile/fio.sh tests/cufile/gds.sh
TESTS += tests/cufile/fio.sh tests/cufile/gds.sh
EXTRA_DIST += tests/cufile/client.c tests/cufile/fetch-fio tests/cufile/fio/cuda.h tests/cufile/fio/cuda_runtime.h tests/cufile/fio/cudart.c \
	tests/cufile/fio/cufile.h

if HAVE_CMOCKA
cufile_tests = \
	tests/cufile/test-batch \
	tests/cufile/test-conf \
	tests/cufile/test-stream \
	tests/cufile/test-sync
check_PROGRAMS += $(cufile_tests)
TESTS += $(cufile_tests)
cufile_rig = tests/cufile/rig.c tests/cufile/rig.h
cufile_libs = tests/mem/libmemtest.la lib/libdevio.la $(CMOCKA_LIBS) -ldl -lpthread

tests_cufile_test_batch_SOURCES = tests/cufile/test-batch.c $(cufile_rig)
tests_cufile_test_batch_LDADD = $(cufile_libs)
tests_cufile_test_conf_SOURCES = tests/cufile/test-conf.c $(cufile_rig)
tests_cufile_test_conf_LDADD = $(cufile_libs)
tests_cufile_test_stream_SOURCES = tests/cufile/test-stream.c $(cufile_rig)
tests_cufile_test_stream_LDADD = $(cufile_libs)
tests_cufile_test_sync_SOURCES = tests/cufile/test-sync.c $(cufile_rig)
tests_cufile_test_sync_LDADD = $(cufile_libs)
endif
