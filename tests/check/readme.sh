#!/bin/bash
# SPDX-License-Identifier: MIT
# The README, and docs/install.md, followed line by line: commands run, programs compile and work. What takes root is
# checked for its syntax; installing goes to a scratch directory.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
# shellcheck source=docs.bash
. "$SRC/tests/check/docs.bash"
use_installed
# The programs of the pages leave freeing to their end.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
BUILD=$BUILD python3 "$SRC/tests/check/docs.py" readme "$SRC/README.md" "$SRC/docs/install.md"
