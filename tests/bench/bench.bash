# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the tests of devio-bench; after tap.bash. It changes to an empty directory.
# shellcheck disable=SC2154,SC2034  # of tap.bash, and for the scripts
bench=$BUILD/tools/devio-bench
cd "$tmp" || exit 1
rm -rf ./*

# run STATUS ARGS: out, err and rc are what came of it; says if the status is another
run() {
	local want=$1
	shift
	timeout 60 "$bench" --mem=host "$@" >out 2>err </dev/null
	rc=$?
	[[ $rc = "$want" ]] || echo "devio-bench $*: exit status $rc, not $want: $(tail -n 3 err)"
}

# expect NAME STATUS PATTERN ARGS: the status, and the pattern in what it said
expect() {
	local name=$1 status=$2 pattern=$3 bad
	shift 3
	bad=$(run "$status" "$@")
	[[ -n $bad ]] || bad=$(cat out err | grep -qE -- "$pattern" || echo "no '$pattern' in: $(tail -n 5 out err)")
	verdict "$name" "$bad"
}

# json NAME EXPRESSION ARGS: a python expression over j (the report) and jobs;
# all of them are looked at together, by json_verdicts
json_nr=0
json() {
	local name=$1 expression=$2
	shift 2
	run 0 --output-format=json "$@" >"json.$json_nr.bad"
	mv out "json.$json_nr"
	printf '%s\n%s\n' "$name" "$expression" >>json.list
	((++json_nr))
}

json_verdicts() {
	local name bad
	if ! command -v python3 >/dev/null; then
		skip "$json_nr expressions over reports as JSON" "no python3"
		return
	fi
	python3 - >json.out <<'END'
import json
lines = open("json.list").read().split("\n")
for n, (name, expression) in enumerate(zip(lines[::2], lines[1::2])):
    bad = open("json.%d.bad" % n).read().strip().replace("\n", " ")
    try:
        j = json.load(open("json.%d" % n))
        jobs = j["jobs"]
        if not bad and not eval(expression):
            bad = expression + " is not so: " + str([(x["read"]["io_bytes"], x["write"]["io_bytes"], x["read"]["total_ios"]) for x in jobs])
    except Exception as e:
        bad = bad or repr(e)
    print(name)
    print(bad)
END
	while read -r name && read -r bad; do
		verdict "$name" "$bad"
	done <json.out
}

# pattern SIZE: the bytes of verify_pattern=0x01020304
pattern() {
	yes $'\1\2\3\4' | tr -d '\n' | head -c "$1"
}

# wait_for PATTERN FILE COUNT: until it stands there so often, 10 s at most
wait_for() {
	local i
	for ((i = 0; i < 500; i++)); do
		[[ $(tr '\r' '\n' <"$2" | grep -c -- "$1") -ge $3 ]] && return
		sleep 0.02
	done
}

hash=$("$bench" --name=x --verify=xxhash --parse-only 2>/dev/null && echo xxhash || echo pattern)
