#!/bin/bash
# SPDX-License-Identifier: MIT
# Everything that is to be shown on a machine with an NVIDIA GPU, in stages:
#
#   tests/hw/cuda.sh [STAGE...]     all of: build provider paths sanitizer python tcp perf
#
# A stage that fails, hangs or cannot run is told, and the next one follows.
# Writes TAP, and into OUT (here): hw-summary.txt, hw.log, perf-*.json. Where
# nothing can be installed it takes what tests/hw/pack made (HW_PACK, .hw).
# DEVIO_BUILD is the build tree (build-hw); HW_DIR a directory on a drive;
# HW_FAKE=1 tries it all out, in small sizes, on the fake driver. See docs/hw.md.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$(realpath -m "${OUT:-$PWD}")
pack=${HW_PACK:-$top/.hw}
build=${DEVIO_BUILD:-$top/build-hw}
if [[ -e $pack/pack.tar.gz ]]; then
	mkdir -p "$build/pack"
	[[ -e $build/pack/COMMIT ]] || tar -C "$build/pack" --no-same-owner -xzf "$pack/pack.tar.gz" || exit 1
	pack=$build/pack
fi
spec=${DEVIO_TEST_SPEC:-cuda:0}
fake=${HW_FAKE:-}
tensors=$spec   # torch knows no fake device
[[ -z $fake ]] || tensors=host
B=$build        # the tree whose programs run: this one, or the pack's
passed=0 failed=0 skipped=0
mkdir -p "$out"
log=$out/hw.log
tmp=$(mktemp -d)
trap 'rm -rf "$tmp" "${work:-$tmp}"' EXIT

say() {
	echo "$*" | tee -a "$out/hw-summary.txt"
}

# verdict ok|skip|fail NAME [REASON]
verdict() {
	local n
	case $1 in
	ok) ((passed++)) ;;
	skip) ((skipped++)) ;;
	fail) ((failed++)) ;;
	esac
	n=$((passed + skipped + failed))
	case $1 in
	ok) say "ok $n - $2" ;;
	skip) say "ok $n - $2 # SKIP ${3:-}" ;;
	fail) say "not ok $n - $2${3:+: $3}" ;;
	esac
}

# The TAP lines of a run as ours; a run without any is one of them itself.
take_tap() {
	local name=$1 rc=$2 line seen=0 bad=0
	while IFS= read -r line; do
		case $line in
		"1..0 # SKIP"*) verdict skip "$name" "${line#*SKIP }"; return ;;
		"ok "*"# SKIP"*) verdict skip "$name: $(sed -E 's/^ok [0-9]+ (- )?//; s/ ?# SKIP.*//' <<<"$line")" "${line#*SKIP }" ;;
		"ok "*) verdict ok "$name: $(sed -E 's/^ok [0-9]+ (- )?//' <<<"$line")" ;;
		"not ok "*) verdict fail "$name: $(sed -E 's/^not ok [0-9]+ (- )?//' <<<"$line")"; bad=1 ;;
		*) continue ;;
		esac
		seen=1
	done <"$tmp/log"
	if ((rc == 77 && !seen)); then
		verdict skip "$name" "$(grep -m1 -oE 'SKIP .*|skipped: .*' "$tmp/log")"
	elif ((rc && !bad)); then
		case $rc in
		124 | 137) verdict fail "$name" "out of time" ;;
		*) verdict fail "$name" "exit status $rc" ;;
		esac
		bad=1
	elif ((!seen)); then
		verdict ok "$name"
	fi
	((!bad)) || tail -n 15 "$tmp/log" | sed 's/^/# /' | tee -a "$out/hw-summary.txt"
}

# run NAME SECONDS COMMAND...
run() {
	local name=$1 limit=$2 rc=0
	shift 2
	printf '\n== %s: %s\n' "$name" "$*" >>"$log"
	timeout -k 5 "$limit" "$@" >"$tmp/log" 2>&1 </dev/null || rc=$?
	cat "$tmp/log" >>"$log"
	take_tap "$name" "$rc"
}

# A cmocka program.
program() {
	run "$1" "$2" sh "$top/tests/mem/tap.sh" "${@:3}"
}

# Which programs, which libraries, which directory.
choose() {
	[[ -x $build/tests/hw/gpu-read ]] && B=$build || B=$pack/prebuilt
	[[ -x $B/tests/hw/gpu-read ]] || { say "# no programs in $build or $pack/prebuilt: see docs/hw.md"; return 1; }
	export DEVIO_BUILD=$B CMOCKA_MESSAGE_OUTPUT=TAP HW_DIR=$work DEVIO_TEST_SPEC=$spec
	export DEVIO_LIBRARY=$B/lib/.libs/libdevio.so.0 PYTHONPATH=$top/python:${PYTHONPATH:-} PYTHONDONTWRITEBYTECODE=1
	# Without Python.h the modules are not built there; those of the pack are for the stable ABI.
	[[ -e $B/python/devio/.libs/_core.abi3.so || ! -d $pack/prebuilt/python ]] || cp -r "$pack/prebuilt/python" "$B/"
	[[ ! -d $pack/prebuilt ]] || LD_LIBRARY_PATH=$B/lib/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	[[ ! -d $pack/lib ]] || LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$pack/lib
	export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}
	if [[ -n $fake ]]; then
		export DEVIO_CUDA_LIBRARY=$B/tests/mem/.libs/libfakecuda.so HW_CUFILE_LIBRARY=$B/tests/hw/.libs/libfakecufile.so
	fi
}

# A place where O_DIRECT works.
make_work() {
	local d
	for d in "${HW_DIR:-}" "$build" "$top" /var/tmp /tmp; do
		[[ -d $d && -w $d ]] || continue
		work=$(mktemp -d "$d/hw.XXXXXX") || continue
		dd if=/dev/zero of="$work/direct" bs=4096 count=1 oflag=direct status=none 2>/dev/null &&
			rm -f "$work/direct" && return
		rm -rf "$work"
	done
	work=$(mktemp -d)
	say "# no directory with O_DIRECT was found: name one with HW_DIR"
}

machine() {
	say "# $(date -u +%FT%TZ), $(uname -sr), $(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
	say "# memory $(awk '/MemTotal/ { print int($2 / 1048576) " GiB" }' /proc/meminfo), work in $work:" \
		"$(stat -f -c %T "$work"), $(df -h --output=source,avail "$work" | tail -n 1)"
	say "# $(nvidia-smi --query-gpu=name,driver_version,pci.bus_id,memory.total --format=csv,noheader 2>&1 | head -n 1)"
	say "# libdevio $(cat "$pack/COMMIT" 2>/dev/null || git -C "$top" describe --always 2>/dev/null), programs in $B"
	{
		nvidia-smi -q 2>&1 | head -n 120
		lsblk -o NAME,MODEL,TRAN,SIZE,MOUNTPOINT 2>&1
		ls -l /dev/nvidia* /dev/udmabuf /dev/dma_heap 2>&1
		cat /proc/sys/kernel/io_uring_disabled /proc/driver/nvidia/version 2>&1
		ulimit -l
	} >>"$log" 2>&1
}

# Out of the release that the pack holds, or this tree.
build_here() {
	local src=$top jobs
	jobs=$(nproc)
	PATH=$PATH:$pack/bin
	mkdir -p "$build"
	cd "$build" || return
	if [[ -e $pack/src.tar.gz ]]; then
		mkdir -p src && tar -xzf "$pack/src.tar.gz" -C src --strip-components=1 || return
		src=$build/src
	fi
	[[ -x $src/configure ]] || (cd "$src" && autoreconf -i) || return
	if [[ -d $pack/include ]]; then
		local I="-I$pack/include" L="-L$pack/lib"
		export URING_CFLAGS="$I" URING_LIBS="$L -luring" DRM_CFLAGS="$I -I$pack/include/libdrm" DRM_LIBS="$L -ldrm"
		export JSON_CFLAGS="$I -I$pack/include/json-c" JSON_LIBS="$L -ljson-c" XXHASH_CFLAGS="$I" XXHASH_LIBS="$L -lxxhash"
		export NL_CFLAGS="-I$pack/include/libnl3" NL_LIBS="$L -lnl-genl-3 -lnl-3"
		export ARCHIVE_CFLAGS="$I" ARCHIVE_STATIC_LIBS="$L -larchive" ARCHIVE_LIBS="$L -larchive" CMOCKA_CFLAGS="$I" CMOCKA_LIBS="$L -lcmocka"
		export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$pack/lib
	fi
	"$src/configure" -q CFLAGS=-O2 && make -s -j"$jobs" hw-programs
}

stage_build() {
	if [[ -x $build/tests/hw/gpu-read ]]; then
		verdict ok "build: the tree that is there"
	elif ! command -v "${CC:-cc}" >/dev/null && ! command -v gcc >/dev/null; then
		verdict skip "build" "no compiler; what was built elsewhere is taken"
	else
		run build 280 bash "$here/cuda.sh" build_here
		[[ -x $build/tests/hw/gpu-read ]] || rm -rf "$build/tests"
	fi
	choose
}

stage_provider() {
	program contexts 100 "$B/tests/hw/test-contexts"
	program memory 100 "$B/tests/hw/test-memory"
	program pointers 100 "$B/tests/hw/test-pointers"
	local driver=${DEVIO_CUDA_LIBRARY:-libcuda.so.1}
	program faults 150 env HW_CUDA_LIBRARY="$driver" DEVIO_CUDA_LIBRARY="$B/tests/hw/.libs/libcudashim.so" \
		"$B/tests/hw/test-faults"
	[[ -n $fake ]] || DEVIO_TEST_SPECS=$spec program kernel-mem 60 "$B/tests/mem/test-kernel-mem"
}

# A path that must work, or be refused in words: exit status 4.
copy_by() {
	local rc=0
	timeout 60 "$B/tools/devio-cp" --verify --cold --path "$1" "$2" "mem:$spec" >"$tmp/cp" 2>&1 || rc=$?
	cat "$tmp/cp"
	((rc != 4)) || { echo "# skipped: $(tail -n 1 "$tmp/cp")"; return 77; }
	return $rc
}

stage_paths() {
	local p dir size=300001001
	[[ -z $fake ]] || size=300001
	for dir in "$work" /dev/shm; do
		[[ -w $dir ]] || continue
		mkdir -p "$dir/hw-paths.$$"
		p=
		[[ $dir != "$work" || $(stat -f -c %T "$dir") = tmpfs ]] || p=file-bounce
		program "matrix in $(stat -f -c %T "$dir")" 150 env DEVIO_TEST_FILES="$dir/hw-paths.$$/matrix" \
			${p:+DEVIO_TEST_PATH=$p} "$B/tests/sys/test-matrix"
		rm -rf "$dir/hw-paths.$$"
	done
	head -c $size /dev/urandom >"$work/odd"
	for p in auto file-bounce file-buffered file-dmabuf file-p2p; do
		run "copy by $p" 70 bash "$here/cuda.sh" copy_by "$p" "$work/odd"
	done
	run "bench, verified" 60 "$B/tools/devio-bench" --mem="$spec" --name=verify --filename="$work/verify" --size=64m \
		--bs=60k --iodepth=32 --rw=randwrite --verify=xxhash
	"$B/tools/devio-probe" "$work/odd" >>"$log" 2>&1
	rm -f "$work/odd" "$work/verify"
}

stage_sanitizer() {
	local t cs
	cs=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
	if [[ -z $cs || -n $fake ]]; then
		verdict skip sanitizer "there is no compute-sanitizer, or no driver that it could watch"
		return
	fi
	# The tests provoke errors of the driver on purpose: those are not reported.
	for t in memory pointers contexts; do
		run "sanitizer, $t" 120 "$cs" --tool memcheck --leak-check full --report-api-errors no --error-exitcode 9 \
			--target-processes all sh "$top/tests/mem/tap.sh" "$B/tests/hw/test-$t"
	done
}

stage_python() {
	run python 240 python3 "$here/torch-cuda.py" check "$work" "$tensors"
}

stage_tcp() {
	if [[ ! -x $B/tools/devio-nc ]]; then
		verdict skip tcp "devio-nc is not built"
		return
	fi
	local mib=4096
	[[ -z $fake ]] || mib=16
	run tcp 150 "$here/perf-cuda" --tcp $mib --rounds 7 --limit 120 --out "$out/perf-tcp.json"
	grep '^|' "$tmp/log" || true
}

find_cufile() {
	python3 - <<-'END'
	import glob, site, sys
	for d in [*sys.path, *site.getsitepackages()]:
	    for f in sorted(glob.glob(d + "/nvidia/*/lib/libcufile.so.0") + glob.glob(d + "/nvidia/*/*/lib/libcufile.so.0")):
	        print(f)
	        sys.exit()
	END
}

stage_perf() {
	local lib mib=1024 small=()
	lib=$(find_cufile)
	[[ -n ${HW_CUFILE_LIBRARY:-} || -z $lib ]] || export HW_CUFILE_LIBRARY=$lib
	say "# cuFile: ${HW_CUFILE_LIBRARY:-not found}"
	[[ -z $fake ]] || mib=8 small=(--size 8 --small 64 --rounds 1 --quick --every)
	run "perf, files" $((${HW_PERF_LIMIT:-340} + 60)) "$here/perf-cuda" --limit "${HW_PERF_LIMIT:-340}" \
		--out "$out/perf-cuda.json" "${small[@]}"
	[[ -n $fake ]] || grep '^|' "$tmp/log" || true
	run "perf, Python" 150 python3 "$here/torch-cuda.py" perf "$work" "$tensors" "$out/perf-python.json" "$mib" 110
	grep '^#' "$tmp/log" || true
}

case ${1:-all} in
build_here) build_here; exit ;;
copy_by) B=${DEVIO_BUILD:-$build}; copy_by "$2" "$3"; exit ;;
all) set -- build provider paths sanitizer python tcp perf ;;
esac
: >"$out/hw-summary.txt"
: >"$log"
make_work
choose || [[ $1 = build ]] || exit 1
machine
for stage; do
	[[ $(type -t "stage_$stage") = function ]] || { verdict fail "$stage" "no such stage"; continue; }
	begin=$SECONDS
	say "# stage $stage"
	"stage_$stage"
	say "# stage $stage: $((SECONDS - begin)) s"
done
say "1..$((passed + failed + skipped))"
say "# $passed passed, $failed failed, $skipped skipped in $SECONDS s"
((!failed))
