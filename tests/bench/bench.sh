#!/bin/bash
# SPDX-License-Identifier: MIT
# devio-bench: what it moves, where it moves it, what it says and how it ends.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
# shellcheck source=bench.bash
. "$(dirname "$0")/bench.bash"

read_src=(--name=r --filename=src --size=4m)
head -c 4M /dev/urandom >src

# What it reads and writes
for rw in read randread; do
	for engine in devio liburing pread; do
		json "$rw by $engine reads each byte once" 'jobs[0]["read"]["io_bytes"] == 4 << 20 and jobs[0]["ioengine"] == "'$engine'"' \
			"${read_src[@]}" --rw=$rw --ioengine=$engine --iodepth=16 --bs=16k
	done
done
for path in file-host file-bounce file-buffered; do
	json "--path=$path is what carries the bytes" 'jobs[0]["path"] == "'$path'" and jobs[0]["paths"][0]["bytes"] == 4 << 20' \
		"${read_src[@]}" --path=$path --iodepth=8 --bs=64k
done
json "copied bytes are reported" 'jobs[0]["copied_bytes"] == 4 << 20' "${read_src[@]}" --path=file-bounce --bs=1m
for rw in write randwrite; do
	for engine in devio liburing pread; do
		bad=$(run 0 --name=w --filename=w --rw=$rw --size=1m --bs=8k --iodepth=7 --ioengine=$engine --verify_pattern=0x01020304)
		verdict "$rw by $engine writes the whole file" "$bad$(cmp <(pattern 1M) w 2>&1)"
		rm -f w
	done
done
bad=$(run 0 --name=w --rw=write --nrfiles=3 --size=3m --bs=64k --iodepth=4 --verify_pattern=0x01020304)
verdict "three files of a job, by turns" "$bad$(for i in 0 1 2; do cmp <(pattern 1M) w.0.$i 2>&1; done)"
rm -f w.0.*
pattern 65536 >a; pattern 65536 >b
json "files that are named with colons" 'jobs[0]["read"]["total_ios"] == 32' --name=r --filename=a:b --bs=4k --iodepth=4 --verify_pattern=0x01020304
head -c 1M src >w
run 0 --name=w --filename=w --rw=write --offset=256k --size=128k --allow-overwrite --verify_pattern=0x01020304
verdict "offset and size keep to their region" "$(cmp <(head -c 256k src; pattern 128k; head -c 1M src | tail -c +$((384 * 1024 + 1))) w 2>&1)"
rm -f w
json "io_size beyond size begins again" 'jobs[0]["read"]["io_bytes"] == 10 << 20' "${read_src[@]}" --io_size=10m --bs=64k
json "io_size below size" 'jobs[0]["read"]["io_bytes"] == 1 << 20' "${read_src[@]}" --io_size=1m --rw=randread
json "loops" 'jobs[0]["read"]["io_bytes"] == 8 << 20' "${read_src[@]}" --loops=2 --bs=64k
json "size in percent, offset in percent" 'jobs[0]["read"]["io_bytes"] == 2 << 20' --name=r --filename=src --size=50% --offset=25% --bs=4k --iodepth=8
json "offset_increment" 'len(jobs) == 4 and all(x["read"]["io_bytes"] == 1 << 20 for x in jobs)' --name=r --filename=src --size=1m --offset_increment=1m --numjobs=4 --bs=64k
json "rwmixread" '0.6 < jobs[0]["read"]["total_ios"] / 512 < 0.8 and jobs[0]["read"]["total_ios"] + jobs[0]["write"]["total_ios"] == 512' \
	--name=m --filename=m --size=2m --rw=randrw --rwmixread=70 --iodepth=8
json "bssplit" '30 < jobs[0]["read"]["io_bytes"] / jobs[0]["read"]["total_ios"] / 1024 < 38' "${read_src[@]}" --io_size=16m --rw=randread --bssplit=4k/50:64k/50 --iodepth=8
json "every random distribution" 'len(jobs) == 4 and all(x["read"]["total_ios"] == 1024 for x in jobs)' --filename=src --rw=randread --iodepth=8 \
	--name=a --random_distribution=zipf:1.2 --name=b --random_distribution=pareto:0.3 --name=c --random_distribution=normal:20 --name=d --norandommap
json "zones" 'len(jobs) == 2 and all(x["read"]["total_ios"] == 1024 for x in jobs)' --filename=src --rw=randread --iodepth=8 \
	--name=a --random_distribution=zoned:60/10:30/20:8/30:2/40 --name=b --random_distribution=zoned_abs:90/1m:10/3m
json "rw=randread:N, sequential and identical" 'len(jobs) == 2 and all(x["read"]["total_ios"] == 1024 for x in jobs)' --filename=src --rw=randread:8 --iodepth=8 \
	--name=a --name=b --rw_sequencer=identical
head -c 1M src >w
run 0 --name=w --filename=w --rw=write:12k --bs=4k --size=1m --io_size=256k --allow-overwrite --verify_pattern=0x01020304
verdict "rw=write:SIZE passes over holes" "$(cmp <(for i in $(seq 0 63); do pattern 4k; tail -c +$((i * 16384 + 4097)) src | head -c 12k; done) w 2>&1)"
rm -f w
expect "a zone behind the end is an error" 2 'zone 2 starts at byte' --name=r --filename=src --rw=randread --random_distribution=zoned_abs:50/1g:50/1g
json "odd block sizes and depths" 'jobs[0]["read"]["io_bytes"] == 3000 * 100' --name=r --filename=src --size=300000 --bs=3000 --iodepth=5 --iodepth_batch=3 --iodepth_batch_complete=2
for engine in devio liburing; do
	json "$engine: wait_spin" '[x["read"]["total_ios"] for x in jobs] == [256] * 3' --ioengine=$engine --filename=src --size=4m --bs=16k \
		--iodepth=8 --name=a --wait_spin=0 --name=b --wait_spin=50 --name=c --wait_spin=1ms
	json "$engine: iodepth_low, submit_and_wait, iodepth_batch_complete=0" 'len(jobs) == 4 and all(x["read"]["io_bytes"] == 4 << 20 for x in jobs)' --ioengine=$engine \
		--filename=src --size=4m --bs=16k --iodepth=16 --name=a --iodepth_low=4 --name=b --submit_and_wait --name=c --iodepth_batch_complete=0 --name=d --submit_and_wait --iodepth_batch_complete=0
done
json "fixedbufs" 'jobs[0]["read"]["io_bytes"] == 4 << 20' "${read_src[@]}" --ioengine=liburing --fixedbufs --iodepth=4 --bs=64k

# Connections
net=(--ioengine=net --hostname=127.0.0.1 --bs=64k --iodepth=4)
# Eleven ports in a row that no connection has, not even one that has ended; below those that the kernel gives to clients.
taken=" $(awk 'FNR > 1 { sub(/.*:/, "", $2); print $2 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r hex; do printf '%d ' "0x$hex"; done)"
port=$((10000 + $$ % 20000))
for ((n = 0; n <= 10; n++)); do
	[[ $taken != *" $((port + n)) "* ]] || port=$((port + n + 1)) n=-1
done
json "send and receive" 'len(jobs) == 2 and jobs[0]["read"]["io_bytes"] == jobs[1]["write"]["io_bytes"] == 8 << 20 and jobs[0]["path"] in ("sock-host", "sock-bounce")' \
	"${net[@]}" --size=8m --port=$port --name=r --listen --rw=receive --name=s --rw=send
json "two connections, each its port" 'len(jobs) == 4 and all(x["read"]["io_bytes"] + x["write"]["io_bytes"] == 1 << 20 for x in jobs)' \
	"${net[@]}" --size=1m --numjobs=2 --port=$((port + 2)) --name=r --listen --rw=read --name=s --rw=write
json "IPv6" 'jobs[0]["read"]["io_bytes"] == 1 << 20' --ioengine=net --hostname=::1 --protocol=tcp6 --size=1m --bs=4k --port=$((port + 4)) --name=r --listen --rw=read --name=s --rw=write
json "the receiver ends with the sender" 'jobs[0]["error"] == 0 and jobs[0]["read"]["io_bytes"] == 3 << 20' \
	"${net[@]}" --port=$((port + 5)) --name=r --listen --rw=read --size=8m --name=s --rw=write --size=3m
json "a receiver of a silent peer ends in time" 'jobs[0]["error"] == 0 and jobs[0]["elapsed"] <= 4' \
	"${net[@]}" --port=$((port + 6)) --time_based --name=r --listen --rw=read --runtime=500ms --name=s --rw=write --rate_iops=1 --runtime=2s --io_size=64k
json "verify over a connection" 'jobs[0]["error"] == 0 and jobs[0]["read"]["io_bytes"] == 4 << 20' "${net[@]}" --verify="$hash" --verify_pattern=0x01020304 \
	--size=4m --port=$((port + 7)) --name=r --listen --rw=read --name=s --rw=write
expect "what is not the pattern is reported" 3 'r: ' "${net[@]}" --size=1m --port=$((port + 8)) --name=r --listen --rw=read --verify=pattern --verify_pattern=0x01020304 --name=s --rw=write
expect "nobody to connect to in time" 2 'needs port' "${net[@]}" --name=s --rw=write --size=1m
expect "no random places" 2 'a connection has no offsets' "${net[@]}" --port=$port --name=s --rw=randwrite --size=1m
expect "no comparison of one side" 2 'supports files only' --compare "${net[@]}" --port=$port --name=s --rw=write --size=1m
expect "a direct path that there is not" 4 'r: ' "${net[@]}" --size=1m --port=$((port + 9)) --direct-only --name=r --listen --rw=read --name=s --rw=write
if command -v fio >/dev/null; then
	(sleep 0.3; exec fio --name=s --ioengine=net --hostname=127.0.0.1 --protocol=tcp --port=$((port + 10)) --rw=write --bs=16k --size=4m) >fio.out 2>&1 &
	json "what fio sends, and its farewell of 8 bytes" 'jobs[0]["error"] == 0 and jobs[0]["read"]["io_bytes"] == (4 << 20) + 8' "${net[@]}" --name=r --listen --rw=read --size=8m --port=$((port + 10))
	wait $!
fi

# Time and rate
json "runtime ends it" '0.9 < jobs[0]["read"]["runtime"] / 500 < 1.6' "${read_src[@]}" --runtime=500ms --time_based --rw=randread --iodepth=4
json "ramp_time is not counted" '0.9 < jobs[0]["read"]["runtime"] / 400 < 1.6 and jobs[0]["elapsed"] >= 1' "${read_src[@]}" --ramp_time=400ms --runtime=400ms --time_based --iodepth=4
json "rate_iops" '5 <= jobs[0]["read"]["total_ios"] <= 110' "${read_src[@]}" --runtime=500ms --time_based --rate_iops=200 --iodepth=8
json "rate" '1 << 18 <= jobs[0]["read"]["io_bytes"] <= 5.5 * (1 << 20)' "${read_src[@]}" --runtime=500ms --time_based --rate=10m --iodepth=8
json "thinktime" '3 <= jobs[0]["read"]["total_ios"] <= 11' "${read_src[@]}" --runtime=500ms --time_based --thinktime=50000

# Reports
json "jobs of a group as one" 'len(jobs) == 1 and jobs[0]["threads"] == 3 and jobs[0]["read"]["io_bytes"] == 12 << 20' "${read_src[@]}" --numjobs=3 --group_reporting --bs=64k
json "and each for itself" 'len(jobs) == 3' "${read_src[@]}" --numjobs=3 --bs=64k
json "stonewall begins another group" '[x["groupid"] for x in jobs] == [0, 1]' --filename=src --bs=64k --name=a --name=b --stonewall
json "percentile_list" 'list(jobs[0]["read"]["clat_ns"]["percentile"]) == ["50.000000", "99.900000"]' "${read_src[@]}" --percentile_list=50:99.9
json "counts agree" 'jobs[0]["read"]["clat_ns"]["N"] == jobs[0]["read"]["lat_ns"]["N"] == jobs[0]["read"]["slat_ns"]["N"] == 1024' "${read_src[@]}" --iodepth=4
json "slat + clat = lat" 'abs(sum(jobs[0]["read"][k + "_ns"]["mean"] * s for k, s in (("slat", 1), ("clat", 1), ("lat", -1)))) < 1' "${read_src[@]}" --iodepth=4
json "what was set is reported" 'j["devio_version"] and j["global options"]["bs"] == "8k" and jobs[0]["job options"]["iodepth"] == "3"' --bs=8k "${read_src[@]}" --iodepth=3
json "fio's keys" 'all(k in jobs[0]["read"] for k in "io_bytes io_kbytes bw_bytes bw iops runtime total_ios short_ios drop_ios bw_min bw_max bw_agg bw_mean bw_dev bw_samples iops_min iops_max iops_mean iops_stddev iops_samples".split()) and all(k in jobs[0] for k in "jobname groupid error eta elapsed trim job_runtime usr_cpu sys_cpu ctx majf minf iodepth_level iodepth_submit iodepth_complete latency_ns latency_us latency_ms latency_depth path reason copied_bytes".split())' "${read_src[@]}"
expect "the normal report" 0 'read: IOPS=[0-9.]+k?, BW=[0-9.]+[KMG]iB/s \([0-9.]+[kMG]B/s\)\(4.00MiB/[0-9]+msec\)' "${read_src[@]}"
verdict "names path, percentiles and group" "$(for p in 'path         : file-host' '99.00th=\[' 'IO depths' 'READ: bw=' 'issued rwts: total=1024,0,0,0'; do grep -qE "$p" out || echo "no $p"; done)"
verdict "nothing on stderr" "$(cat err)"
expect "terse has fio's fields and the path" 0 '^3;devio-bench-[0-9.]*;r;0;0;4096;.*;file-host$' "${read_src[@]}" --minimal
verdict "so many" "$([[ $(tr ';' '\n' <out | wc -l) = 122 ]] || tr ';' '\n' <out | wc -l)"
expect "the live line" 0 'Jobs: 1 \(f=1\): \[R\(1\)\]\[file-host\]\[[0-9.]+%\]\[r=.*IOPS\]\[eta ' "${read_src[@]}" --runtime=700ms --time_based --eta=always --eta-interval=200ms
run 0 "${read_src[@]}" --runtime=700ms --time_based --write_bw_log=log --write_iops_log=log --write_lat_log=log --log_avg_msec=20
verdict "logs over time" "$(for k in bw iops lat; do [[ $(grep -cE '^[0-9]+, [0-9]+, 0, 0, 0$' log_$k.1.log) -ge 15 ]] || echo "$k: $(cat log_$k.1.log)"; done)"
# No line comes early, and no interval has two. That lines come in time is the scheduler's to grant as well: one run of
# several in which it does is enough, as with looks on a coarser grid of times there is none.
early='' late=''
for ((i = 0; i < 8; i++)); do
	run 0 "${read_src[@]}" --runtime=1100ms --time_based --iodepth=4 --write_iops_log=due --log_avg_msec=50
	early+=$(sed '$d' due_iops.1.log | awk -F, '{ k = int($1 / 50) } k < NR || k <= last { print; } { last = k }')
	n=$(awk -F, '{ n += $1 % 50 < 3 } END { print NR < 15 || n < NR * 3 / 4 ? n + 0 " of " NR : "" }' due_iops.1.log)
	[[ -n $n ]] || break
	late+="$n in time"$'\n'
done
verdict "no line before it is due" "$early"
verdict "a line when it is due" "${n:+$late}"
timeout 60 "$bench" --mem=host "${read_src[@]}" >/dev/full 2>err
verdict "a report that cannot be written is an error" "$([[ $? = 1 ]] || echo "status not 1")"

# Job files
cat >job.fio <<'END'
; what people have
[global]
filename=src
ioengine=io_uring
bs=64k
thread
[first]
rw=read
[second]
rw=randread
iodepth=${DEPTH}
END
DEPTH=8 json "a job file" '[x["jobname"] for x in jobs] == ["first", "second"] and jobs[1]["latency_depth"] == 8 and jobs[0]["ioengine"] == "liburing"' job.fio
DEPTH=8 json "a section of it, with another engine" 'len(jobs) == 1 and jobs[0]["jobname"] == "second"' --section=second job.fio
expect "an option that fio has and this has not is named" 2 'zonemode' --name=a --zonemode=zbd
printf '[a]\nzonemode=zbd\n' >bad.fio
expect "in a job file with its line" 2 "bad.fio, line 2: unrecognized option 'zonemode'" bad.fio
printf '[a]\niodpeth=8\n' >bad.fio
expect "and the nearest one there is" 2 "bad.fio, line 2: unrecognized option 'iodpeth'. Did you mean --iodepth\\?" bad.fio
expect "a mistyped option of the program" 2 'Did you mean --output-format\?' --ouptut-format=json --name=a
expect "and of a job" 2 'Did you mean --block-?size\?' --name=a --bloksize=4k
expect "no job" 2 'no job'
expect "a missing job file" 1 'nothere' nothere.fio
expect "time_based without runtime" 2 'time_based needs runtime' "${read_src[@]}" --time_based
expect "wait_spin too long" 2 'wait_spin=2ms: not from 0 to 1000000 ns' "${read_src[@]}" --wait_spin=2ms
expect "help" 0 '--iodepth=N' --help
expect "help: a time" 0 '--thinktime=TIME' --help
expect "help: a value" 0 '--verify=VALUE' --help
expect "version" 0 'devio-bench \(libdevio\) [0-9]' --version

json_verdicts

# What existed stays
cp src keep
expect "a file that exists is not written to" 2 'allow_overwrite' --name=w --filename=keep --rw=randwrite --size=4m
expect "nor by a mix" 2 'allow_overwrite' --name=w --filename=keep --rw=randrw
expect "nor made longer to be read" 2 'allow_overwrite' --name=r --filename=keep --size=8m
verdict "it is as it was" "$(cmp src keep 2>&1)"
expect "allow_overwrite allows it" 0 'WRITE' --name=w --filename=keep --rw=write --size=4m --bs=64k --allow_overwrite
verdict "and then it is not" "$(cmp -s src keep && echo "still the same")"
run 0 --name=w --rw=write --size=64k --unlink
verdict "unlink leaves nothing behind" "$(ls w.0.0 2>/dev/null)"
expect "jobs may write to what an earlier job made" 0 'WRITE' --filename=new --size=64k --rw=write --name=a --name=b --stonewall
expect "a character device" 1 'neither' --name=r --filename=/dev/zero
expect "a directory" 1 'neither' --name=r --filename=.
expect "a file that is not there and has no size" 1 'does not exist' --name=r --filename=nothere
expect "a block larger than the file" 2 'not one block' --name=r --filename=a --bs=1m
expect "direct-only that is not possible" 4 'cannot use a direct path: .*align' --name=r --filename=src --direct-only --bs=100
expect "a path that cannot be had" 4 'file-p2p' "${read_src[@]}" --path=file-p2p
expect "a memory that cannot be had" 1 'cuda:99' "${read_src[@]}" --mem=cuda:99

# verify
rm -f v
expect "verify=$hash after writing" 0 'verified  : 256 blocks, 0 of them differ' --name=v --filename=v --rw=randwrite --size=1m --verify="$hash" --iodepth=8
expect "and by a run of its own" 0 'verified  : 256 blocks, 0' --name=v --filename=v --rw=read --verify="$hash" --iodepth=8
for path in file-host file-bounce file-buffered; do
	expect "at the destination of $path" 0 'verified  : 256 blocks, 0' --name=v --filename=v --rw=randread --verify="$hash" --path=$path --iodepth=8
done
printf '\0' | dd of=v bs=1 seek=700001 conv=notrunc status=none
printf '\1' | dd of=v bs=1 seek=700002 conv=notrunc status=none
for engine in devio liburing pread; do
	expect "$engine finds a byte that changed" 3 'verify: v, block of 4096 bytes at byte 696320' --name=v --filename=v --verify="$hash" --ioengine=$engine
done
verdict "one block of all differs" "$(grep -q '256 blocks, 1 of them differ' out || cat out)"
expect "verify_fatal ends there" 3 'verified  : 171 blocks' --name=v --filename=v --verify="$hash" --verify_fatal --iodepth=1
dd if=v of=v bs=4096 skip=3 seek=5 count=1 conv=notrunc status=none
[[ $hash = pattern ]] || expect "a block of another offset is found" 3 'another offset' --name=v --filename=v --verify=xxhash --verify_fatal
fake=$BUILD/tests/mem/.libs/libfakecuda.so
if [[ -e $fake ]]; then
	rm -f v
	for path in auto file-bounce file-buffered; do
		bad=$(DEVIO_CUDA_LIBRARY=$fake run 0 --mem=cuda:0 --name=v --filename=v --rw=randwrite --size=1m --verify="$hash" \
			--iodepth=8 --path=$path --allow-overwrite)
		verdict "verify in memory that the CPU cannot see (a fake), $path" "$bad$(grep -q 'memory       : cuda:0' out || cat out)$(
			grep -q '256 blocks, 0 of them differ' out || cat out)"
	done
else
	skip "verify in memory that the CPU cannot see (a fake)" "the fake library is not built"
fi

# Errors and ends
# The file is looked at when the threads start, and read half a second later.
shrink() {
	head -c 4M /dev/urandom >shrinks
	: >out
	timeout 60 "$bench" --mem=host --name=e --filename=shrinks --startdelay=500ms --bs=64k "$@" >out 2>err &
	wait_for Starting out 1
	truncate -s 1M shrinks
	wait $!
	rc=$?
}
for engine in devio liburing pread; do
	shrink --ioengine=$engine
	verdict "$engine: an error ends the job" "$([[ $rc = 1 ]] && grep -q 'errors    : total=1, first_error=61' out && grep -q 'cause     : shrinks: read 65536 bytes at byte 1048576' out || echo "$rc: $(cat out err)")"
done
shrink --continue_on_error=all --iodepth=4
verdict "continue_on_error counts them all" "$([[ $rc = 1 ]] && grep -q 'errors    : total=48, first_error=61' out && grep -q 'total=16,0,0,0' out || echo "$rc: $(cat out err)")"
rm -f shrinks
bad=$(ulimit -f 1000; run 1 --name=w --filename=big --rw=write --size=16m)
verdict "a limit of the file's size is an error" "$bad"
rm -f big
env --default-signal=INT "$bench" --mem=host "${read_src[@]}" --runtime=30 --time_based --eta=always --eta-interval=100ms >out 2>err &
pid=$!
wait_for Jobs: err 3
kill -INT $pid
wait $pid
rc=$?
verdict "SIGINT prints what was measured" "$([[ $rc = 130 ]] && grep -q 'READ: bw=.*run=[0-9]*-[0-9]*msec' out || echo "$rc: $(cat out err)")"

rss() {
	awk '/^RssAnon/ { print $2 }' "/proc/$1/status"
}
: >err
"$bench" --mem=host "${read_src[@]}" --rw=randread --iodepth=16 --numjobs=2 --runtime=2 --time_based --plot=x.svg --eta=always \
	--eta-interval=100ms >out 2>err &
pid=$!
wait_for Jobs: err 3
before=$(rss $pid)
wait_for Jobs: err 8
after=$(rss $pid)
wait $pid
verdict "memory does not grow" "$([[ -n $before && -n $after && $((after - before)) -le 16 ]] || echo "$before kB, then $after kB")"
expect "cpus_allowed" 0 READ "${read_src[@]}" --cpus_allowed=0 --bs=64k
expect "cpus_allowed without such a CPU" 2 'cpus_allowed' "${read_src[@]}" --cpus_allowed=1023
expect "numa_mem_policy=local" 0 READ "${read_src[@]}" --numa_mem_policy=local --bs=64k

# Modes
quick=(--runtime=50ms --time_based)
if command -v python3 >/dev/null; then
	bad=$(run 0 --compare=devio,devio:file-bounce,devio:file-p2p,liburing,pread --rounds=2 --output-format=json "${read_src[@]}" "${quick[@]}" --iodepth=4)
	[[ -n $bad ]] || bad=$(python3 -c 'import json
e = {x["name"]: x for x in json.load(open("out"))["comparison"][0]["engines"]}
assert e["liburing"]["ratio"] == 1 and e["devio"]["rounds"] == 2 and e["devio"]["bw_bytes"]["median"] > 0
assert e["devio:file-bounce"]["path"] == "file-bounce" and e["devio:file-bounce"]["copied_bytes"] > 0
assert "P2PDMA" in e["devio:file-p2p"]["error"]' 2>&1)
	verdict "--compare gives the ratio, and why an engine cannot" "$bad"
fi
expect "--compare as a table" 0 'liburing .* 1.000' --compare --rounds=1 "${read_src[@]}" "${quick[@]}"
verdict "no line of it is wider than 80 columns" "$(awk 'length($0) > 80' out)"
COLUMNS=200 run 0 --compare=devio,devio:file-buffered,pread,liburing --rounds=1 "${read_src[@]}" "${quick[@]}" >bad
verdict "every column has a title" "$(cat bad; awk '/^  engine/ { titles = gsub(/  +[^ ]/, "&") } /^  (devio|liburing|pread)/ { rows++
	n = gsub(/  +[^ ]/, "&"); if (n != titles) print n " columns, " titles " titles: " $0 } END { if (rows != 4 || titles != 8) print rows " rows, " titles " titles" }' out)"
verdict "and the ratio its base" "$(grep -q '^  ratio: bandwidth divided by that of liburing$' out || cat out)"
expect "--compare as markdown" 0 '^\| r \| read \| 4.00KiB \| 1 x 1 \| devio \| file-host ' --compare --rounds=1 --output-format=markdown "${read_src[@]}" "${quick[@]}"
expect "--compare with a word it does not know" 2 "'spdk'" --compare=spdk,devio "${read_src[@]}"
expect "--tune searches depth and block size" 0 '^best:' --tune=20ms "${read_src[@]}" --rw=randread
sed -n '/^\[r\]/,$p' out >best.fio
verdict "its job file is one" "$(run 0 --parse-only best.fio; [[ $(grep -cE '^(bs=[0-9]+k|iodepth=[0-9]+)$' best.fio) = 2 ]] || cat out)"
if command -v gnuplot >/dev/null; then
	run 0 "${read_src[@]}" --plot=run.svg --runtime=1100ms --time_based --iodepth=4
	verdict "--plot of a run" "$(cat err; grep -q '</svg>' run.svg || echo "no picture")"
	verdict "without a key for writes, of which there are none" "$(grep -q '>read<' run.svg || echo "no key for reads"; grep '>write' run.svg)"
	run 0 --name=w --rw=write --size=1m --plot=writes.svg --runtime=1100ms --time_based --unlink
	verdict "nor for reads" "$(grep -q '>write<' writes.svg || echo "no key for writes"; grep '>read' writes.svg)"
	run 0 "${read_src[@]}" --plot=tune.png --tune=20ms --bs=64k
	verdict "--plot of a search" "$(cat err; head -c 8 tune.png | grep -q PNG || echo "no picture")"
else
	skip "--plot" "no gnuplot"
fi
cd / || exit 1
done_testing
