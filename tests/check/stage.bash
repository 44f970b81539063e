# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the stages of `./quickstart check` share. Run one: ./quickstart check NAME
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top"
# shellcheck source=packages.bash
. tests/check/packages.bash
dir=${DEVIO_CHECK_DIR:-$top/build-check}
jobs=$(nproc 2>/dev/null || echo 2)
export VERBOSE=1    # automake prints the log of what failed

# configured NAME COMPILER [OPTION...]: a build tree of its own, built
configured() {
	local name=$1 cc=$2
	shift 2
	[[ -x configure && ! configure.ac -nt configure ]] || autoreconf -i
	mkdir -p "$dir/$name"
	cd "$dir/$name"
	if [[ ! -e Makefile || $top/configure -nt Makefile ]]; then
		"$top/configure" -q CC="$(compiler "$cc")" "$@"
	fi
	make -s -j"$jobs"
}
