#!/bin/bash
# SPDX-License-Identifier: MIT
# ThreadSanitizer, the programs only; then files and the loader with io_uring and without.
. "$(dirname "$0")/stage.bash"
configured tsan gcc --enable-werror --enable-tsan CFLAGS='-O1 -g'
make check-programs -j"$jobs"
work=$(mktemp -d tsan-XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/dir"
truncate -s 512K "$work/file"
for engine in uring threads; do
	tests/fault/driver file-bounce "$engine" "$work/file"
	for kind in safetensors tar records; do
		tests/fault/load "$kind" "$engine" "$work/dir"
	done
done
