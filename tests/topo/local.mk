# SPDX-License-Identifier: MIT
# Captured machines are text (sysfs-NAME.tree) with what devio-probe says of
# them (sysfs-NAME.json); the tests unpack them where they run.
EXTRA_DIST += tests/topo/capture \
	tests/data/sysfs-broken.tree tests/data/sysfs-broken.json \
	tests/data/sysfs-cloud.tree tests/data/sysfs-cloud.json \
	tests/data/sysfs-desktop-zen.tree tests/data/sysfs-desktop-zen.json \
	tests/data/sysfs-microvm.tree tests/data/sysfs-microvm.json \
	tests/data/sysfs-server-acs.tree tests/data/sysfs-server-acs.json \
	tests/data/sysfs-server-switch.tree tests/data/sysfs-server-switch.json \
	tests/data/sysfs-stack.tree tests/data/sysfs-stack.json

if HAVE_CMOCKA
topo_tests = tests/topo/test_parse tests/topo/test_topo tests/topo/test_golden
check_PROGRAMS += $(topo_tests)
TESTS += $(topo_tests)
tests_topo_test_parse_SOURCES = tests/topo/test_parse.c
tests_topo_test_parse_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_topo_test_parse_LDADD = lib/libdv.la $(CMOCKA_LIBS)
tests_topo_test_topo_SOURCES = tests/topo/test_topo.c tests/topo/tree.c tests/topo/tree.h
tests_topo_test_topo_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_topo_test_topo_LDADD = lib/libdevio.la $(CMOCKA_LIBS)
tests_topo_test_golden_SOURCES = tests/topo/test_golden.c tests/topo/tree.c tests/topo/tree.h
tests_topo_test_golden_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JSON_CFLAGS)
tests_topo_test_golden_LDADD = $(CMOCKA_LIBS) $(JSON_LIBS)
endif

dist_check_SCRIPTS += tests/topo/probe.sh
TESTS += tests/topo/probe.sh

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_topo
tests_fuzz_fuzz_topo_SOURCES = tests/fuzz/fuzz_topo.c
tests_fuzz_fuzz_topo_LDADD = lib/libdv.la
tests_fuzz_fuzz_topo_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
EXTRA_DIST += tests/fuzz/fuzz_topo.c
endif
