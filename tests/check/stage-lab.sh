#!/bin/bash
# SPDX-License-Identifier: MIT
# The emulated machines: the paths that this kernel cannot show.
. "$(dirname "$0")/stage.bash"
if [[ ! -x tests/vm/run ]]; then
	echo "skipped: tests/vm/run is not there"
	exit 77
fi
# In the tree of the stage gcc, where nearly everything is built.
configured gcc gcc --enable-werror
make check-lab
