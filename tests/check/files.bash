# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The list of the project's files, for the checks and for the copies that packages are built from.

# The project's files, relative to SRC: what git knows or would take, or in an
# unpacked release all that is not generated.
project_files() {
	if [[ $(git -C "$SRC" rev-parse --show-toplevel 2>/dev/null) = "$(cd "$SRC" && pwd -P)" ]]; then
		git -C "$SRC" ls-files --cached --others --exclude-standard | while read -r f; do
			[[ -e $SRC/$f ]] && echo "$f"
		done
	else
		(cd "$SRC" && find . -type f -printf '%P\n' | grep -vE \
			'^(\.git|build[^/]*|_build|_inst|autom4te.cache|m4)/|^(aclocal\.m4|configure|config\.h\.in|Makefile\.in)$|\.(o|lo|la|log|trs)$|(^|/)\.(deps|libs)/')
	fi | LC_ALL=C sort -u
}
