# SPDX-License-Identifier: MIT
# What a program sees of the library, and a user of the tools.
if HAVE_CMOCKA
sys_tests = \
	tests/sys/test-bad-args \
	tests/sys/test-cancel \
	tests/sys/test-completion \
	tests/sys/test-disk \
	tests/sys/test-file-rw \
	tests/sys/test-fork \
	tests/sys/test-limits \
	tests/sys/test-opts \
	tests/sys/test-own-ring \
	tests/sys/test-ring \
	tests/sys/test-sock \
	tests/sys/test-sock-args \
	tests/sys/test-sock-life \
	tests/sys/test-threads \
	tests/sys/test-vector
# These run here with host memory, and in the lab's rows with device memory.
sys_tests += \
	tests/sys/test-matrix \
	tests/sys/test-nomap \
	tests/sys/test-vanish
check_PROGRAMS += $(sys_tests)
TESTS += $(sys_tests)
endif

tests/sys/%.o: AM_CPPFLAGS += -D_GNU_SOURCE -I$(top_srcdir)/tests $(CMOCKA_CFLAGS) $(URING_CFLAGS)
tests_sys_test_own_ring_LDADD = $(LDADD) $(URING_LIBS)
tests_sys_test_sock_life_LDADD = $(LDADD) $(URING_LIBS)

sys_scripts = \
	tests/sys/examples.sh \
	tests/sys/devio-cp.sh \
	tests/sys/devio-nc.sh \
	tests/sys/devio-nc-link.sh \
	tests/sys/devio-tools.sh \
	tests/sys/tools-replace.sh \
	tests/sys/tools-output.sh \
	tests/sys/soak.sh
dist_check_SCRIPTS += $(sys_scripts)
TESTS += $(sys_scripts)
EXTRA_DIST += tests/sys/soak.py tests/sys/tool.bash tests/sys/nc-peer.py tests/sys/lossy-link.py

check_LTLIBRARIES += tests/sys/liblateconfirm.la
tests_sys_liblateconfirm_la_SOURCES = tests/sys/late-confirm.c
tests_sys_liblateconfirm_la_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_sys_liblateconfirm_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere
