#!/bin/bash
# SPDX-License-Identifier: MIT
# ThreadSanitizer, the programs only.
. "$(dirname "$0")/stage.bash"
configured tsan gcc --enable-werror --enable-tsan CFLAGS='-O1 -g'
make check-programs -j"$jobs"
