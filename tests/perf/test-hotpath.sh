#!/bin/sh
# SPDX-License-Identifier: MIT
# What an operation costs over plain liburing: instructions (callgrind),
# allocations (counted in the program), system calls (strace). Two run lengths
# are compared, so that the set-up cancels out.
LIMIT=90
SHORT=8192
LONG=24576
BATCH=32
build=${DEVIO_BUILD:-.}
hot="$build/libtool --mode=execute"
prog=$build/tests/perf/perf-hot
tmp=$(mktemp -d ./hotpath.XXXXXX) || exit 99
trap 'rm -rf "$tmp"' EXIT
n=0

result() { # ok|not ok, what, comment
	n=$((n + 1))
	echo "$1 $n - $2${3:+ # $3}"
}

# Instructions of a whole run.
instructions() {
	$hot valgrind --tool=callgrind --callgrind-out-file=/dev/null "$prog" "$1" "$tmp/data" "$2" 2>&1 |
		sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

# Tenths of an instruction an operation.
per_op() {
	a=$(instructions "$1" $SHORT)
	b=$(instructions "$1" $LONG)
	[ -n "$a" ] && [ -n "$b" ] && echo $(((b - a) * 10 / (LONG - SHORT)))
}

calls() { # mode, operations, system call
	$hot strace -f -qq -e trace="$3" -o "$tmp/log" "$prog" "$1" "$tmp/data" "$2" >/dev/null 2>&1 || return 1
	grep -c "$3(" "$tmp/log" || [ $? -eq 1 ]
}

all_calls() { # operations, files, memories
	$hot strace -f -qq -o "$tmp/log" "$prog" auto "$tmp/data" "$@" >/dev/null 2>&1 || return 1
	grep -c . "$tmp/log"
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

head -c 1048576 /dev/urandom >"$tmp/data" && sync "$tmp/data"
grep -q 'define DEVIO_SANITIZED 1' "$build/config.h" && skip_all "a build with sanitizers counts their instructions too"
$hot "$prog" file-host "$tmp/data" $BATCH >/dev/null 2>"$tmp/err" ||
	skip_all "no O_DIRECT or no io_uring here: $(head -n 1 "$tmp/err")"

echo "1..14"
plain=
if ! $hot "$prog" optimized; then
	why="a build without optimization has more of them"
elif command -v valgrind >/dev/null 2>&1; then
	plain=$(per_op uring)
	why="valgrind cannot run the program"
else
	why="valgrind is not installed"
fi
for mode in file-host auto file-buffered; do
	if [ -z "$plain" ]; then
		result ok "$mode: instructions" "SKIP $why"
	else
		ours=$(per_op $mode)
		over=$((ours - plain))
		echo "# $mode: $((ours / 10)).$((ours % 10)) instructions an operation, liburing alone $((plain / 10)).$((plain % 10))"
		if [ -n "$ours" ] && [ $over -le $((LIMIT * 10)) ]; then
			result ok "$mode: $((over / 10)).$((over % 10)) instructions over liburing, at most $LIMIT"
		else
			result "not ok" "$mode: $((over / 10)).$((over % 10)) instructions over liburing, at most $LIMIT"
		fi
	fi
	out=$($hot "$prog" $mode "$tmp/data" $LONG 2>&1)
	if [ "$out" = "allocations 0 frees 0" ]; then
		result ok "$mode: no allocation"
	else
		result "not ok" "$mode: no allocation ($out)"
	fi
	if ! command -v strace >/dev/null 2>&1; then
		result ok "$mode: system calls" "SKIP strace is not installed"
		result ok "$mode: no lock" "SKIP strace is not installed"
	elif ! a=$(calls $mode $SHORT io_uring_enter) || ! b=$(calls $mode $LONG io_uring_enter); then
		result ok "$mode: system calls" "SKIP strace may not trace here"
		result ok "$mode: no lock" "SKIP strace may not trace here"
	else
		if [ $((b - a)) -eq $(((LONG - SHORT) / BATCH)) ]; then
			result ok "$mode: one io_uring_enter a batch"
		else
			result "not ok" "$mode: one io_uring_enter a batch ($((b - a)) for $(((LONG - SHORT) / BATCH)) batches)"
		fi
		a=$(calls $mode $SHORT futex)
		b=$(calls $mode $LONG futex)
		if [ "$a" = "$b" ]; then
			result ok "$mode: no futex"
		else
			result "not ok" "$mode: no futex ($a, then $b)"
		fi
	fi
done

# Many pairs of a file and a memory in turn: all of them are remembered, so that no operation queries the page cache
# again: the file is in it, and one query per pair is valid for 4 MiB.
cat "$tmp/data" >/dev/null
for pairs in "1000 1" "1 4096"; do
	what="${pairs% *} files and ${pairs#* } memories in turn"
	# shellcheck disable=SC2086 # two words
	if ! command -v strace >/dev/null 2>&1 || ! a=$(all_calls $SHORT $pairs) || ! b=$(all_calls $LONG $pairs); then
		result ok "$what" "SKIP strace is not installed or may not trace here"
	elif [ $((b - a)) -eq $(((LONG - SHORT) / BATCH)) ]; then
		result ok "$what: one system call a batch"
	else
		result "not ok" "$what: one system call a batch ($((b - a)) for $(((LONG - SHORT) / BATCH)) batches)"
	fi
done
