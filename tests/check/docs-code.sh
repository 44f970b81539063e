#!/bin/bash
# SPDX-License-Identifier: MIT
# The code of the tutorials, tool pages and manual pages compiles against what
# `make install` lays down, runs, and prints what the pages show.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
# shellcheck source=docs.bash
. "$SRC/tests/check/docs.bash"
use_installed
PATH=$PATH:$BUILD/examples
python3 "$SRC/tests/check/docs.py" run "$SRC"/docs/tutorial/*.md "$SRC"/docs/concepts.md "$SRC"/docs/tools/*.md \
	"$SRC"/docs/man/*.[0-9]
