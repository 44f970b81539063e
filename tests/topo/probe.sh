#!/bin/sh
# SPDX-License-Identifier: MIT
# devio-probe as a user runs it: exit status, --try, JSON, a graph that renders, no root.
set -u
probe=${DEVIO_BUILD:-.}/tools/devio-probe
dir=$(mktemp -d "${TMPDIR:-/tmp}/probe.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
n=0

result() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$dir/out" "$dir/err"; fi
}
skip() { # NAME WHY
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}
run() { # EXPECTED-STATUS ARGS...
	want=$1
	shift
	"$@" > "$dir/out" 2> "$dir/err" < /dev/null
	got=$?
	[ "$got" = "$want" ] || { echo "# status $got instead of $want: $*" >> "$dir/err"; return 1; }
}

echo 1..17
run 0 "$probe" --version && grep -q '^devio-probe (libdevio) [0-9]' "$dir/out"
result $? "--version"
run 0 "$probe" --help && grep -q -- --try "$dir/out" && grep -q 'Exit status' "$dir/out"
result $? "--help"
run 0 "$probe" && grep -q '^Peer-to-peer reachability' "$dir/out" && grep -q '^Verdict' "$dir/out"
result $? "a table of this machine"
run 2 "$probe" --nonsense && run 2 "$probe" --try && run 2 "$probe" --size=x / && run 2 "$probe" --dot --json
result $? "wrong usage gives status 2"
run 1 "$probe" "$dir/missing" && grep -q 'missing' "$dir/err" && ! [ -s "$dir/out" ]
result $? "a missing file gives status 1 and names it"
run 2 "$probe" --mem gpu:zero / && grep -q "gpu:zero" "$dir/err"
result $? "a spec that does not parse gives status 2"
run 1 "$probe" --root "$dir" && grep -q 'no sysfs' "$dir/err"
result $? "a root without a machine gives status 1"

head -c 3000001 /dev/urandom > "$dir/file"
sum=$(cksum < "$dir/file")
run 0 "$probe" --try -m host "$dir/file" && grep -q 'read   auto  *ok' "$dir/out" && [ "$(cksum < "$dir/file")" = "$sum" ]
result $? "--try reads a file and leaves it as it is"
mkdir "$dir/d"
run 0 "$probe" --try -s 1M -m host "$dir/d" && grep -q 'write  auto  *ok' "$dir/out" && [ -z "$(ls -A "$dir/d")" ]
result $? "--try writes in a directory and leaves nothing behind"
: > "$dir/empty"
run 1 "$probe" --try -m host "$dir/empty" && grep -q 'empty' "$dir/out"
result $? "--try on an empty file fails and says why"
run 0 "$probe" --json --try -s 64k -m host "$dir/file" &&
	grep -q '"tries"' "$dir/out" && grep -q '"file-bounce"' "$dir/out" && grep -q '"verdicts"' "$dir/out"
result $? "--json has verdicts and tries"

run 0 "$probe" --json --try -s 64k -m host "$dir/file" && grep -q '"devio_version"' "$dir/out" && ! grep -q '"cause"\|"cure"\|"not"' "$dir/out" &&
	grep -q '"best_unused"' "$dir/out" && grep -q '"reason_code"' "$dir/out" && grep -q '"fix"' "$dir/out"
result $? "with the keys of the other tools"
run 0 "$probe" && sed -n '/^Verdict/,$p' "$dir/out" > "$dir/verdict" &&
	! sed 1d "$dir/verdict" | grep -vqE '^  (GPU|NIC) .*: (supported|not supported|unknown): |^      |^  no GPU and no NIC' &&
	[ "$(grep -cE '^  NIC ' "$dir/verdict")" = "$(run 0 "$probe" --json && grep -c '"name": "NIC ' "$dir/out")" ]
result $? "it ends with a verdict for each GPU and NIC"
wide() { # COLUMNS: lines of the output that have more
	awk -v max="$1" 'length($0) > max { print; bad = 1 } END { exit !bad }' "$dir/out" >> "$dir/err"
}
run 0 "$probe" && ! wide 80 && run 0 "$probe" -m host -m udmabuf "$dir/file" && ! wide 80 &&
	run 0 env COLUMNS=50 "$probe" && ! wide 50 && run 0 env COLUMNS=50 "$probe" -m host "$dir/file" && ! wide 50 &&
	run 0 env COLUMNS=50 "$probe" --try -s 64k -m host "$dir/file" && ! wide 50
result $? "no line is wider than COLUMNS, or 80"
run 0 "$probe" --dot && grep -q 'legend' "$dir/out" && for d in /sys/block/[sv]d[a-z]; do
	[ ! -e "$d" ] || grep -q "${d##*/}" "$dir/out" || { echo "no ${d##*/}" >> "$dir/err"; false; } || break
done
result $? "--dot has a legend, and drives that are not NVMe"
if command -v dot > /dev/null; then
	run 0 "$probe" --dot && dot -Tsvg -o "$dir/g.svg" "$dir/out" 2> "$dir/err" && [ -s "$dir/g.svg" ] && ! [ -s "$dir/err" ]
	result $? "--dot renders"
else
	skip "--dot renders" "graphviz is not installed"
fi
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then
	chmod 755 "$dir"
	if setpriv --reuid=65534 --regid=65534 --clear-groups "$probe" --version > /dev/null 2>&1; then
		run 0 setpriv --reuid=65534 --regid=65534 --clear-groups "$probe" && grep -q '^Drives' "$dir/out"
		result $? "works without root"
	else
		skip "works without root" "an unprivileged user cannot run the program where it was built"
	fi
elif [ "$(id -u)" = 0 ]; then
	skip "works without root" "setpriv is not installed"
else
	run 0 "$probe" && grep -q '^Drives' "$dir/out"
	result $? "works without root"
fi
