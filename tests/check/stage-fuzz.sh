#!/bin/bash
# SPDX-License-Identifier: MIT
# Every parser, and the ring, under libFuzzer for a few seconds each.
. "$(dirname "$0")/stage.bash"
configured fuzz clang --enable-fuzz --disable-shared
DEVIO_BUILD=$PWD "$top/tests/fuzz/run" "${DEVIO_FUZZ_SECONDS:-10}"
