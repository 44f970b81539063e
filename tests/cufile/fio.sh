#!/bin/bash
# SPDX-License-Identifier: MIT
# fio's own engine for cuFile, unmodified, with our libcufile.so.0: what it writes it reads back and verifies.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
here=$SRC/tests/cufile
lib=$BUILD/lib/cufile/.libs
read -ra cc <<<"${DEVIO_CC:-cc}"

stop() {
	skip "fio's libcufile engine" "$1"
	done_testing
}
command -v fio >/dev/null || stop "no fio"
[[ -e $lib/libcufile.so.0 ]] || stop "no $lib/libcufile.so.0: built without a shared library"
[[ -e $BUILD/tests/mem/.libs/libfakecuda.so ]] || stop "no fake driver"
[[ -z ${DEVIO_SAN_CFLAGS:-} ]] || stop "a sanitizer's runtime would have to be in fio"
version=$(fio --version)
source=$(bash "$here/fetch-fio" "${version#fio-}" 2>"$tmp/why") || stop "$(tail -n 1 "$tmp/why")"

mkdir "$tmp/lib"
verdict "the engine compiles unmodified" "$({
	"${cc[@]}" -shared -fPIC -O2 -I"$here/fio" "$here/fio/cudart.c" -o "$tmp/lib/libcudart.so" -ldl &&
	ln -s "$lib/libcufile.so.0" "$tmp/lib/libcufile.so" &&
	"${cc[@]}" -shared -fPIC -O2 -std=gnu99 -w -include "$source/config-host.h" -I"$here/fio" -I"$source" -D_GNU_SOURCE \
		-DBITS_PER_LONG=64 -DFIO_INTERNAL -DCONFIG_DYNAMIC_ENGINES "$source/engines/libcufile.c" -o "$tmp/engine.so" \
		-L"$tmp/lib" -lcufile -lcudart
} 2>&1)"
[[ -e $tmp/engine.so ]] || done_testing
export LD_LIBRARY_PATH=$tmp/lib:$lib:$BUILD/lib/.libs DEVIO_CUDA_LIBRARY=$BUILD/tests/mem/.libs/libfakecuda.so
export CUFILE_ENV_PATH_JSON=/nonexistent CUFILE_LOGFILE_PATH=$tmp/log

# run NAME ENVIRONMENT... -- OPTIONS...
run() {
	local env=()
	shift
	while [[ $1 != -- ]]; do env+=("$1"); shift; done
	shift
	(cd "$tmp" && env "${env[@]}" timeout 120 fio --name=job --ioengine="external:$tmp/engine.so" --gpu_dev_ids=0 --cuda_io=cufile \
		--thread --filename=data --direct=1 "$@" >"$tmp/out" 2>&1) || { tail -n 12 "$tmp/out"; cat "$tmp/log" 2>/dev/null; return 1; }
}
verify=(--verify=md5 --verify_fatal=1 --do_verify=1)

verdict "write and verify, 4 KiB" "$(run a -- --rw=randwrite --bs=4k --size=4m "${verify[@]}")"
verdict "write and verify, 1 MiB" "$(run a -- --rw=write --bs=1m --size=32m "${verify[@]}")"
verdict "write and verify, odd sizes" "$(run a -- --rw=write --bs=512-70k --bs_unaligned --direct=0 --size=4m "${verify[@]}")"
verdict "through the page cache" "$(run a CUFILE_FORCE_COMPAT_MODE=true -- --rw=write --bs=64k --size=8m "${verify[@]}")"
cat >"$tmp/threads.json" <<-EOF2
	{ "properties": { "prefer_iouring": false } }
EOF2
verdict "without io_uring" "$(run a "CUFILE_ENV_PATH_JSON=$tmp/threads.json" -- --rw=write --bs=64k --size=8m "${verify[@]}")"
verdict "sixteen threads, each in its part" "$(run a -- --rw=randrw --bs=16k --size=1m --numjobs=16 --offset_increment=1m "${verify[@]}")"

run a -- --rw=write --bs=64k --size=4m "${verify[@]}" >/dev/null
printf '\xff' | dd of="$tmp/data" bs=1 seek=1234567 conv=notrunc status=none
verdict "a flipped byte is found" "$(run a -- --rw=read --bs=64k --size=4m --verify=md5 --verify_fatal=1 >/dev/null && echo "fio found nothing")"
verdict "by its checksum" "$(grep -q 'verify' "$tmp/out" || cat "$tmp/out")"

# Beside fio's own io_uring engine at depth 1: figures, for this machine may be busy.
bw() { sed -nE 's/.*"iops" : ([0-9.]+),.*/\1/p' "$1" | head -n 1; }
run a -- --rw=randread --bs=4k --size=16m --runtime=2 --time_based --output-format=json >/dev/null && ours=$(bw "$tmp/out")
(cd "$tmp" && fio --name=job --ioengine=io_uring --iodepth=1 --filename=data --direct=1 --rw=randread --bs=4k --size=16m \
	--runtime=2 --time_based --output-format=json >"$tmp/uring" 2>&1) && theirs=$(bw "$tmp/uring")
echo "# 4 KiB random reads a second: libcufile ${ours:-none}, io_uring ${theirs:-none}"
verdict "its figures beside io_uring's" "$([[ ${ours%.*} -gt 0 && ${theirs%.*} -gt 0 ]] || tail -n 5 "$tmp/out" "$tmp/uring")"
done_testing
