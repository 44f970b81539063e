#!/bin/bash
# SPDX-License-Identifier: MIT
# clang, warnings are errors, the whole test suite.
. "$(dirname "$0")/stage.bash"
# DWARF 4: Debian 12's valgrind does not read what clang writes by default, and the hot path is counted with it.
configured clang clang --enable-werror CFLAGS='-g -gdwarf-4 -O2'
make check -j"$jobs"
