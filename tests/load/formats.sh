#!/bin/bash
# SPDX-License-Identifier: MIT
# Files by tarfile, GNU tar, numpy and safetensors, bit for bit.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
# The distribution's own has numpy; another one that comes first in PATH may not.
python=
for p in "${PYTHON:-}" /usr/bin/python3 python3; do
	[[ -z $python && -n $p ]] && command -v "$p" >/dev/null && python=$p
done
[[ -n $python ]] || { skip "files that Python wrote" "no Python"; done_testing; }
out=$("$python" "$SRC/tests/load/formats.py" "$BUILD/tests/load/dump" "$tmp" 2>"$tmp/err")
rc=$?
while read -r line; do
	case $line in
	'ok '*' # SKIP '*) line=${line#ok * - } && skip "${line% # SKIP *}" "${line##* # SKIP }" ;;
	'ok '*) ok "${line#ok * - }" ;;
	'not ok '*) not_ok "${line#not ok * - }" ;;
	'#'*) echo "$line" ;;
	esac
done <<<"$out"
verdict "formats.py ends well" "$([[ $rc = 0 ]] || cat "$tmp/err")"
done_testing
