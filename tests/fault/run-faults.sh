#!/bin/bash
# SPDX-License-Identifier: MIT
# Lets each system call that the library makes fail in turn, with strace: once,
# several times in a row, and from then on. The driver (driver.c: files and rings,
# load.c: the loader, python.py: the package) must end in time, with right data or
# clean errors, and leave nothing behind. A few of the calls of each kind, which
# DEVIO_FAULTS_SEED chooses; all of them with DEVIO_FAULTS=all. Prints TAP.
build=$(cd "${DEVIO_BUILD:-.}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d faults-XXXXXX) || exit 99
trap 'rm -rf "$work"' EXIT
file=$work/file
mkdir "$work/dir"
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
grep -q '__[at]san_init' "$build/tests/fault/driver" && skip_all "sanitizers and strace do not mix"

# Which errnos a call may fail with. None: a failure would be the injection's
# own leak, or is glibc's to bear.
errnos() {
	case $1 in
	close | munmap | futex | exit* | rt_sig* | getppid | dup | brk | rseq | set_robust_list | mprotect | gettid | \
	write | clock_nanosleep | restart_syscall | getpid | unlink | syscall_0x*) ;; # the last: strace does not know it
	openat) echo EMFILE EACCES ENOMEM EINTR ;;
	io_uring_setup) echo EPERM ENOSYS EMFILE ENOMEM ;;
	io_uring_enter) echo EINTR EAGAIN ENOMEM ;;
	io_uring_register) echo ENOMEM EINVAL ;;
	mmap | madvise | mremap) echo ENOMEM ;;
	fcntl | dup3 | eventfd2) echo EMFILE ;;
	clone*) echo EAGAIN ;;
	pread64 | preadv2) echo EIO EINTR EAGAIN ENOMEM ;;
	pwrite64 | fdatasync | fsync | rename) echo ENOSPC EIO EAGAIN ;;
	read) echo EAGAIN ;;
	cachestat) echo ENOSYS ;;
	*) echo EIO ENOMEM ;;
	esac
}

# What the interpreter does for itself, and not for us: its faults are not ours to bear.
own_errnos() {
	case $1 in
	mmap | mremap | madvise | epoll* | socketpair | getsockname | getrandom | read | ioctl | lseek | getcwd | clone* | \
	rt_sig*) ;;
	*) errnos "$1" ;;
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
	awk -v a="$1" -v b="$2" -v all="$DEVIO_FAULTS" -v some="$first_few" -v seed="$seed" 'BEGIN {
		for (i = a; i <= b; i++)
			if (all == "all" || i < a + some || i == b || (i - a + seed) % 13 == 7) print i }'
}

test_nr=0
seed=${DEVIO_FAULTS_SEED:-1}
seed=$((seed % 4096))
echo "# DEVIO_FAULTS_SEED=$seed"

# How often: the call alone, and, from the first one on, a storm of signals, or a cause that stays.
how_often() { # errno number first
	echo "$2"
	[ "$2" = "$3" ] || return
	case $1 in
	EINTR) echo "$2..$(($2 + 20))" ;;
	EAGAIN) ;;
	*) echo "$2+" ;;
	esac
}

inject() { # call first last
	runs=0
	bad=0
	for err in $($table "$1"); do
		for number in $(which_of "$2" "$3"); do
			for when in $(how_often "$err" "$number" "$2"); do
				runs=$((runs + 1))
				timeout 20 strace -f -qq -o /dev/null -e trace="$1" -e inject="$1:error=$err:when=$when" \
					"${command[@]}" >"$work/out" 2>&1 && continue
				echo "# $mode: $1 number $when fails with $err: exit $?"
				sed 's/^/# /' "$work/out"
				bad=$((bad + 1))
			done
		done
	done
	[ "$runs" = 0 ] && return
	test_nr=$((test_nr + 1))
	if [ "$bad" = 0 ]; then
		echo "ok $test_nr - $mode: $1 ($runs times)"
	else
		echo "not ok $test_nr - $mode: $1 ($bad of $runs)"
	fi
}

all_calls() { # what, command: each call of it
	mode=$1
	shift
	command=("$@")
	if ! timeout 20 strace -f -o "$work/trace" "$@" >"$work/out" 2>&1; then
		test_nr=$((test_nr + 1))
		echo "not ok $test_nr - $mode: without any failure"
		sed 's/^/# /' "$work/out"
		return
	fi
	calls "$work/trace" >"$work/calls"
	while read -r call first last; do
		inject "$call" "$first" "$last" </dev/null
	done <"$work/calls"
}

python() {
	local lib
	table=own_errnos
	lib=$(find "$build/lib/.libs" -name 'libdevio.so.*' -type l 2>/dev/null | head -1)
	for p in "${PYTHON:-}" /usr/bin/python3 python3; do
		if [ ! -e "$build/python/devio/.libs/_load.abi3.so" ] || [ -z "$lib" ] || [ -z "$p" ]; then
			continue
		fi
		DEVIO_LIBRARY=$lib PYTHONPATH=$here/../../python "$p" -Bc 'import devio' 2>/dev/null || continue
		all_calls python env DEVIO_LIBRARY="$lib" PYTHONPATH="$here/../../python" "$p" -B -X faulthandler \
			"$here/python.py" "$work/dir"
		return
	done
	test_nr=$((test_nr + 1))
	echo "ok $test_nr - python # SKIP the package was not built"
}

table=errnos
first_few=3
for mode in "auto uring" "file-bounce uring" "file-buffered uring" "file-bounce threads"; do
	all_calls "$mode" "$build/tests/fault/driver" "${mode% *}" "${mode#* }" "$file"
done
first_few=1
for mode in "safetensors uring" "tar uring" "records uring" "records threads"; do
	all_calls "$mode" "$build/tests/fault/load" "${mode% *}" "${mode#* }" "$work/dir"
done
python
echo "1..$test_nr"
