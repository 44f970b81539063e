#!/bin/bash
# SPDX-License-Identifier: MIT
# devio-nc: the bytes of every length by every way in and out, with peers of
# other kinds and other manners, and what it leaves behind when it fails.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
tool=$BUILD/tools/devio-nc
# shellcheck source=tool.bash
. "$(dirname "$0")/tool.bash"
here=$(cd "$(dirname "$0")" && pwd)
cd "$tmp" || exit 1
head -c 3000001 /dev/urandom >src
head -c 1234567 /dev/urandom >other

# listener STDIN ARGS: in the background; port is where, pid who, ended waits for it
listener() {
	local in=$1 i
	shift
	rm -f l.pid l.rc
	: >l.err
	(
		env --default-signal=INT,TERM,HUP "$tool" -l 0 "$@" <"$in" >l.out 2>l.err &
		echo $! >l.pid
		wait $!
		echo $? >l.rc
	) 2>/dev/null &
	for ((i = 0; i < 500; i++)); do
		port=$(sed -n 's/.*listening on .* port //p' l.err)
		[[ ! -s l.pid ]] || pid=$(cat l.pid)
		[[ -z $port || -z $pid ]] || return
		[[ ! -s l.rc ]] || break
		sleep 0.02
	done
	echo "it does not listen: $(cat l.err)"
}

# ended STATUS: the listener has
ended() {
	local i
	for ((i = 0; i < 3000; i++)); do
		[[ ! -s l.rc ]] || break
		sleep 0.02
	done
	[[ -s l.rc ]] || { kill -KILL "$pid"; sleep 0.1; echo "the listener hangs"; }
	[[ $(cat l.rc) = "$1" ]] || echo "the listener: exit status $(cat l.rc), not $1: $(cat l.err)"
}

# gone: the listener, as it is no longer wanted
gone() {
	kill "$pid" 2>/dev/null
	ended 143 >/dev/null
}

left_behind() {
	find . -name '*.devio-nc' -o -name 'dst*'
}

hosts=(127.0.0.1)
[[ ! -e /proc/net/if_inet6 ]] || ! grep -q ' lo$' /proc/net/if_inet6 || hosts+=(::1)
for host in "${hosts[@]}"; do
	for path in sock-host sock-bounce; do
		bad=''
		for size in 0 1 511 4096 4097 65537 1048577 3000001; do
			head -c "$size" src >f
			listener /dev/null -o dst --mem host --path $path -b 100001 -q 3
			bad+=$(tool_is 0 "$host" "$port" -i f --mem host --path $path -b 65536)
			bad+=$(ended 0)
			cmp f dst || bad+="size $size differs"
			rm -f dst
		done 2>&1
		verdict "file to memory to TCP to memory to file, $host by $path" "$bad"
	done
done
if [[ ${#hosts[@]} = 1 ]]; then
	skip "the same by IPv6" "no IPv6 on the loopback interface"
else
	listener /dev/null -4 -o dst
	verdict "-4 listens for IPv4 alone" "$(tool_is 1 ::1 "$port" -i src; tool_is 0 localhost "$port" -4 -i src; ended 0; cmp src dst)"
	rm -f dst
fi

bad=''
for block in 1 7 4095 64k; do
	for depth in 1 2 33; do
		head -c 3001 src >f
		listener f -b $block -q $depth
		bad+=$(tool_is 0 localhost "$port" -o dst --mem host -b 1000 -q 2)
		bad+=$(ended 0)
		cmp f dst || bad+="$block $depth"
		rm -f dst
	done
done 2>&1
verdict "every block size and depth, from standard input" "$bad"

listener src
verdict "a conversation: both directions at once" "$(timeout 60 "$tool" localhost "$port" <other >out 2>err || cat err
	ended 0; cmp src out; cmp other l.out)"
listener src
verdict "which ends only when both have ended" "$( (sleep 0.5; echo late) | timeout 60 "$tool" localhost "$port" >out 2>err || cat err
	ended 0; cmp src out; [[ $(cat l.out) = late ]] || echo "not late: $(head -c 100 l.out)")"
mkfifo pipe
listener /dev/null -o -
(echo one; sleep 0.5; cp l.out seen; echo two) | timeout 60 "$tool" localhost "$port" -i - >out 2>err
verdict "what a program reads it gets at once" "$(ended 0; [[ $(cat seen) = one && $(cat l.out) = $'one\ntwo' ]] || cat seen l.out)"

for flows in 2 5 16; do
	listener /dev/null -o dst --flows $flows -b 100001
	verdict "$flows flows" "$(tool_is 0 localhost "$port" -i src --flows $flows -b 65536; ended 0; cmp src dst)"
	rm -f dst
done
bad=''
for size in 0 1 4096 4097 16385; do
	head -c "$size" src >f
	listener /dev/null -o dst --flows 4
	bad+=$(tool_is 0 localhost "$port" -i f --flows 4; ended 0; cmp f dst)
	rm -f dst
done 2>&1
verdict "more flows than there is to carry" "$bad"
# The connection may end between two looks at it.
bad=''
for flows in 1 3; do
	listener /dev/null -o dst --flows $flows
	bad+=$(export LD_PRELOAD=$BUILD/tests/sys/.libs/liblateconfirm.so ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0
		tool_is 0 localhost "$port" -i src --flows $flows)
	bad+=$(ended 0; cmp src dst)
	rm -f dst
done
[[ -e $BUILD/tests/sys/.libs/liblateconfirm.so ]] || bad+="nothing was late"
verdict "the last confirmation and the end at once" "$bad"

listener /dev/null --sink --verify --path sock-bounce
verdict "--verify knows the pattern" "$(tool_is 0 localhost "$port" --pattern 5000001 -b 100001; ended 0
	grep -q 'verified: 5000001 bytes' l.out || cat l.out)"
listener /dev/null --sink --verify --flows 3
verdict "of several flows, too" "$(tool_is 0 localhost "$port" --pattern 5000001 --flows 3; ended 0
	grep -q 'verified: 5000001 bytes' l.out || cat l.out)"
listener /dev/null -o dst
tool_is 0 localhost "$port" --pattern 100001
ended 0
printf x | dd of=dst bs=1 seek=77777 conv=notrunc status=none
listener /dev/null --sink --verify
verdict "--verify finds one byte" "$(tool_is 1 localhost "$port" -i dst | grep -v 'not 1'; ended 3
	grep -q 'byte 77777 is 0x78' l.err || cat l.err)"
rm -f dst
listener /dev/null --sink --checksum
verdict "--checksum prints what cksum prints" "$(tool_is 0 localhost "$port" -i src --checksum; ended 0
	for f in out l.out; do grep -qE ": $(cksum <src)$" $f || cat $f; done)"

listener /dev/null -o dst --json
verdict "JSON at both sides" "$(tool_is 0 localhost "$port" -i src --json --checksum; ended 0; cmp src dst)"
rm -f dst
json() { python3 -c "import json, sys; d = json.load(open(sys.argv[1])); assert $2, d" "$1" 2>&1; }
verdict "the JSON parses" "$(json out "d['sent'] == 3000001 and d['exit_status'] == 0 and d['cksum_sent'] == $(cksum <src | cut -d' ' -f1) and d['send_path'].startswith('sock-') and d['interface'] == 'lo'"
	json l.out "d['received'] == 3000001 and d['receive_path'] and d['file_paths'] and d['error'] is None"
	json l.out "all(k in d['paths'][0] for k in ('path', 'best_unused', 'reason', 'reason_code')) and d['receive_reason_code'] == d['paths'][0]['reason_code']")"
tool_is 1 localhost 1 -i src --json >/dev/null
verdict "the JSON of a failure parses" "$(json out "d['exit_status'] == 1 and 'ECONNREFUSED' in d['error'] and d['sent'] == 0")"

listener /dev/null -i src
expect "--explain has every path" 0 '^  path: sock-' -n localhost "$port" --mem host
gone
verdict "with the fix" "$(for p in devmem zcrx host bounce; do [[ $(grep -c "^  sock-$p " out) = 2 ]] || echo "sock-$p"; done
	grep -q ' fix: ' out || echo "no fix"; grep -q ', interface lo$' out || echo "no interface"; awk 'length($0) > 80' out)"
listener /dev/null -i src
expect "--explain as JSON" 4 sock-devmem -n localhost "$port" --mem host --json --direct-only
gone
verdict "which parses" "$(json out "d['receive']['path'] is None and len(d['send']['paths']) == 4 and d['exit_status'] == 4 and d['receive']['paths'][0]['reason_code'] > 0")"

# Peers of other kinds.
if command -v nc >/dev/null && nc -h 2>&1 | grep -q '\[-.*N'; then
	listener /dev/null -o dst
	verdict "nc sends" "$(nc -N localhost "$port" <src; ended 0; cmp src dst)"
	rm -f dst
	listener src -i -
	verdict "nc receives" "$(nc -d localhost "$port" >out; ended 0; cmp src out)"
	listener src
	verdict "nc does both" "$(nc -N localhost "$port" <other >out; ended 0; cmp src out; cmp other l.out)"
	nc -l 127.0.0.1 "$port" >got </dev/null & peer_pid=$!
	sleep 0.3
	verdict "nc listens" "$(tool_is 0 127.0.0.1 "$port" -i src)"
	wait "$peer_pid"
	verdict "and has it all" "$(cmp src got)"
else
	skip "nc as peer" "no nc with -N"
fi
if command -v socat >/dev/null; then
	listener /dev/null -o dst
	verdict "socat sends" "$(socat -u FILE:src "TCP:localhost:$port"; ended 0; cmp src dst)"
	rm -f dst
	listener /dev/null -i src
	verdict "socat receives" "$(socat -u "TCP:localhost:$port" CREATE:dst; ended 0; cmp src dst)"
	rm -f dst
else
	skip "socat as peer" "no socat"
fi

# Peers of other manners.
peer() { timeout 60 python3 "$here/nc-peer.py" "$@"; }
head -c 300001 src >f
listener /dev/null -o dst
verdict "a peer that dribbles" "$(peer dribble "$port" f; ended 0; cmp f dst)"
rm -f dst
listener src -o - -i - --path sock-bounce
verdict "a peer that ends its stream first" "$(peer half "$port" f >out; ended 0; cmp f l.out; cmp src out)"
listener /dev/null -i f
verdict "a slow reader" "$(peer slow "$port" >out; ended 0; cmp f out)"
listener /dev/null -o dst
verdict "a reset while receiving is a failure" "$(peer reset "$port" f; ended 1; grep -q 'RESET' l.err || cat l.err; left_behind)"
truncate -s 100M big
listener /dev/null -i big
verdict "a reset while sending is a failure" "$(peer refuse "$port"; ended 1; grep -qE 'RESET|PIPE' l.err || cat l.err)"
for way in '-o dst' '-i big'; do
	listener /dev/null "${way%% *}" "${way#* }" --timeout 3
	peer silent "$port" & peer_pid=$!
	verdict "a silent peer and --timeout, $way" "$(ended 1; grep -qE 'no (byte was sent or received|data was transferred)' l.err || cat l.err; left_behind)"
	kill $peer_pid
	wait $peer_pid 2>/dev/null
done
listener /dev/null -o dst --flows 2
verdict "--flows refuses a peer that is none of us" "$(peer bad-head "$port"; ended 1; grep -q 'not devio-nc' l.err || cat l.err; left_behind)"
listener /dev/null -o dst --flows 2
verdict "and other numbers" "$(tool_is 1 localhost "$port" -i src --flows 3 | grep -v 'not 1'; ended 1; grep -qE -- '--flows=3, not 2' l.err || cat l.err; left_behind)"
expect "nobody connects in the time allowed" 1 'time' -l 0 -o dst --timeout 0.3
expect "nobody listens" 1 'ECONNREFUSED' 127.0.0.1 1 -i src
expect "a host that is none" 1 'no-such-host' no-such-host.invalid 80 -i src
expect "a port that is none" 1 'no-such-port' localhost no-such-port -i src
listener /dev/null -o dst
expect "a port in use" 1 'EADDRINUSE' -l "$port" --sink
gone
expect "an address that is not ours" 1 'EADDRNOTAVAIL' -l 192.0.2.1 0 --sink
expect "a spec that does not parse" 2 'nonsense' -l 0 -o dst --mem nonsense
expect "a device that is not there" 1 'cuda:99' -l 0 -o dst --mem cuda:99
expect "a missing file" 1 'nothing' localhost 1 -i nothing
expect "a directory to send" 1 'director' localhost 1 -i /
expect "a pipe to send does not hang" 1 'pipe' localhost 1 -i pipe
expect "a pipe to write" 1 'regular' -l 0 -o pipe --force
expect "a directory that is not there" 1 'nodir/dst' -l 0 -o nodir/dst
echo old >keep
expect "a file that exists stays" 1 'exists \(--force' -l 0 -o keep
verdict "none of them left anything behind" "$(left_behind; [[ $(cat keep) = old ]] || echo changed)"
chmod 640 keep
ln -s keep link
listener /dev/null -o link --force
verdict "--force replaces it, with its mode, through the link" "$(tool_is 0 localhost "$port" -i src; ended 0; cmp src keep
	[[ -L link && $(stat -c %a keep) = 640 ]] || ls -l link keep)"

listener /dev/null -i src
expect "a path that cannot be had" 4 'sock-devmem' localhost "$port" -o dst --path sock-devmem
gone
listener /dev/null -i src
expect "--direct-only where no NIC takes part" 4 'no path: ' localhost "$port" -o dst --direct-only --mem host
gone
verdict "and nothing is left" "$(left_behind)"
bad=$(ulimit -f 1000; listener /dev/null -o dst; "$tool" localhost "$port" -i src >/dev/null 2>&1; ended 1; left_behind)
verdict "a file size limit is an error" "$bad"
listener src
timeout 60 "$tool" localhost "$port" -o - >/dev/full 2>err
verdict "output that cannot be written is an error" "$([[ $? = 1 ]] || echo "status not 1"; grep -q 'standard output' err || cat err)"
gone

listener /dev/null -o dst
kill -INT "$pid"
verdict "SIGINT while it waits for a peer" "$(ended 130; left_behind)"
for sig in INT:130 TERM:143 HUP:129; do
	listener /dev/null -o dst
	mkfifo "p$sig"
	timeout 60 "$tool" localhost "$port" <"p$sig" >/dev/null 2>&1 & peer_pid=$!
	exec 9>"p$sig"
	cat f >&9
	sleep 0.2
	kill -"${sig%:*}" "$pid"
	verdict "SIG${sig%:*} ends it by that signal and leaves nothing" "$(ended "${sig#*:}"; grep -q interrupted l.err || cat l.err; left_behind)"
	exec 9>&-
	wait $peer_pid
done

while read -r name args; do
	read -ra args <<<"$args"
	expect "usage: $name" 2 'Usage|--help' "${args[@]}"
done <<'EOF'
no-arguments
no-port localhost
no-port-to-listen -l
three localhost 1 2
port-too-large localhost 65536
port-to-listen-too-large -l 70000
port-negative -l -- -1
unknown-option --nonsense localhost 1
both-families -4 -6 localhost 1
block localhost 1 --block-size 12q
block-0 localhost 1 --block-size 0
block-huge localhost 1 --block-size 1G
depth localhost 1 --depth 0
flows localhost 1 --flows 65 -i src
flows-both localhost 1 --flows 2 -i src -o dst
flows-none localhost 1 --flows 2
flows-stdin localhost 1 --flows 2 -i -
flows-checksum localhost 1 --flows 2 -i src --checksum
timeout localhost 1 --timeout never
timeout-nan localhost 1 --timeout nan
timeout-0 localhost 1 --timeout 0
in-twice localhost 1 -i src --pattern 1
out-twice localhost 1 -o dst --sink
pattern localhost 1 --pattern -1
path localhost 1 --path sock-nonsense
path-of-files localhost 1 --path file-host
verify localhost 1 -i src --verify
EOF
verdict "usage leaves nothing behind" "$(left_behind)"
cd / || exit 1
done_testing
