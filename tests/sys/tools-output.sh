#!/bin/bash
# SPDX-License-Identifier: MIT
# What the tools print and leave: names with any bytes, comments in job files,
# temporary files, sizes.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
tool=$BUILD/tools/devio-cp
# shellcheck source=tool.bash
. "$(dirname "$0")/tool.bash"
cd "$tmp" || exit 1

json() { python3 -c 'import json,sys; d = json.loads(open("out", "rb").read().decode("utf-8")); assert eval(sys.argv[1]), d' "$1" 2>&1; }

name=$'bad\xff\xc3\xa9\xed\xa0\x80\xf8.x'
head -c 5000 /dev/urandom >"$name"
tool_is 0 --json "$name" mem:host
verdict "JSON is UTF-8 whatever the file's name is" "$(json 'd["source"] == "bad\ufffd\u00e9\ufffd\ufffd\ufffd\ufffd.x"')"
tool_is 1 --json $'no\xffsuch\x1b]0;x\x07\xc2\x9bfile' mem:host
verdict "that of a failure too" "$(json '"such" in d["error"]')"
verdict "and no control character reaches the terminal" \
	"$(LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' err && od -c err)"

head -c 5000 /dev/zero >f
for size in 4k 4K 4m 4M 1g 1G 4miB 4MiB; do
	expect "--block-size $size" 0 '^bytes: 5000$' f mem:host --block-size "$size"
	tool_is 0 --json f mem:host --block-size "$size"
	case ${size,,} in 4k) n=4096 ;; 1g) n=1073741824 ;; *) n=4194304 ;; esac
	verdict "is $n bytes" "$(json "d['block_size'] == $n")"
done

tool=$BUILD/tools/devio-bench
head -c 1M /dev/zero >data
printf '[a] ; the first\nfilename=data # this one\nrw=read\nbs=64k   ; blocks\nsize=1m#all\n' >a.fio
tool_is 0 a.fio --output-format=json
verdict "; and # begin comments after values" "$(json 'd["jobs"][0]["jobname"] == "a" and d["jobs"][0]["read"]["total_ios"] == 16')"
printf '[b]\nfilename=target ; the file\nrw=write\nbs=64k\nsize=1m\n' >b.fio
tool_is 0 b.fio
verdict "they are no part of a file's name" "$([[ $rc = 0 && -e target ]] || ls; compgen -G '*;*')"

tool=$BUILD/tools/devio-probe
mkdir dir
for sig in INT TERM KILL; do
	"$tool" --try --mem=host --size=256M dir >out 2>err &
	pid=$!
	sleep 0.3
	kill -$sig $pid
	wait $pid
	verdict "devio-probe --try leaves no file when it gets SIG$sig" "$(ls -A dir)"
done 2>/dev/null
if [[ $(id -u) = 0 ]] && unshare -m true 2>/dev/null; then
	# shellcheck disable=SC2016  # for the inner shell
	unshare -m sh -c 'mount -t tmpfs -o size=1m none dir && "$0" --try --mem=host --size=64M dir' "$tool" >out 2>&1
	verdict "a full file system is said to be full" "$(tr -s '\n ' '  ' <out | grep -q 'No space left' || cat out)"
else
	skip "a full file system is said to be full" "needs root and unshare"
fi
tool_is 0 --try --mem=host --size=1M dir
verdict "and a trial in a directory works" "$(grep -q FAILED out && cat out; ls -A dir)"
cd / || exit 1
done_testing
