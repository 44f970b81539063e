# SPDX-License-Identifier: MIT
# The library's own tests are in core.mk; the checks of the sources, the
# examples and the tools follow.
include tests/core.mk
include tests/sock.mk
include tests/lab.mk

AM_TESTS_ENVIRONMENT += DEVIO_UNDER_MAKE=1; export DEVIO_UNDER_MAKE; DEVIO_CC='$(CC)'; export DEVIO_CC; DEVIO_CXX='$(CXX)'; export DEVIO_CXX; \
	DEVIO_SAN_CFLAGS='$(SAN_CFLAGS)'; export DEVIO_SAN_CFLAGS;

check_scripts = tests/check/layers.sh tests/check/symbols.sh tests/check/headers.sh \
	tests/check/spdx.sh tests/check/sizes.sh tests/check/man.sh tests/check/paths.sh \
	tests/check/shell.sh tests/check/install.sh tests/sys/examples.sh tests/sys/devio-cp.sh \
	tests/sys/devio-nc.sh tests/sys/devio-nc-link.sh
dist_check_SCRIPTS += $(check_scripts)
TESTS += $(check_scripts)
EXTRA_DIST += tests/sys/nc-peer.py tests/sys/lossy-link.py
check_LTLIBRARIES += tests/sys/liblateconfirm.la
tests_sys_liblateconfirm_la_SOURCES = tests/sys/late-confirm.c
tests_sys_liblateconfirm_la_CFLAGS = $(AM_CFLAGS) -D_GNU_SOURCE
tests_sys_liblateconfirm_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere
EXTRA_DIST += tests/check/tap.bash tests/check/packages.bash tests/check/stage.bash tests/check/run-stages \
	tests/check/stage-gcc.sh tests/check/stage-clang.sh tests/check/stage-asan.sh tests/check/stage-tsan.sh \
	tests/check/stage-valgrind.sh tests/check/stage-distcheck.sh tests/check/stage-job.sh \
	tests/check/stage-lab.sh tests/check/stage-fuzz.sh .shellcheckrc

# The programs alone, as they are and under valgrind.
check_programs = $(filter-out %.sh,$(TESTS))
valgrind_command = $(abs_builddir)/libtool --mode=execute valgrind -q --error-exitcode=99 \
	--leak-check=full --errors-for-leak-kinds=definite,indirect
check-programs: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(check_programs)'
# test-fork takes minutes there: valgrind begins anew in each child. test-sock's peers are threads, and valgrind lets
# no other thread run while one waits in io_uring_enter(); test-sock-life and test-remote have connections, too.
check-valgrind: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(filter-out tests/sys/test-fork tests/sys/test-sock,$(check_programs))' LOG_FLAGS='$(valgrind_command)'
.PHONY: check-programs check-valgrind
