#!/bin/bash
# SPDX-License-Identifier: MIT
# The main job of ./quickstart on a small file, and its words.
. "$(dirname "$0")/stage.bash"
export DEVIO_BUILD=$dir/job
out=$(./quickstart --size 64M)
echo "$out"
for word in 'path: file-' 'reason: ' 'GB/s: ' 'CPU seconds per GB: ' 'verified: 67108864 bytes equal'; do
	grep -q "^$word" <<<"$out" || { echo "not ok: no line '$word'"; exit 1; }
done
