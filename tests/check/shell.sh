#!/bin/bash
# SPDX-License-Identifier: MIT
# The scripts pass shellcheck.
. "$(dirname "$0")/tap.bash"
cd "$SRC" || exit 1
if ! command -v shellcheck >/dev/null; then
	skip "shellcheck" "no shellcheck"
	done_testing
fi
while read -r f; do
	head -n 1 "$f" | tr -d '\0' | grep -qE '^#!.*/(env )?(ba|da)?sh( |$)' || continue
	verdict "$f" "$(shellcheck -x "$f" 2>&1)"
done < <(project_files | grep -vE '^(LICENSES|docs|include|lib)/|\.[ch]$')
done_testing
