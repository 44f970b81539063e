#!/bin/bash
# SPDX-License-Identifier: MIT
# AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer.
. "$(dirname "$0")/stage.bash"
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
configured asan gcc --enable-werror --enable-asan CFLAGS='-O1 -g'
make check -j"$jobs"
