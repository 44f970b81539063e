#!/bin/bash
# SPDX-License-Identifier: MIT
# What `make install` lays down is enough: a user's program builds against it
# with pkg-config, shared and static, and runs; the manual's pages are there.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
read -ra cc <<<"${DEVIO_CC:-cc}"
read -ra cflags <<<"${DEVIO_SAN_CFLAGS:-}"
unset MAKEFLAGS MFLAGS MAKELEVEL LD_LIBRARY_PATH
if [[ ! -e $BUILD/lib/libdevio.la ]]; then
	skip "make install" "nothing is built in $BUILD"
	done_testing
fi
if ! make -C "$BUILD" install DESTDIR="$tmp/root" >"$tmp/log" 2>&1; then
	not_ok "make install" "$(tail -n 20 "$tmp/log")"
	done_testing
fi
ok "make install"

pc=$(find "$tmp/root" -name devio.pc)
verdict "devio.pc is installed" "$([[ -s $pc ]] || echo missing)"
prefix=$(sed -n 's/^prefix=//p' "$pc")
export PKG_CONFIG_PATH=${pc%/*}
read -ra dyn <<<"$(pkg-config --define-variable=prefix="$tmp/root$prefix" --cflags --libs devio)"
read -ra all <<<"$(pkg-config --define-variable=prefix="$tmp/root$prefix" --static --cflags --libs devio)"
libdir=$(pkg-config --define-variable=prefix="$tmp/root$prefix" --variable=libdir devio)
bad=$(cd "$SRC/include" && find . -name '*.h' -printf '%P\n' | while read -r h; do
	[[ -e $tmp/root$prefix/include/$h ]] || echo "$h"
done)
verdict "every header is installed" "$bad"

head -c 3000001 /dev/urandom >"$tmp/data"
head -c 300000 "$tmp/data" >"$tmp/short"
export LD_LIBRARY_PATH=$libdir
if [[ -e $libdir/libdevio.so ]]; then
	verdict "examples/file-to-gpu.c builds against it" \
		"$("${cc[@]}" "${cflags[@]}" "$SRC/examples/file-to-gpu.c" -o "$tmp/shared" "${dyn[@]}" 2>&1)"
	verdict "and runs" "$("$tmp/shared" host "$tmp/data" 2>&1 >"$tmp/out" || echo "exit status $?")"
	# shellcheck disable=SC2016  # not expressions
	sed -n '/^```c$/,/^```$/{/^```/d;p}' "$SRC/README.md" >"$tmp/readme.c"
	verdict "the program in README.md builds against it" \
		"$("${cc[@]}" "${cflags[@]}" -Wall -Wextra "$tmp/readme.c" -o "$tmp/readme" "${dyn[@]}" 2>&1)"
	verdict "and tells the path" "$(LSAN_OPTIONS=detect_leaks=0 ASAN_OPTIONS=detect_leaks=0 \
		"$tmp/readme" host "$tmp/data" 2>&1 | grep -v '^file-.*: read of 3000001 bytes')"
fi
if [[ -e $libdir/libdevio-load.so ]]; then
	read -ra load <<<"$(pkg-config --define-variable=prefix="$tmp/root$prefix" --cflags --libs devio-load)"
	verdict "examples/loader.c builds against it" \
		"$("${cc[@]}" "${cflags[@]}" "$SRC/examples/loader.c" -o "$tmp/loader" "${load[@]}" 2>&1)"
	verdict "and runs" "$("$tmp/loader" host records:3 "$tmp/short" 2>&1 >"$tmp/out" || echo "exit status $?")"
	verdict "who uses libdevio alone links no parsers" "$(ldd "$tmp/shared" | grep -E 'json|archive|devio-load')"
fi
if [[ -e $libdir/libdevio.a ]]; then
	all=("${all[@]/#-ldevio/$libdir/libdevio.a}")
	verdict "it builds against the static library" \
		"$("${cc[@]}" "${cflags[@]}" "$SRC/examples/file-to-gpu.c" -o "$tmp/static" "${all[@]}" 2>&1)"
	verdict "and runs without the shared one" "$(ldd "$tmp/static" | grep libdevio; "$tmp/static" host "$tmp/data" 2>&1 >"$tmp/out" || echo "exit status $?")"
fi
verdict "devio-cp is installed and runs" "$("$tmp/root$prefix/bin/devio-cp" --version 2>&1 >"$tmp/out" || echo "exit status $?")"

man=$(find "$tmp/root" -type d -name man)
bad=$(api_names | while read -r name; do
	[[ -s $man/man3/$name.3 ]] || echo "$name"
done)
verdict "man finds a page under every function's name" "$bad"
if ! make -C "$BUILD" uninstall DESTDIR="$tmp/root" >"$tmp/log" 2>&1; then
	not_ok "make uninstall" "$(tail -n 20 "$tmp/log")"
else
	verdict "make uninstall leaves nothing behind" "$(find "$tmp/root" ! -type d)"
fi
done_testing
