#!/bin/bash
# SPDX-License-Identifier: MIT
# No file names a place that exists on one machine only, or where packages come from.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
cd "$SRC" || exit 1
# The format of debian/copyright has its address as a name.
project_files | grep -vE '^(LICENSES|tests/data|tests/fuzz/corpus)/|^tests/check/paths\.sh$|^debian/copyright$' >"$tmp/files"

# search REGEX: where it stands
search() {
	xargs -r -a "$tmp/files" -d '\n' grep -InE -- "$1"
}

verdict "no directories of somebody's machine" "$(search '(^|[^A-Za-z0-9_.$}/-])/(root|work|home/[a-z]+|tmp/(wt|b-|bash))(/|[^A-Za-z0-9_-]|$)')"
verdict "no registry hosts" "$(search '[a-z]+\.debian\.(org|net)|registry\.[a-z]+|pypi\.|npmjs|crates\.io|proxy\.golang')"
done_testing
