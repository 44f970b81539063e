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
verdict "file-to-gpu reports a missing file" "$([[ $rc = 1 && $out = *ENOENT* ]] || echo "$rc: $out")"
run file-to-gpu nonsense "$tmp/data"
verdict "file-to-gpu reports a spec that does not parse" "$([[ $rc = 1 && $out = *nonsense* ]] || echo "$rc: $out")"
run own-ring host "$tmp/data"
if [[ $out = *'requires io_uring'* ]]; then
	skip "own-ring reads a file on its own io_uring" "io_uring is forbidden here"
else
	verdict "own-ring reads a file on its own io_uring" \
		"$([[ $rc = 0 && $out = '5000003 of 5000003 bytes'* ]] || echo "$rc: $out")"
fi
run loader host records:1000 "$tmp/data"
verdict "loader reports a file that is no multiple of the record" "$([[ $rc = 1 && $out = *'3 more'* ]] || echo "$rc: $out")"
run loader host records:1 "$tmp/nothing"
verdict "loader reports a missing file" "$([[ $rc = 1 && $out = *ENOENT* ]] || echo "$rc: $out")"
head -c 5000000 "$tmp/data" >"$tmp/records"
run loader host records:1000 "$tmp/records"
verdict "loader loads records" "$([[ $rc = 0 && $out = *'items: 5000'*'bytes: 5000000'*'path: file-'* ]] || echo "$rc: $out")"
mkdir "$tmp/s" && for i in 1 2 3; do head -c $((i * 70000)) "$tmp/data" >"$tmp/s/$i.bin"; echo "$i" >"$tmp/s/$i.cls"; done
tar -C "$tmp/s" -cf "$tmp/s.tar" 1.bin 1.cls 2.bin 2.cls 3.bin 3.cls
run loader host tar "$tmp/s.tar"
verdict "loader loads a tar shard" "$([[ $rc = 0 && $out = *'items: 3'*'bytes: 420006'*'path: file-'* ]] || echo "$rc: $out")"
{ printf '\110\0\0\0\0\0\0\0%-72s' '{"x":{"dtype":"U8","shape":[1000003],"data_offsets":[0,1000003]}}'; } >"$tmp/m.safetensors"
head -c 1000003 "$tmp/data" >>"$tmp/m.safetensors"
run loader host safetensors "$tmp/m.safetensors"
verdict "loader loads tensors" "$([[ $rc = 0 && $out = *'items: 1'*'bytes: 1000003'*'path: file-'* ]] || echo "$rc: $out")"
"$BUILD/examples/tcp-to-gpu" host 0 6000000 >"$tmp/out" 2>&1 & pid=$!
for ((i = 0; i < 500; i++)); do
	port=$(sed -n 's/listening on port //p' "$tmp/out")
	[[ -z $port ]] || break
	sleep 0.02
done
"$BUILD/tools/devio-nc" localhost "$port" --in "$tmp/data" >"$tmp/nc" 2>&1
wait $pid
rc=$?
verdict "tcp-to-gpu receives a connection" "$([[ $rc = 0 && $(cat "$tmp/out") = *'sock-host: receive of'*'5000003 bytes in'* ]] ||
	cat "$tmp/out" "$tmp/nc")"
run tcp-to-gpu host no-such-port 1000
verdict "tcp-to-gpu reports a bad port" "$([[ $rc = 1 && $out = *no-such-port* ]] || echo "$rc: $out")"
done_testing
