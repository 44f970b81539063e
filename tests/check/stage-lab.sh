#!/bin/bash
# SPDX-License-Identifier: MIT
# The emulated machine: the paths that this kernel cannot show.
. "$(dirname "$0")/stage.bash"
if [[ ! -x tests/vm/run ]]; then
	echo "skipped: tests/vm/run is not there"
	exit 77
fi
exec tests/vm/run
