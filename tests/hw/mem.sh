#!/bin/sh
# SPDX-License-Identifier: MIT
# Device memory of real hardware: allocates, copies and compares, exports and
# imports, takes interior pointers, in each memory named or in every one that
# this machine offers. The memory is written to; a BAR too, so vfio only when
# it is named.
#
#   tests/hw/mem.sh [SPEC...]       in the build directory, after make check
set -eu
prog=${DEVIO_BUILD:-.}/tests/mem/test-kernel-mem
if [ ! -x "$prog" ]; then
	echo "mem.sh: there is no $prog: run 'make check' in the build directory first" >&2
	exit 99
fi
if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046 # the specs are words
	set -- $("$prog" 2>/dev/null | sed -n 's/^# this machine: //p' | tr ' ' '\n' | grep -v '^vfio:' || true)
fi
echo "# in: $*"
DEVIO_TEST_SPECS="$*" exec "$prog"
