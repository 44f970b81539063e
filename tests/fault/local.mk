# SPDX-License-Identifier: MIT
# Each system call fails in turn. The drivers must be programs, not libtool's scripts.
check_PROGRAMS += tests/fault/driver tests/fault/load
EXTRA_DIST += tests/fault/daemons.py tests/fault/fault.h tests/fault/python.py
tests_fault_driver_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_fault_driver_LDADD = lib/libdv.la
tests_fault_load_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_fault_load_LDADD = lib/load/libdvload.la lib/libdv.la
dist_check_SCRIPTS += tests/fault/run-daemons.sh tests/fault/run-faults.sh
TESTS += tests/fault/run-daemons.sh tests/fault/run-faults.sh
