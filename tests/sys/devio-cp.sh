#!/bin/bash
# SPDX-License-Identifier: MIT
# devio-cp: every byte at odd sizes and offsets, and what it leaves behind when
# it fails.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
tool=$BUILD/tools/devio-cp
# shellcheck source=tool.bash
. "$(dirname "$0")/tool.bash"
cd "$tmp" || exit 1
head -c 3000001 /dev/urandom >src

left_behind() {
	find . -name '*devio-cp*' -o -name 'dst*'
}

bad=''
for size in 0 1 511 512 4095 4096 4097 65537 1048576 1048577 3000001; do
	head -c "$size" src >f
	bad+=$(tool_is 0 f mem:host --verify --block-size 256k)
	grep -q "verified: $size bytes" out || bad+="size $size: $(cat out)"
	bad+=$(tool_is 0 f dst --verify --mem host --block-size 100001 --depth 3)
	cmp f dst || bad+="size $size: differs"
	rm -f dst
done 2>&1
verdict "every size, to memory and through memory" "$bad"

bad=''
for range in '0 1 0' '1 4096 3' '511 65537 4097' '4096 1048576 512' '2999999 2 1' '3000001 0 7'; do
	read -r off len seek <<<"$range"
	bad+=$(tool_is 0 src mem:host --offset "$off" --length "$len" --seek "$seek" --verify)
	bad+=$(tool_is 0 src dst --mem host --offset "$off" --length "$len" --seek "$seek" --verify)
	cmp <(tail -c +$((off + 1)) src | head -c "$len") <(tail -c +$((seek + 1)) dst) || bad+="$range differs"
	[[ $(stat -c %s dst) = $((seek + len)) ]] || bad+="$range: $(stat -c %s dst) bytes"
	rm -f dst
done 2>&1
verdict "odd offsets on both sides" "$bad"

bad=''
head -c 5000 src >f
for block in 1 7 512 4095 4k 1M; do
	for depth in 1 2 33; do
		bad+=$(tool_is 0 f dst --mem host --block-size $block --depth $depth)
		cmp f dst || bad+="$block $depth"
		rm -f dst
	done
done 2>&1
verdict "every block size and depth" "$bad"

for path in file-host file-bounce file-buffered; do
	expect "--path $path" 0 "^path: $path$" src mem:host --path $path --verify
done
expect "a path that this memory has not is refused" 4 'file-p2p' src dst --mem host --path file-p2p
verdict "and leaves nothing behind" "$(left_behind)"
expect "the report has its lines" 0 '^CPU seconds per GB: [0-9.]+$' src mem:host
verdict "path, reason, bytes, rate, copied bytes" "$(for l in 'path: file-' 'reason: ' 'bytes: 3000001' 'seconds: ' 'GB/s: ' 'copied bytes: '; do
	grep -q "^$l" out || echo "no $l"
done)"
expect "JSON" 0 '"path":[ ]?"file-' src mem:host --json --verify
if command -v python3 >/dev/null; then
	verdict "the JSON parses" "$(python3 -c 'import json; d = json.load(open("out")); assert d["bytes"] == 3000001 and d["verified"] is True and d["exit_status"] == 0 and d["paths"][0]["operations"] == 1
row = d["paths"][0]; assert all(d[k] == row[k] for k in ("path", "best_unused", "reason", "reason_code")), d
assert (d["best_unused"] is None) == (d["reason_code"] == 0) and (d["reason"] is None) == (d["reason_code"] == 0), d' 2>&1)"
	tool_is 1 nothing mem:host --json
	verdict "the JSON of a failure parses" "$(python3 -c 'import json; d = json.load(open("out")); assert "nothing" in d["error"] and d["exit_status"] == 1 and d["path"] is None and d["reason"] is None' 2>&1)"
fi
expect "every path with --verbose" 0 '^path: file-' -v src mem:host
verdict "those of connections too, which do not apply" "$(for p in file-dmabuf file-p2p file-host file-bounce file-buffered; do
	grep -qE "^  $p +(yes|no ): ." err || echo "no $p"
done
for p in sock-devmem sock-zcrx sock-host sock-bounce; do grep -qE "^  $p +n/a: only for connections" err || echo "no $p"; done)"
verdict "in 80 columns" "$(awk 'length($0) > 80' err)"
COLUMNS=50 tool_is 0 -v src mem:host
verdict "or in fewer" "$(awk 'length($0) > 50' err; grep -q '^  sock-bounce' err || echo "no sock-bounce")"
expect "--direct-only by a path without copies" 0 '^copied bytes: 0$' src mem:host --direct-only --length 4096
expect "or not at all" 4 'aligned' src mem:host --direct-only --length 100
expect "no progress in a pipe" 0 bytes src mem:host
verdict "and nothing else on stderr" "$(cat err)"

expect "memory to file" 0 '^path: file-' mem:host dst --length 1000001 --verify
verdict "of the length asked for" "$([[ $(stat -c %s dst) = 1000001 ]] || stat -c %s dst)"
verdict "the pattern does not repeat" "$(split -b 4k --filter='cksum' dst | sort | uniq -d)"

echo old >dst
expect "a file that exists stays" 1 'exists \(--force' src dst
verdict "as it was" "$([[ $(cat dst) = old ]] || echo changed)"
chmod 640 dst
ln -s dst link
expect "--force replaces it" 0 path: src link --force --mem host
verdict "whole, with its mode, through the link" "$(cmp src dst; [[ -L link && $(stat -c %a dst) = 640 ]] || ls -l link dst)"
head -c 10000 src >dst
expect "--seek writes into it" 0 path: src dst --force --seek 1001 --length 501 --mem host --verify
verdict "and leaves the rest" "$(cmp <(head -c 1001 src; head -c 501 src; tail -c +1503 src | head -c 8498) dst)"
rm -f dst link
(umask 027 && "$tool" src dst --mem host >out 2>&1)
verdict "a new file obeys the umask" "$([[ $(stat -c %a dst) = 640 ]] || ls -l dst)"
rm -f dst

while read -r name args; do
	read -ra args <<<"$args"
	expect "usage: $name" 2 'Usage|--help' "${args[@]}"
done <<'EOF'
no-arguments
one src
three src dst other
unknown-option --nonsense src dst
size src dst --block-size 12q
negative src dst --offset -1
huge src dst --length 9223372036854775808
block-0 src dst --block-size 0
depth-0 src dst --depth 0
path src dst --path file-nonsense
two-memories mem:host mem:host --length 1
no-length mem:host dst
mem-twice src mem:host --mem host
EOF

mkfifo pipe
mkdir directory
expect "a missing source" 1 nothing nothing dst
expect "a directory as source" 1 'directory' directory dst
expect "a pipe as source does not hang" 1 pipe pipe dst
expect "a character device as source" 1 /dev/zero /dev/zero dst
expect "a directory as destination" 1 'directory: is a directory' src directory
expect "a pipe as destination does not hang" 1 pipe src pipe --force
expect "a destination in a directory that is not there" 1 'nodir/dst' src nodir/dst
expect "onto itself" 1 'same file' src src --force
expect "an offset past the end" 1 'ends at byte 3000001' src mem:host --offset 3000002
expect "a length past the end" 1 'only 1 bytes' src mem:host --offset 3000000 --length 2
expect "a range past 2^63" 1 '2\^63' mem:host dst --length 9223372036854775807 --seek 1
expect "a spec that does not parse" 2 'nonsense' src mem:nonsense
expect "a device that is not there" 1 'cuda:99' src mem:cuda:99
verdict "none of them left anything behind" "$(left_behind)"
bad=$(ulimit -f 100 && tool_is 1 src dst --mem host)
verdict "a file size limit is an error" "$bad$(left_behind)"
timeout 60 "$tool" src mem:host >/dev/full 2>err
verdict "a report that cannot be written is an error" "$([[ $? = 1 ]] || echo "status not 1")"

# slow COMMAND...: runs it while a copy of many small blocks is under way; rc is the copy's status
slow() {
	local i pid
	head -c 100M /dev/zero >big
	env --default-signal=INT "$tool" big dst --mem host --path file-buffered --block-size 512 --depth 1 \
		--verify >out 2>err </dev/null &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		compgen -G '.dst.*.devio-cp' >/dev/null && break
		sleep 0.02
	done
	sleep 0.1
	"$@" "$pid"
	wait "$pid" 2>/dev/null
	rc=$?
}
# shellcheck disable=SC2317  # called by slow
grow() { echo more >>big; }
# shellcheck disable=SC2317
shrink() { truncate -s 1000 big; }
# shellcheck disable=SC2317
alter() { printf x | dd of=big bs=1 seek=77 conv=notrunc status=none; }

slow kill -INT
verdict "SIGINT ends it by that signal" "$([[ $rc = 130 ]] && grep -q 'interrupted after' err || echo "$rc: $(cat err)")"
verdict "and leaves nothing behind" "$(left_behind)"
slow kill -TERM
verdict "SIGTERM too" "$([[ $rc = 143 ]] || echo "$rc: $(cat err)")$(left_behind)"
slow shrink
verdict "a source that shrinks is an error" "$([[ $rc = 1 ]] && grep -q shrank err || echo "$rc: $(cat err)")$(left_behind)"
slow grow
verdict "a source that grows is an error" "$([[ $rc = 1 ]] && grep -q grew err || echo "$rc: $(cat err)")$(left_behind)"
slow alter
verdict "--verify finds one byte" "$([[ $rc = 3 ]] && grep -q 'byte 77 of' err || echo "$rc: $(cat err)")$(left_behind)"
cd / || exit 1
done_testing
