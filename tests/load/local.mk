# SPDX-License-Identifier: MIT
# libdevio-load: sources, the order, the loader; a data server and its readers.
if HAVE_CMOCKA
load_tests = \
	tests/load/test-liar \
	tests/load/test-loader \
	tests/load/test-order \
	tests/load/test-ranges \
	tests/load/test-remote \
	tests/load/test-safetensors \
	tests/load/test-serve \
	tests/load/test-tar
check_PROGRAMS += $(load_tests)
TESTS += $(load_tests)
endif
EXTRA_DIST += tests/load/files.h tests/load/serverig.h

tests/load/%.o: AM_CPPFLAGS += -D_GNU_SOURCE -I$(top_srcdir)/tests $(CMOCKA_CFLAGS)
load_libs = lib/libdevio-load.la lib/libdevio.la $(CMOCKA_LIBS) -lpthread
tests_load_test_liar_LDADD = $(load_libs)
tests_load_test_loader_LDADD = $(load_libs)
tests_load_test_ranges_LDADD = $(load_libs)
tests_load_test_remote_LDADD = $(load_libs)
tests_load_test_safetensors_LDADD = $(load_libs)
tests_load_test_serve_LDADD = $(load_libs)
tests_load_test_tar_LDADD = $(load_libs)
# The inside.
tests_load_test_order_LDADD = lib/load/libdvload.la lib/libdv.la $(CMOCKA_LIBS)

# Files that other tools wrote.
check_PROGRAMS += tests/load/dump
tests_load_dump_LDADD = lib/libdevio-load.la lib/libdevio.la
dist_check_SCRIPTS += tests/load/formats.sh
TESTS += tests/load/formats.sh
EXTRA_DIST += tests/load/formats.py
