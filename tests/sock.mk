# SPDX-License-Identifier: MIT
# Tests of connections.
EXTRA_DIST += tests/sockrig.h tests/unit/nicdrig.h
if HAVE_CMOCKA
sock_tests = tests/unit/test-flow tests/unit/test-netdev tests/unit/test-devmem tests/unit/test-zcrx tests/unit/test-refill tests/unit/test-nicd tests/unit/test-nicclient tests/sys/test-sock tests/sys/test-sock-args tests/sys/test-sock-life
check_PROGRAMS += $(sock_tests)
TESTS += $(sock_tests)
endif
tests_unit_test_flow_SOURCES = tests/unit/test-flow.c tests/unit/fake.c tests/unit/fake.h
tests_unit_test_flow_CFLAGS = $(unit_cflags)
tests_unit_test_flow_LDADD = $(unit_libs)
tests_unit_test_netdev_CFLAGS = $(unit_cflags)
tests_unit_test_netdev_LDADD = $(unit_libs)
tests_unit_test_zcrx_SOURCES = tests/unit/test-zcrx.c tests/unit/fake.c tests/unit/fake.h
tests_unit_test_refill_CFLAGS = $(unit_cflags)
tests_unit_test_refill_LDADD = $(unit_libs)
tests_unit_test_zcrx_CFLAGS = $(unit_cflags)
tests_unit_test_zcrx_LDADD = $(unit_libs)
tests_unit_test_devmem_CFLAGS = $(unit_cflags)
tests_unit_test_devmem_LDADD = $(unit_libs)
tests_unit_test_nicd_CFLAGS = $(unit_cflags)
tests_unit_test_nicd_LDADD = lib/libdevio.la $(CMOCKA_LIBS)
tests_unit_test_nicclient_SOURCES = tests/unit/test-nicclient.c tests/unit/nicdrig.h tests/unit/fake.c tests/unit/fake.h
tests_unit_test_nicclient_CFLAGS = $(unit_cflags)
tests_unit_test_nicclient_LDADD = $(unit_libs) -lpthread
tests_sys_test_sock_CFLAGS = $(sys_cflags)
tests_sys_test_sock_LDADD = $(sys_libs) -lpthread
tests_sys_test_sock_args_CFLAGS = $(sys_cflags)
tests_sys_test_sock_args_LDADD = $(sys_libs)
tests_sys_test_sock_life_CFLAGS = $(sys_cflags) $(URING_CFLAGS)
tests_sys_test_sock_life_LDADD = $(sys_libs) $(URING_LIBS)
