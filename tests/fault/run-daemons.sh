#!/bin/sh
# SPDX-License-Identifier: MIT
# devio-serve and devio-nicd while each system call fails in turn: daemons.py has the options. Prints TAP.
build=${DEVIO_BUILD:-.}
skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}
command -v strace >/dev/null || skip_all "strace is not installed"
strace -D -f -o /dev/null true 2>/dev/null || skip_all "ptrace is not permitted here"
grep -q '__[at]san_init' "$build/tests/fault/driver" && skip_all "sanitizers and strace do not mix"
exec python3 -B "$(dirname "$0")/daemons.py" "$build"
