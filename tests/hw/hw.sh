#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/hw/cuda.sh on the fake driver: that it works, and survives what fails.
here=$(cd "$(dirname "$0")" && pwd)
build=${DEVIO_BUILD:-$PWD}
[[ -e $build/tests/hw/test-memory ]] || { echo "1..0 # SKIP the tests were built without cmocka"; exit 0; }
out=$(mktemp -d "$build/hw-out.XXXXXX")
trap 'rm -rf "$out"' EXIT
export OUT=$out HW_FAKE=1 HW_PACK=$out/none DEVIO_BUILD=$build
n=0

check() {
	if eval "$2"; then
		echo "ok $((++n)) - $1"
	else
		echo "not ok $((++n)) - $1"
		tail -n 40 "$out/hw.log" | sed 's/^/# /'
	fi
}

"$here/cuda.sh" nonsense build provider paths >"$out/first"
check "a stage that fails is told" "grep -q '^not ok 1 - nonsense' '$out/first'"
check "those behind it run" "grep -q '^ok 2 - build' '$out/first'"
check "nothing else failed" "[ \"\$(grep -c '^not ok' '$out/first')\" = 1 ] || { grep -A15 '^not ok' '$out/first' | sed 's/^/# /'; false; }"
check "the provider and the paths were tested" "[ \"\$(grep -c '^ok' '$out/first')\" -gt 25 ]"
check "the summary says the same" "cmp -s '$out/hw-summary.txt' '$out/first'"
DEVIO_CUDA_LIBRARY=$build/tests/mem/.libs/libfakecuda.so FAKE_FAIL=cuMemAlloc:3 \
	"$here/cuda.sh" provider perf >"$out/second" 2>&1
check "a failing driver fails the tests" "grep -q '^not ok .*memory' '$out/second'"
unset FAKE_FAIL
"$here/cuda.sh" perf >"$out/third" 2>&1
check "the figures are measured" "grep -q '^ok .* perf, files' '$out/third'"
check "and known to be false" "grep -q '\"fake\": true' '$out/perf-cuda.json' && grep -q 'FIGURES OF THE FAKE' '$out/hw.log'"
cp "$here/../../docs/measurements/gpu.md" "$out/doc.md"
check "and never written down" "! '$here/perf-cuda' --from '$out/perf-cuda.json' --write '$out/doc.md' >'$out/hw.log' 2>&1 &&
	grep -q 'not written' '$out/hw.log' && cmp -s '$here/../../docs/measurements/gpu.md' '$out/doc.md'"
sed 's/"fake": true/"fake": false/' "$out/perf-cuda.json" >"$out/real.json"
check "others are" "'$here/perf-cuda' --from '$out/real.json' --write '$out/doc.md' >'$out/hw.log' 2>&1 &&
	grep -q '| the slower of the two limits |' '$out/doc.md'"
check "every method ran" "! grep -q 'did not run' '$out/doc.md'"
echo "1..$n"
