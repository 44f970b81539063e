# SPDX-License-Identifier: MIT
# Captured machines are text (sysfs-NAME.tree) with what devio-probe says of them (sysfs-NAME.json); the tests unpack
# them where they run.
topo_machines = broken cloud desktop-zen microvm server-acs server-switch stack
EXTRA_DIST += tests/topo/capture \
	$(topo_machines:%=tests/data/sysfs-%.tree) \
	$(topo_machines:%=tests/data/sysfs-%.json)

if HAVE_CMOCKA
topo_tests = tests/topo/test_parse tests/topo/test_topo tests/topo/test_golden
check_PROGRAMS += $(topo_tests)
TESTS += $(topo_tests)
endif
tests/topo/%.o: AM_CPPFLAGS += $(CMOCKA_CFLAGS) $(JSON_CFLAGS)
topo_tree = tests/topo/tree.c tests/topo/tree.h
tests_topo_test_parse_LDADD = lib/libdv.la $(CMOCKA_LIBS)
tests_topo_test_topo_SOURCES = tests/topo/test_topo.c $(topo_tree)
tests_topo_test_golden_SOURCES = tests/topo/test_golden.c $(topo_tree)
tests_topo_test_golden_LDADD = $(CMOCKA_LIBS) $(JSON_LIBS)

dist_check_SCRIPTS += tests/topo/probe.sh
TESTS += tests/topo/probe.sh

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_topo
endif
tests_fuzz_fuzz_topo_LDADD = lib/libdv.la
tests_fuzz_fuzz_topo_LDFLAGS = $(fuzz_ldflags)
