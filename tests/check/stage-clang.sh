#!/bin/bash
# SPDX-License-Identifier: MIT
# clang, warnings are errors, the whole test suite.
. "$(dirname "$0")/stage.bash"
configured clang clang --enable-werror
make check -j"$jobs"
