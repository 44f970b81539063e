#!/bin/bash
# SPDX-License-Identifier: MIT
# The unit files: what systemd-analyze calls their exposure is at most 2.0.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"

for unit in "$SRC"/debian/*.service; do
	name=${unit##*/}
	if ! command -v systemd-analyze >/dev/null; then
		skip "$name: an exposure of at most 2.0" "no systemd-analyze"
		continue
	fi
	cp "$unit" "$tmp/${name##*.devio-}"
	systemd-analyze security --offline=true --no-pager "$tmp/${name##*.devio-}" >"$tmp/out" 2>&1
	level=$(sed -n 's/.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p' "$tmp/out")
	verdict "$name: an exposure of at most 2.0" "$(awk -v l="${level:-10}" 'BEGIN { exit l > 2.0 }' || cat "$tmp/out")"
done
done_testing
