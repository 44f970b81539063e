#!/bin/bash
# SPDX-License-Identifier: MIT
# devio-bench where fio is the model: interruptions, job files, the options' values.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
# shellcheck source=bench.bash
. "$(dirname "$0")/bench.bash"

head -c 4M /dev/urandom >src
read_src=(--name=r --filename=src --size=4m)

# Interruptions
# interrupt ARGS: SIGINT when it has started; out has the report
interrupt() {
	: >out
	env --default-signal=INT "$bench" --mem=host --eta=never "$@" >out 2>err &
	pid=$!
	wait_for Starting out 1
	sleep 0.2
	kill -INT $pid
	wait $pid
	rc=$?
	[[ $rc = 130 ]] || echo "$rc: $(cat out err)"
}
for engine in devio liburing pread; do
	head -c 64k src >w
	bad=$(interrupt --name=w --filename=w --allow_overwrite --rw=write --startdelay=30 --ioengine=$engine)
	verdict "$engine: SIGINT in startdelay: nothing is written" "$bad$(cmp <(head -c 64k src) w 2>&1)"
	rm -f w
done
bad=$(interrupt "${read_src[@]}" --rate_iops=1000 --ramp_time=30 --runtime=5 --time_based --output-format=normal,json)
[[ -n $bad ]] || bad=$(sed -n '/^{/,/^}/p' out | python3 -c 'import json, sys
r = json.load(sys.stdin)["jobs"][0]["read"]
assert not r["total_ios"] or (r["runtime"] and r["iops"] and r["bw"]), r' 2>&1)
verdict "SIGINT in ramp_time: its I/Os have a runtime" "$bad"
json "a job that ends in ramp_time has one, too" 'jobs[0]["read"]["total_ios"] == 64 and jobs[0]["read"]["runtime"] and jobs[0]["read"]["iops"]' \
	"${read_src[@]}" --bs=64k --rate_iops=1000 --ramp_time=30

# Reports and files
# kept NAME STATUS PATTERN FILE ARGS: expect, and FILE is as it was
kept() {
	cp "$4" before
	expect "$1" "$2" "$3" "${@:5}"
	verdict "... and it is as it was" "$(cmp before "$4" 2>&1)"
}
taken='is a file of the jobs: the report would overwrite it'
cp src data
ln -s data link
kept "--output over the data of a job" 2 "--output=data: $taken" data --name=a --filename=data --output=data
kept "... by a symbolic link" 2 "--output=link: $taken" data --name=a --filename=data --output=link
expect "... that the job creates" 2 "--output=a.0.0: $taken" --name=a --rw=write --size=64k --unlink --output=a.0.0
cp src data_bw.1.log
kept "a log over the data of a job" 2 "data_bw.1.log: $taken" data_bw.1.log --name=a --filename=data_bw.1.log --write_bw_log=data
cp src data.svg
kept "a plot over the data of a job" 2 "--plot=data.svg: $taken" data.svg --name=a --filename=data.svg --plot=data.svg
printf '[a]\nfilename=src\n' >a.fio
kept "--output over the job file" 2 "--output=a.fio: $taken" a.fio a.fio --output=a.fio
echo old >report
cp report old_bw.1.log
kept "a missing file: the old report stays" 1 missing report --name=a --filename=missing --output=report
kept "no memory: the old report stays" 1 cuda report "${read_src[@]}" --mem=cuda:99 --output=report
kept "... of --tune" 1 cuda report "${read_src[@]}" --mem=cuda:99 --tune=10ms --output=report
kept "... and the old log" 1 cuda old_bw.1.log "${read_src[@]}" --mem=cuda:99 --write_bw_log=old
yes | head -c 100k >report
bad=$(run 0 "${read_src[@]}" --output=report)
verdict "a new report replaces the old one" "$bad$(grep -c '^y' report | grep -v '^0$'; head -n 1 report | grep -v '^r: '; grep -q 'READ: bw=' report || echo none)"
rm -f data* link a.fio report old_bw.1.log

# Job files
# shellcheck disable=SC2016  # the tool's
printf '[a] ; first\nfilename=src   # data\nrw=read;\nbs=64k   ; blocks\nsize=1m  # all\ndescription=${TEXT}\n[b;c#]\nfilename=src\nsize=64k#\n' >c.fio
TEXT='x;y' json "comments behind sections and values" '[x["jobname"] for x in jobs] == ["a", "b;c#"] and jobs[0]["read"]["io_bytes"] == 1 << 20 and jobs[0]["job options"]["bs"] == "64k" and jobs[0]["job options"]["description"] == "x;y" and jobs[1]["read"]["io_bytes"] == 65536' c.fio
mkdir -p sub/deep
printf 'bs=32k # of all\n' >sub/global.inc
printf 'size=512k\ninclude deep/more.inc\n' >sub/job.inc
printf 'iodepth=3\n' >sub/deep/more.inc
printf '[global]\nfilename=src\ninclude global.inc\n[a]\ninclude job.inc ; size\nloops=2\n[b]\nsize=1m\n' >sub/top.fio
json "include, from the directory of the file too" '[(x["read"]["io_bytes"], x["read"]["total_ios"]) for x in jobs] == [(1 << 20, 32)] * 2 and jobs[0]["latency_depth"] == 3 and jobs[1]["latency_depth"] == 1' sub/top.fio
printf '[x]\nbs=4k\n' >sub/job.inc
expect "an included file with a section" 2 'sub/top.fio, line 5: sub/job.inc, line 1: an included file must not have sections' sub/top.fio
printf 'bs=4k\ninclude job.inc\n' >sub/job.inc
expect "a file that includes itself" 2 'include job.inc: more than 16 files deep' sub/top.fio
rm -f sub/job.inc
expect "an included file that is missing" 1 'sub/top.fio, line 5: include job.inc: No such file' sub/top.fio
printf 'bs=4q\n' >sub/job.inc
expect "a wrong value in an included file" 2 "sub/top.fio, line 5: sub/job.inc, line 1: bs=4q" sub/top.fio
if command -v fio >/dev/null; then
	printf 'size=512k\ninclude sub/deep/more.inc\n' >sub/job.inc
	verdict "fio reads the same files" "$(TEXT=x fio --parse-only c.fio 2>&1 | grep -v '^fio-'; fio --parse-only sub/top.fio 2>&1 | grep -v '^fio-')"
fi

# Sizes and names
json "bsrange: sizes of a range" '64 <= jobs[0]["read"]["total_ios"] <= 256 and jobs[0]["read"]["io_bytes"] == 1 << 20' --name=r --filename=src --size=1m --bsrange=4k-16k
expect "bsrange takes two sizes" 2 'bsrange: not two sizes' --name=r --filename=src --bsrange=4k
# shellcheck disable=SC2016  # variables of the tool
expect "filename_format, with directories" 0 'WRITE: bw=' --name=j --directory=. '--filename_format=by/$jobname/$jobnum-$filenum' --nrfiles=2 --numjobs=2 --rw=write --bs=4k --size=16k
verdict "... are the names" "$(diff <(cd by && find . -type f -size 8k | sort) - <<<$'./j/0-0\n./j/0-1\n./j/1-0\n./j/1-1')"
rm -rf by

# A write of the second pass that never reaches the file
if grep -q 'HAVE_XXHASH 1' "$BUILD/config.h" && strace -qq -o /dev/null true 2>/dev/null; then
	bad=$(
		timeout 60 strace -f -qq -e trace=pwrite64 -e inject=pwrite64:retval=4096:when=20 -o /dev/null "$bench" --mem=host --ioengine=pread --name=v --filename=v --size=64k --bs=4k --rw=write --verify=xxhash --loops=2 >out 2>err
		grep -q 'v, block of 4096 bytes at byte 12288: written by an earlier pass' out || tail -n 5 out err)
	verdict "verify: a block of an earlier pass is found" "$bad"
	rm -f v
else
	skip "verify: a block of an earlier pass is found" "without xxhash or strace"
fi
for engine in devio liburing pread; do
	expect "verify: $engine, the same blocks over and over" 0 'verified  : [0-9]+ blocks, 0 of them' --ioengine=$engine --name=v --filename=v --allow_overwrite --size=256k --bs=4k --rw=randwrite --norandommap --iodepth=32 --verify=xxhash --loops=8
done
rm -f v

# Offsets and holes
json "offset_increment in percent, rounded up to blocks" 'len(jobs) == 3 and all(x["read"]["io_bytes"] == 65536 for x in jobs)' \
	--name=r --filename=src --bs=64k --size=64k --numjobs=3 --offset_increment=10%
rm -f w
bad=$(run 0 --name=c --filename=w --rw=write --size=1m --bs=64k --verify_pattern=0x00
	run 0 --name=w --filename=w --allow_overwrite --rw=write --bs=4k --size=4k --numjobs=3 --offset_increment=33% --verify_pattern=0x01
	for at in 0 348160 692224; do [[ $(od -An -tu1 -j $at -N 1 w) -eq 1 ]] || echo "byte $at"; done; [[ $(tr -d '\0' <w | wc -c) = 12288 ]] || echo size)
verdict "... at the offsets of fio" "$bad"
rm -f w
json "rw=read:SIZE ends at the end of the file" '[(x["read"]["total_ios"], x["read"]["io_bytes"]) for x in jobs] == [(16, 65536), (15, 61440), (2, 131072)]' --filename=src \
	--name=a --rw=read:60k --bs=4k --size=1m --name=b --rw=read:64k --bs=4k --size=1000k --name=c --rw=read:1m --bs=64k --size=2m

json_verdicts
cd / || exit 1
done_testing
