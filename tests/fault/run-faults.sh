#!/bin/sh
# SPDX-License-Identifier: MIT
# Lets each system call that the library makes fail in turn, with strace: the
# driver must end in time, with right data or clean errors, and leave nothing
# behind. A few of the calls of each kind; all of them with DEVIO_FAULTS=all.
# Prints TAP.
driver=${DEVIO_BUILD:-.}/tests/fault/driver
work=$(mktemp -d faults-XXXXXX) || exit 99
trap 'rm -rf "$work"' EXIT
file=$work/file
# Freed chunks in a thread's cache would count as left behind.
GLIBC_TUNABLES=glibc.malloc.tcache_count=0
export GLIBC_TUNABLES
truncate -s 512K "$file"

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}
command -v strace >/dev/null || skip_all "strace is not installed"
strace -f -o /dev/null true 2>/dev/null || skip_all "ptrace is not permitted here"
grep -q '__[at]san_init' "$driver" && skip_all "sanitizers and strace do not mix"

# Which errnos a call may fail with. None: a failure would be the injection's
# own leak, or is glibc's to bear.
errnos() {
	case $1 in
	close | munmap | futex | exit* | rt_sig* | getppid | dup | brk | rseq | set_robust_list | mprotect | gettid | \
	write | clock_nanosleep | restart_syscall) ;;
	openat) echo EMFILE EACCES ;;
	io_uring_setup) echo EPERM ENOSYS EMFILE ENOMEM ;;
	io_uring_enter) echo EINTR EAGAIN ENOMEM ;;
	io_uring_register) echo ENOMEM EINVAL ;;
	mmap) echo ENOMEM ;;
	fcntl | dup3 | eventfd2) echo EMFILE ;;
	clone*) echo EAGAIN ;;
	pread64 | preadv2) echo EIO EINTR ;;
	pwrite64) echo ENOSPC EAGAIN ;;
	read) echo EAGAIN ;;
	cachestat) echo ENOSYS ;;
	*) echo EIO ;;
	esac
}

# "call first last" of each call between the driver's marks, counted in each thread.
calls() {
	awk '{ pid = $1; call = $2
		if (!sub(/\(.*/, "", call) || call !~ /^[a-z]/) next
		if (call == "getppid") { mark++; next }
		if (!mark) before[call]++
		if (mark == 1) n[pid " " call]++ }
	END { for (k in n) { split(k, a, " "); if (n[k] > max[a[2]]) max[a[2]] = n[k] }
		for (c in max) print c, before[c] + 1, before[c] + max[c] }' "$1" | sort
}

# All, or the first few, some in between, and the last.
which_of() {
	awk -v a="$1" -v b="$2" -v all="$DEVIO_FAULTS" 'BEGIN {
		for (i = a; i <= b; i++)
			if (all == "all" || i < a + 3 || i == b || (i - a) % 13 == 7) print i }'
}

test_nr=0
inject() { # path engine call first last
	runs=0
	bad=0
	for err in $(errnos "$3"); do
		for when in $(which_of "$4" "$5"); do
			runs=$((runs + 1))
			timeout 20 strace -f -qq -o /dev/null -e trace="$3" -e inject="$3:error=$err:when=$when" \
				"$driver" "$1" "$2" "$file" >"$work/out" 2>&1 && continue
			echo "# $1 $2: $3 number $when fails with $err: exit $?"
			sed 's/^/# /' "$work/out"
			bad=$((bad + 1))
		done
	done
	[ "$runs" = 0 ] && return
	test_nr=$((test_nr + 1))
	if [ "$bad" = 0 ]; then
		echo "ok $test_nr - $1 $2: $3 ($runs times)"
	else
		echo "not ok $test_nr - $1 $2: $3 ($bad of $runs)"
	fi
}

for mode in "auto uring" "file-bounce uring" "file-buffered uring" "file-bounce threads"; do
	path=${mode% *}
	engine=${mode#* }
	if ! timeout 20 strace -f -o "$work/trace" "$driver" "$path" "$engine" "$file" >"$work/out" 2>&1; then
		test_nr=$((test_nr + 1))
		echo "not ok $test_nr - $mode: without any failure"
		sed 's/^/# /' "$work/out"
		continue
	fi
	calls "$work/trace" >"$work/calls"
	while read -r call first last; do
		inject "$path" "$engine" "$call" "$first" "$last" </dev/null
	done <"$work/calls"
done
echo "1..$test_nr"
