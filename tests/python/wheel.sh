#!/bin/bash
# SPDX-License-Identifier: MIT
# The package built by pyproject.toml against an installed libdevio: one wheel, which loads and saves without anything
# of the build tree but the libraries.
src=${DEVIO_SRC:?} build=${DEVIO_BUILD:-$PWD}
skip() { echo "1..0 # SKIP $1"; exit 0; }
[ -z "${DEVIO_SAN_CFLAGS:-}" ] || skip "the interpreter is not built with sanitizers"
python=
for p in "${PYTHON:-}" /usr/bin/python3 python3; do
	if [ -n "$p" ] && "$p" -c 'import setuptools, wheel, sys, sysconfig, os
sys.exit(sys.version_info < (3, 11) or not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' 2>/dev/null; then
		python=$p
		break
	fi
done
[ -n "$python" ] || skip "no Python of 3.11 or later with its Python.h, setuptools and wheel"
[ -e "$build/lib/.libs/libdevio-load.so.0" ] || skip "no shared library was built"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo "1..3"
verdict() {
	if [ -z "$3" ]; then echo "ok $1 - $2"; else printf 'not ok %s - %s\n' "$1" "$2"; printf '%s\n' "$3" | sed 's/^/# /'; fi
}

# The sources as they would be unpacked, and pkg-config's words for libraries that are not installed yet.
mkdir -p "$tmp/src/docs" "$tmp/pc"
cp -r "$src/python" "$src/pyproject.toml" "$src/setup.py" "$src/configure.ac" "$tmp/src/"
cp "$src/docs/python.md" "$tmp/src/docs/"
for lib in devio devio-load; do
	libs="-L$build/lib/.libs -ldevio"
	[ $lib = devio ] || libs="-L$build/lib/.libs -ldevio-load -ldevio"
	printf 'Name: %s\nDescription: of the build tree\nVersion: 0\nCflags: -I%s/include\nLibs: %s\n' \
		"$lib" "$src" "$libs" >"$tmp/pc/$lib.pc"
done
log=$(cd "$tmp/src" && PKG_CONFIG_PATH="$tmp/pc" "$python" -c '
from setuptools import build_meta
print(build_meta.build_wheel("'"$tmp"'"))' 2>&1)
wheel=$(find "$tmp" -maxdepth 1 -name '*.whl')
verdict 1 "a wheel is built" "$([ -n "$wheel" ] || tail -n 20 <<<"$log")"
case $wheel in
*-cp311-abi3-*) wrong= ;;
*) wrong="it is called ${wheel##*/}" ;;
esac
verdict 2 "it is for the stable ABI" "$wrong"
"$python" -m zipfile -e "$wheel" "$tmp/site"
out=$(cd "$tmp" && env -u DEVIO_LIBRARY PYTHONPATH="$tmp/site" LD_LIBRARY_PATH="$build/lib/.libs" "$python" -c '
import devio, os
assert devio.__file__.startswith(os.environ["PYTHONPATH"]), devio.__file__
devio.save({"w": b"bytes"}, "m.safetensors")
with memoryview(devio.load("m.safetensors")["w"]) as view:
    assert view.tobytes() == b"bytes"
here = set(os.listdir(os.path.dirname(devio.__file__)))
assert here >= {"py.typed", "_core.pyi", "_load.pyi", "_core.abi3.so", "_load.abi3.so", "torch.py"}, here' 2>&1)
verdict 3 "what is in it saves and loads" "$out"
