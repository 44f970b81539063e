# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# TAP for the check scripts.
#
# A check is shown to work by breaking its rule: run it by hand, for example
#   tests/check/spdx.sh            (the sources alone)
#   DEVIO_BUILD=build tests/check/install.sh
# shellcheck disable=SC2034  # used by the scripts that source this file
# shellcheck source=files.bash
. "$(dirname "${BASH_SOURCE[0]}")/files.bash"
SRC=${DEVIO_SRC:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=${DEVIO_BUILD:-$SRC/build}
[[ $BUILD = /* ]] || BUILD=$PWD/$BUILD
tap_count=0
tap_failed=0
# Beside the build, not in /tmp: that may be a tmpfs, which knows no O_DIRECT.
tmp=$(mktemp -d -p "$([[ -d $BUILD && -w $BUILD ]] && echo "$BUILD" || echo /tmp)" check.XXXXXX)
trap 'rm -rf "$tmp"' EXIT

ok() {
	echo "ok $((++tap_count)) - $1"
}

# not_ok NAME [DETAIL]: the detail's lines as TAP comments
not_ok() {
	echo "not ok $((++tap_count)) - $1"
	[[ -z ${2:-} ]] || echo "# ${2//$'\n'/$'\n'# }"
	tap_failed=1
}

skip() {
	if [[ -n ${DEVIO_STRICT:-} ]]; then
		not_ok "$1" "skipped in a strict run: $2"
	else
		echo "ok $((++tap_count)) - $1 # SKIP $2"
	fi
}

# verdict NAME BAD: passes when BAD, the list of offences, is empty
verdict() {
	if [[ -z $2 ]]; then ok "$1"; else not_ok "$1" "$2"; fi
}

done_testing() {
	echo "1..$tap_count"
	[[ -n ${DEVIO_UNDER_MAKE:-} ]] && exit 0    # else automake counts one failure more
	exit "$tap_failed"
}

# Names that these headers declare.
names_in() {
	cat "$@" | tr '\n' ' ' | grep -oE 'DEVIO_API [^;{]*[;{]' |
		grep -oE 'devio_[a-z0-9_]+[[:space:]]*\(' | tr -d ' \t(' | LC_ALL=C sort -u
}

# Those of libdevio-load, of libdevio, and all.
load_names() {
	names_in "$SRC"/include/devio/{source,load}.h
}

core_names() {
	local h headers=()
	for h in "$SRC"/include/devio/*.h; do
		[[ $h = */source.h || $h = */load.h ]] || headers+=("$h")
	done
	names_in "${headers[@]}"
}

api_names() {
	names_in "$SRC"/include/devio/*.h
}
