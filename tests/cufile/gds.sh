#!/bin/bash
# SPDX-License-Identifier: MIT
# devio-gds: programs get the library by every way that they look for it, and the report says where their bytes went.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
lib=$BUILD/lib/cufile/.libs
read -ra cc <<<"${DEVIO_CC:-cc}"
if [[ ! -e $lib/libcufile.so.0 || -n ${DEVIO_SAN_CFLAGS:-} ]]; then
	skip "devio-gds" "no shared library, or one with a sanitizer"
	done_testing
fi
gds() {
	"$BUILD/tools/devio-gds" --library="$lib" "$@"
}
head -c 300001 /dev/urandom >"$tmp/data"

# Another library of the name, which fails: with a run path it is what the program finds by itself.
mkdir "$tmp/vendor"
cat >"$tmp/vendor.c" <<-EOF2
	#include "cufile/cufile.h"
	struct gds_error cuFileDriverOpen(void) { return (struct gds_error){ 5001, 0 }; }
	struct gds_error cuFileHandleRegister(void **h, struct gds_descr *d) { (void)h; (void)d; return cuFileDriverOpen(); }
	struct gds_error cuFileBufRegister(const void *b, size_t n, int f) { (void)b; (void)n; (void)f; return cuFileDriverOpen(); }
	ssize_t cuFileRead(void *h, void *b, size_t n, off_t o, off_t p) { (void)h; (void)b; (void)n; (void)o; (void)p; return -1; }
EOF2
verdict "a client is built against another library" "$({
	"${cc[@]}" -shared -fPIC -I"$SRC/lib" "$tmp/vendor.c" -Wl,-soname,libcufile.so.0 -o "$tmp/vendor/libcufile.so.0" &&
	ln -s libcufile.so.0 "$tmp/vendor/libcufile.so" &&
	"${cc[@]}" -I"$SRC/lib" "$SRC/tests/cufile/client.c" -o "$tmp/client" -L"$tmp/vendor" -lcufile -ldl \
		-Wl,--disable-new-dtags,-rpath,"$tmp/vendor"
} 2>&1)"
"$tmp/client" "$tmp/data" >/dev/null 2>&1
verdict "which fails by itself" "$(rc=$?; [[ $rc -eq 2 ]] || echo "status $rc")"
verdict "with devio-gds it reads, in spite of its run path" "$(gds "$tmp/client" "$tmp/data" 2>&1 >"$tmp/out"; cmp "$tmp/data" "$tmp/out" 2>&1)"
gds --report "$tmp/client" "$tmp/data" 2>"$tmp/err" >"$tmp/out"
verdict "the report has the path and the file" "$(grep -qE "^  file-(host|buffered|bounce) +1 +300001 +0 +0  $tmp/data" "$tmp/err" || cat "$tmp/err")"
gds --report="$tmp/%p.json" "$tmp/client" "$tmp/data" >"$tmp/out"
verdict "as JSON, by process" "$(python3 - "$tmp"/[0-9]*.json "$tmp/data" 2>&1 <<-EOF2
	import json, sys
	r = json.load(open(sys.argv[1]))
	assert r["read"] == {"ops": 1, "bytes": 300001, "errors": 0}, r
	assert sum(p["read_bytes"] for p in r["paths"].values()) == 300001, r
	assert [f["name"] for f in r["files"]] == [sys.argv[2]], r
	assert r["program"] == "client" and r["latency_us"]["max"] > 0, r
EOF2
)"
gds --report "$tmp/client" "$tmp/data" "$tmp/vendor/libcufile.so.0" 2>"$tmp/err" >"$tmp/out"
verdict "another library by its absolute path is reported" "$(grep -q "has opened $tmp/vendor/libcufile" "$tmp/err" || cat "$tmp/err")"
verdict "who uses no file writes no report" "$(gds --report true 2>&1)"
verdict "by both names, for programs that open it" "$(gds python3 -c '
import ctypes, os
a, b = ctypes.CDLL("libcufile.so.0"), ctypes.CDLL("libcufile.so")
assert a._handle == b._handle
assert a.cuFileUseCount() == 0
maps = open("/proc/self/maps").read()
assert maps.count("vendor") == 0 and "lib/cufile" in maps, maps' 2>&1)"
gds "$tmp/nothing" 2>"$tmp/err"
verdict "a program that is not there" "$([[ $? -eq 127 && $(<"$tmp/err") = *"cannot run"* ]] || cat "$tmp/err")"
gds sh -c 'exit 41'
verdict "the program's status" "$(rc=$?; [[ $rc -eq 41 ]] || echo "$rc")"
"$BUILD/tools/devio-gds" --library=/nonexistent true 2>"$tmp/err"
verdict "no library" "$([[ $? -eq 1 && $(<"$tmp/err") = *"cannot read"* ]] || cat "$tmp/err")"
"$BUILD/tools/devio-gds" 2>"$tmp/err"
verdict "no program" "$([[ $? -eq 2 ]] || cat "$tmp/err")"
verdict "check is devio-probe" "$(PATH=$BUILD/tools:$PATH "$BUILD/tools/devio-gds" check "$tmp/data" 2>&1 | grep -q file-buffered || echo "no paths")"
verdict "the interface has no versions" "$(nm -D --defined-only "$lib/libcufile.so.0" | grep -v ' T cuFile[A-Za-z0-9_]*$')"
done_testing
