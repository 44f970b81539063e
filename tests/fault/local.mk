# SPDX-License-Identifier: MIT
# Each system call fails in turn. The driver must be a program, not libtool's script.
check_PROGRAMS += tests/fault/driver
tests_fault_driver_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_fault_driver_LDADD = lib/libdv.la
dist_check_SCRIPTS += tests/fault/run-faults.sh
TESTS += tests/fault/run-faults.sh
