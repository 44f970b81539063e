#!/bin/bash
# SPDX-License-Identifier: MIT
# The test programs under valgrind: no leak, no invalid access.
. "$(dirname "$0")/stage.bash"
configured valgrind gcc CFLAGS='-O1 -g'
make check-valgrind -j"$jobs"
