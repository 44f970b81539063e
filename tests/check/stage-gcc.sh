#!/bin/bash
# SPDX-License-Identifier: MIT
# gcc, warnings are errors, the whole test suite.
. "$(dirname "$0")/stage.bash"
configured gcc gcc --enable-werror
make check -j"$jobs"
