# SPDX-License-Identifier: MIT
# What all tests share; each folder has its own local.mk. Lists of files: one a line, so that changes do not conflict.
EXTRA_DIST += tests/test.h tests/rig.h tests/sockrig.h tests/forbid.h

# Programs that name no libraries of their own are tests of the library as an application sees it.
LDADD = lib/libdevio.la $(CMOCKA_LIBS) -lpthread

AM_TESTS_ENVIRONMENT += DEVIO_UNDER_MAKE=1; export DEVIO_UNDER_MAKE; \
	DEVIO_CC='$(CC)'; export DEVIO_CC; DEVIO_CXX='$(CXX)'; export DEVIO_CXX; \
	DEVIO_SAN_CFLAGS='$(SAN_CFLAGS)'; export DEVIO_SAN_CFLAGS;

# The rules of the tree (CONTRIBUTING.md).
check_scripts = \
	tests/check/layers.sh \
	tests/check/symbols.sh \
	tests/check/headers.sh \
	tests/check/spdx.sh \
	tests/check/sizes.sh \
	tests/check/man.sh \
	tests/check/paths.sh \
	tests/check/shell.sh \
	tests/check/install.sh \
	tests/check/completions.sh \
	tests/check/units.sh
dist_check_SCRIPTS += $(check_scripts)
TESTS += $(check_scripts)
EXTRA_DIST += .shellcheckrc \
	tests/check/tap.bash \
	tests/check/files.bash \
	tests/check/debian.bash \
	tests/check/debian-installed \
	tests/check/debian-wheel \
	tests/check/packages.bash \
	tests/check/stage.bash \
	tests/check/run-stages \
	tests/check/stage-gcc.sh \
	tests/check/stage-clang.sh \
	tests/check/stage-asan.sh \
	tests/check/stage-tsan.sh \
	tests/check/stage-valgrind.sh \
	tests/check/stage-distcheck.sh \
	tests/check/stage-job.sh \
	tests/check/stage-debian.sh \
	tests/check/stage-lab.sh \
	tests/check/stage-fuzz.sh

# The programs alone, as they are and under valgrind.
check_programs = $(filter-out %.sh,$(TESTS))
valgrind_command = $(abs_builddir)/libtool --mode=execute valgrind -q --error-exitcode=99 \
	--leak-check=full --errors-for-leak-kinds=definite,indirect
# test-fork takes minutes there: valgrind begins anew in each child. test-sock's peers are threads, and valgrind lets
# no other thread run while one waits in io_uring_enter(); test-sock-life and test-remote have connections, too.
valgrind_not = tests/sys/test-fork tests/sys/test-sock
check-programs: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(check_programs)'
check-valgrind: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(filter-out $(valgrind_not),$(check_programs))' \
		LOG_FLAGS='$(valgrind_command)'
.PHONY: check-programs check-valgrind

# make install relinks what Python's modules are loaded with: not beside their tests.
install_logs = tests/check/install.log tests/check/readme.log tests/check/docs-code.log tests/python/wheel.log
$(install_logs): $(filter-out $(install_logs),$(TEST_LOGS))
