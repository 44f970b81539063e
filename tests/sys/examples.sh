#!/bin/bash
# SPDX-License-Identifier: MIT
# The examples do what they say, on host memory and a file of an odd length.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
head -c 5000003 /dev/urandom >"$tmp/data"

run() {
	out=$("$BUILD/examples/$1" "${@:2}" 2>&1)
	rc=$?
}

run file-to-gpu host "$tmp/data"
verdict "file-to-gpu reads a file" "$([[ $rc = 0 && $out = *'ring: 5000003 bytes'* ]] || echo "$rc: $out")"
run file-to-gpu host "$tmp/nothing"
verdict "file-to-gpu tells why it cannot" "$([[ $rc = 1 && $out = *ENOENT* ]] || echo "$rc: $out")"
run file-to-gpu nonsense "$tmp/data"
verdict "file-to-gpu tells of a spec that does not parse" "$([[ $rc = 1 && $out = *nonsense* ]] || echo "$rc: $out")"
run own-ring host "$tmp/data"
if [[ $out = *'where io_uring is allowed'* ]]; then
	skip "own-ring reads a file on its own io_uring" "io_uring is forbidden here"
else
	verdict "own-ring reads a file on its own io_uring" \
		"$([[ $rc = 0 && $out = '5000003 of 5000003 bytes'* ]] || echo "$rc: $out")"
fi
done_testing
