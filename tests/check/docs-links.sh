#!/bin/bash
# SPDX-License-Identifier: MIT
# No link between pages is dead, and every page can be reached.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
# shellcheck source=docs.bash
. "$SRC/tests/check/docs.bash"
python3 "$SRC/tests/check/docs.py" links
