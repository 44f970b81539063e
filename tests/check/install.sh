#!/bin/bash
# SPDX-License-Identifier: MIT
# What `make install` lays down is enough: a user's program builds against it
# with pkg-config, shared and static, and runs; the manual's pages are there.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
read -ra cc <<<"${DEVIO_CC:-cc}"
read -ra cxx <<<"${DEVIO_CXX:-c++}"
read -ra cflags <<<"${DEVIO_SAN_CFLAGS:-}"
unset MAKEFLAGS MFLAGS MAKELEVEL LD_LIBRARY_PATH
if [[ ! -e $BUILD/lib/libdevio.la ]]; then
	skip "make install" "nothing is built in $BUILD"
	done_testing
fi
if ! flock "$BUILD/config.status" make -C "$BUILD" install DESTDIR="$tmp/root" >"$tmp/log" 2>&1; then
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

# A program that uses libdevio alone needs no other library's -dev package.
verdict "devio.pc needs no other .pc file" "$(PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR=${pc%/*} pkg-config --cflags --libs devio 2>&1 >"$tmp/out")"
version=$(pkg-config --modversion devio)
verdict "DEVIO_VERSION is that of configure.ac" "$(printf '%s\n' '#include <devio.h>' 'version DEVIO_VERSION' \
	'numbers DEVIO_VERSION_MAJOR.DEVIO_VERSION_MINOR.DEVIO_VERSION_PATCH' |
	"${cc[@]}" -I"$SRC/include" -E -P - | sed -n 's/^version "\(.*\)"/\1/p; s/^numbers //;/^[0-9. ]*$/s/ //gp' | grep -vxF "$version")"
verdict "and so is that of the Debian packages" "$(sed -n '1s/.*(\(.*\)).*/\1/p' "$SRC/debian/changelog" | grep -vxF "$version")"

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
	if command -v "${cxx[-1]}" >/dev/null; then
		cat >"$tmp/opts.cc" <<-EOF
		#include <cstring>
		#include <devio.h>
		int main()
		{
			struct devio_ctx_opts opts = DEVIO_OPTS(opts);
			struct devio_ctx *ctx;

			if (opts.sz != sizeof(opts) || opts.log || devio_ctx_open(&opts, &ctx))
				return 1;
			devio_ctx_close(ctx);
			return std::strcmp(DEVIO_VERSION, devio_version()) != 0;
		}
		EOF
		verdict "C++ takes DEVIO_OPTS without a warning" "$("${cxx[@]}" "${cflags[@]}" -std=c++11 -Wall -Wextra -Wpedantic -Werror \
			"$tmp/opts.cc" -o "$tmp/opts" "${dyn[@]}" 2>&1)"
		verdict "and the library is of the header's version" "$("$tmp/opts" 2>&1 || echo "exit status $?")"
	else
		skip "C++ takes DEVIO_OPTS without a warning" "no C++ compiler"
	fi
	verdict "libdevio is linked with no library of which it uses nothing" "$(ldd -u "$libdir/libdevio.so" 2>&1 |
		grep -vE 'Unused direct dependencies|lib(asan|ubsan|tsan|pthread|dl|c|m)\.so|^[[:space:]]*$|ASan runtime')"
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
# Programs find the library by an rpath, or where the dynamic linker searches anyway; then its cache must be updated.
searched=$(PATH=$PATH:/usr/sbin:/sbin ldconfig -N -X -v 2>/dev/null | sed -n 's/^\(\/[^:]*\):.*/\1/p')
if grep -qxF "$prefix/lib" <<<"$searched"; then
	ok "the dynamic linker searches $prefix/lib"
else
	verdict "the tools have an rpath of $prefix/lib" \
		"$(readelf -d "$tmp/root$prefix/bin/devio-cp" | grep -E "R(UN)?PATH.*\[$prefix/lib\]" >"$tmp/out" || echo none)"
fi
printf '#!/bin/sh\necho called\n' >"$tmp/ldconfig"
chmod +x "$tmp/ldconfig"
hook() {
	make -C "$BUILD" -s --no-print-directory install-exec-hook LDCONFIG="$tmp/ldconfig" DESTDIR="$1" 2>&1
}
verdict "make install runs ldconfig as root" "$([[ $(hook '') = "$([[ $(id -u) -ne 0 ]] || echo called)" ]] || hook '')"
verdict "but not below a DESTDIR" "$(hook "$tmp/root")"
python=$(sed -n 's/^PYTHON = //p' "$BUILD/Makefile")
if [[ -n $python && $python != : ]]; then
	dir=$(make -C "$BUILD" -s --no-print-directory print-pythondir)
	verdict "the Python package is installed" "$([[ -s $tmp/root$dir/devio/__init__.py ]] || echo "nothing in $dir")"
	case $prefix:$("$python" -c 'import sys; print(sys.prefix)') in
	/usr:/usr | /usr/local:/usr)
		verdict "where $python searches" "$("$python" -c "import site; print(*site.getsitepackages(), sep='\n')" |
			grep -qxF "$dir" || echo "$dir")"
		;;
	esac
	if [[ -e $libdir/libdevio.so && ${#cflags[@]} -eq 0 ]]; then
		verdict "and is of the same version" "$(cd "$tmp" && PYTHONPATH=$tmp/root$dir PYTHONDONTWRITEBYTECODE=1 "$python" -c \
			'import devio; print(devio.version())' 2>&1 | grep -vxF "$version")"
	fi
else
	skip "the Python package is installed" "configured without Python"
fi
verdict "devio-cp is installed and runs" "$("$tmp/root$prefix/bin/devio-cp" --version 2>&1 >"$tmp/out" || echo "exit status $?")"

data=$tmp/root$prefix/share
verdict "bash finds the completions by the tools' names" "$(for tool in "$tmp/root$prefix"/{bin,sbin}/devio-*; do
	bash -c '. "$1" && complete -p "$2"' bash "$data/bash-completion/completions/${tool##*/}" "${tool##*/}" 2>&1 >"$tmp/out" ||
		echo "${tool##*/}"
	head -n 1 "$data/zsh/site-functions/_devio" | grep -qw "${tool##*/}" || echo "zsh: ${tool##*/}"
done)"
examples=$(cd "$SRC/examples" && ls ./*.c ./*.py)
verdict "the examples are installed" "$(for file in $examples; do
	cmp "$SRC/examples/$file" "$data/doc/libdevio/examples/$file" 2>&1
done)"
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
