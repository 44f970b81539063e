#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/troubleshooting.md has every reason with cause and fix, and every error
# message of the library.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
# shellcheck source=docs.bash
. "$SRC/tests/check/docs.bash"
python3 "$SRC/tests/check/docs.py" troubleshooting
