#!/bin/bash
# SPDX-License-Identifier: MIT
# What all tools have in common: help, version, mistyped options, the exit status
# of a missing file, ports, the keys of JSON.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
# shellcheck source=tool.bash
. "$(dirname "$0")/tool.bash"
cd "$tmp" || exit 1
bin=$BUILD/tools
tools=(devio-bench devio-cp devio-nc devio-nicd devio-probe devio-serve)
head -c 100001 /dev/urandom >src

# is STATUS TOOL ARGS, expect_of NAME STATUS PATTERN TOOL ARGS: tool_is and expect of that tool
is() {
	tool=$bin/$2
	tool_is "$1" "${@:3}"
}
expect_of() {
	tool=$bin/$4
	expect "$1" "$2" "$3" "${@:5}"
}

bad='' wide=''
for name in "${tools[@]}"; do
	bad+=$(is 0 "$name" --help)
	grep -q '^Usage: ' out && grep -qi 'exit status' out || bad+="$name --help "
	mv out help
	wide+=$(awk -v t="$name" 'length($0) > 80 { print t ": " $0 }' help)
	bad+=$(is 0 "$name" -h)
	cmp -s out help || bad+="$name -h is not --help "
	for width in 60 132; do
		COLUMNS=$width is 0 "$name" --help >status
		wide+=$(cat status; awk -v t="$name" -v w=$width 'length($0) > w { print t " " w ": " $0 }' out)
	done
	for option in --version -V; do
		bad+=$(is 0 "$name" $option)
		grep -qE "^$name \(libdevio\) [0-9]+\.[0-9]+" out || bad+="$name $option: $(cat out) "
	done
done
verdict "-h, --help, -V and --version" "$bad"
verdict "help fits the terminal" "$wide"

while read -r name wrong right; do
	expect_of "$name $wrong" 2 "$name: unrecognized option '(--)?${wrong#--}'\. Did you mean $right\?\$" "$name" "$wrong"
done <<'END'
devio-bench --ioedpth --iodepth
devio-bench --out-put --output
devio-cp --verfy --verify
devio-cp --block_size --block-size
devio-cp --porgress=1 --progress
devio-nc --lisen --listen
devio-nc --direct-onyl --direct-only
devio-nicd --scoket --socket
devio-probe --jsno --json
devio-serve --adress --address
devio-serve --verison --version
END
for name in "${tools[@]}"; do
	bad=$(is 2 "$name" --xyzzy-plugh=1)
	verdict "$name: an option like none" "$bad$(grep -q 'xyzzy-plugh' err || cat err; grep 'Did you mean' err)"
done
verdict "the value of an option is none" "$(is 1 devio-cp --force --mem host nothing -- --verfy; is 2 devio-cp --mem --verfy src dst
	grep 'Did you mean' err)"
verdict "nor what follows --" "$(is 1 devio-cp -- --verfy dst; grep -q -- '--verfy' err || cat err; grep 'Did you mean' err)"

expect_of "a missing file" 1 'nothing' devio-cp nothing dst
expect_of "a missing file" 1 'nothing' devio-nc localhost 1 --in nothing
expect_of "a missing file" 1 'nothing' devio-probe nothing
expect_of "a missing file" 1 'nothing' devio-bench --name=r --filename=nothing
expect_of "a missing job file" 1 'nothing' devio-bench nothing
expect_of "a missing directory" 1 'nothing' devio-serve nothing 0
expect_of "a missing interface" 1 'interface nothing0: No such device' devio-nicd --socket="$tmp/sock" lo nothing0
verdict "and no socket for the others" "$(ls sock 2>/dev/null)"

for port in 65536 70000 99999999999999999999; do
	expect_of "port $port" 2 "port $port: not from 0 to 65535" devio-serve . $port
	expect_of "port $port" 2 "port $port: not from 0 to 65535" devio-nc localhost $port
done
: >err                  # of the port before, until the process in the background opens it
"$bin/devio-serve" . 0 2>err & pid=$!
for ((i = 0; i < 500; i++)); do
	grep -q ' port ' err && break
	sleep 0.02
done
kill $pid
wait $pid; rc=$?
verdict "port 0 is a free one" "$([[ $rc = 0 ]] || echo "exit status $rc"; grep -qE "^devio-serve: serving \. at 127\.0\.0\.1 port [1-9][0-9]*\$" err || cat err)"

# With a standard descriptor closed, a file or a connection would get its number, and the report with it.
bad=$("$bin/devio-cp" --mem=host src dst 2>err >&-; rc=$?
	[[ $rc = 1 ]] && grep -q 'cannot write to standard output' err || echo "exit status $rc: $(cat err)"; cmp src dst 2>&1)
verdict "standard output closed: devio-cp reports to no file" "$bad"
bad=$("$bin/devio-bench" --mem=host --name=w --filename=w --rw=write --bs=4k --size=64k --verify_pattern=0x01 2>err >&-; rc=$?
	[[ $rc = 1 ]] && grep -q 'cannot write the report' err || echo "exit status $rc: $(cat err)"
	tr -d '\1' <w | wc -c | grep -v '^0$')
verdict "... nor devio-bench" "$bad"
bad=$("$bin/devio-probe" --try --size=64k --mem=host . 2>err >&-; rc=$?
	[[ $rc = 1 ]] && grep -q 'cannot write to standard output' err || echo "exit status $rc: $(cat err)")
verdict "... nor devio-probe" "$bad"
: >err
"$bin/devio-nc" -l --mem=host -i src 127.0.0.1 0 >nc.out 2>err & pid=$!
for ((i = 0; i < 500; i++)); do
	port=$(sed -n 's/.*listening on .* port //p' err)
	[[ -z $port ]] || break
	sleep 0.02
done
timeout 30 "$bin/devio-nc" --mem=host 127.0.0.1 "${port:-1}" </dev/null 2>nc.err >&-; rc=$?
verdict "... and devio-nc sends nothing back" "$([[ $rc = 1 ]] && grep -q 'standard output: Bad file descriptor' nc.err || echo "exit status $rc: $(cat nc.err)")"
kill $pid 2>/dev/null
wait $pid
for name in "devio-serve --verbose . 0" "devio-nicd --socket=$tmp/sock lo"; do
	# shellcheck disable=SC2086  # words
	"$bin/"$name <&- >&- 2>&- & pid=$!
	bad=none
	for ((i = 0; i < 500; i++)); do
		bad=$(for fd in 0 1 2; do readlink /proc/$pid/fd/$fd | grep -vx /dev/null; done; [[ -e /proc/$pid/fd/3 ]] || echo "not started")
		[[ -n $bad ]] || break
		sleep 0.02
	done
	kill $pid
	wait $pid
	verdict "all closed: ${name%% *} opens them" "$bad"
done

mkdir -p try
bad=$(ulimit -f 64; is 1 devio-probe --try --mem=host --size=1M try)
verdict "devio-probe --try: the error is that of the file" "$bad$(tr -s ' \n' ' ' <out | grep -q 'File too large' || cat out; ls try)"

expect_of "a link-local address without its interface" 1 'needs its interface, as in fe80::1%eth0' devio-nc -w 5 fe80::1234 9
user=(unshare -m)
[[ $(id -u) = 0 ]] || user=(unshare -rm)
if ! grep -q "DEVIO_SANITIZED 1" "$BUILD/config.h" && "${user[@]}" mount -t tmpfs none /proc 2>/dev/null && dd if=src of=/dev/null iflag=direct bs=1M status=none 2>/dev/null; then
	head -c 4M /dev/urandom >direct
	rm -f dst
	# shellcheck disable=SC2016  # of the inner shell
	bad=$("${user[@]}" sh -c 'mount -t tmpfs none /proc && "$0" --no-cache --mem=host direct dst' "$bin/devio-cp" 2>&1 >out; cmp direct dst 2>&1
		grep -q '^path: file-host' out || cat out)
	verdict "O_DIRECT without /proc" "$bad"
else
	skip "O_DIRECT without /proc" "no mount namespaces, or no O_DIRECT here"
fi

# keys WHAT ARGS: the top of its JSON
bench=(devio-bench --mem=host --name=r --filename=src --bs=4k --output-format=json)
version=$("$bin/devio-cp" --version)
version=${version##* }
keys() {
	local what=$1 bad
	shift
	bad=$(is "${status:-0}" "$@")
	[[ -n $bad ]] || bad=$(grep -qE "^  \"devio_version\": ?\"$version\"" out || head -n 5 out)
	verdict "devio_version of $what" "$bad"
}
keys devio-cp devio-cp src mem:host --json
keys devio-probe devio-probe --json
keys devio-bench "${bench[@]}"
keys "devio-bench --compare" "${bench[@]}" --compare --rounds=1 --runtime=20ms --time_based
keys "devio-bench --tune" "${bench[@]}" --tune=10ms
status=1 keys devio-nc devio-nc --json localhost 1 --in src
cd / || exit 1
done_testing
