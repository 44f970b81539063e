# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the tests of a tool; after tap.bash, with the tool's path in $tool.
# shellcheck disable=SC2154  # tool is set by who sources this

# tool_is STATUS ARGS: runs it; out and err have its output, rc its exit status
tool_is() {
	local want=$1
	shift
	timeout 60 "$tool" "$@" >out 2>err </dev/null
	rc=$?
	[[ $rc = "$want" ]] || echo "${tool##*/} $*: exit status $rc, not $want: $(cat err)"
}

# expect NAME STATUS PATTERN ARGS: the status, and the pattern in its output
expect() {
	local name=$1 status=$2 pattern=$3 bad
	shift 3
	bad=$(tool_is "$status" "$@")
	[[ -n $bad ]] || bad=$(cat out err | grep -qE -- "$pattern" || echo "no '$pattern' in: $(cat out err)")
	verdict "$name" "$bad"
}
