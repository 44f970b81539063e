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

json_verdicts
cd / || exit 1
done_testing
