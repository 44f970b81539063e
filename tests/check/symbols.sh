#!/bin/bash
# SPDX-License-Identifier: MIT
# The symbol maps, the prototypes and what the libraries export say the same.
# symbols.sh --write brings the maps and the Debian packages' symbols files up to the headers.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
# What libdevio-load and libcufile share with libdevio: exported under DEVIO_PRIVATE, of no header.
private=(dv_err dv_err_plain dv_info_copy dv_opts_copy dv_ptr_find dv_ptr_import)

write_map() {
	{
		echo '/* SPDX-License-Identifier: MIT */'
		echo "/* One line per prototype of $1; tests/check/symbols.sh --write. */"
		printf 'DEVIO_0.1 {\nglobal:\n'
		"$2" | sed 's/.*/\t&;/'
		printf 'local:\n\t*;\n};\n'
		if [[ $3 = libdevio ]]; then
			printf 'DEVIO_PRIVATE {\nglobal:\n'
			printf '\t%s;\n' "${private[@]}"
			printf '};\n'
		fi
	} >"$tmp/map" && cat "$tmp/map" >"$SRC/lib/$3.map"
}

# debian_lines LIBRARY NAMES: the symbols as dpkg-gensymbols(1) has them, without the version that each came with
debian_lines() {
	"$2" | sed 's/$/@DEVIO_0.1/'
	echo 'DEVIO_0.1@DEVIO_0.1'
	if [[ $1 = libdevio ]]; then
		printf '%s@DEVIO_PRIVATE\n' "${private[@]}" DEVIO_PRIVATE
	fi
}

# write_debian LIBRARY NAMES: what is there keeps its version, what is new gets this one
write_debian() {
	local file=$SRC/debian/${1}0.symbols version
	version=$(sed -nE 's/^AC_INIT\(\[libdevio\], \[([^]]*)\].*/\1/p' "$SRC/configure.ac")
	{
		echo '# SPDX-License-Identifier: MIT'
		echo "$1.so.0 ${1}0 #MINVER#"
		echo '* Build-Depends-Package: libdevio-dev'
		debian_lines "$@" | LC_ALL=C sort -u | while read -r symbol; do
			grep -F " $symbol " "$file" 2>/dev/null || echo " $symbol $version"
		done
	} >"$tmp/symbols" && cat "$tmp/symbols" >"$file"
}

if [[ ${1:-} = --write ]]; then
	write_debian libdevio core_names
	write_debian libdevio-load load_names
	write_map 'include/devio/ but source.h and load.h' core_names libdevio
	write_map 'include/devio/source.h and load.h' load_names libdevio-load
	exit
fi

# check LIBRARY NAMES: names is a function that lists what its headers declare
check() {
	local map=$SRC/lib/$1.map lib=$BUILD/lib/.libs/$1.so
	{ "$2"; [[ $1 != libdevio ]] || printf '%s\n' "${private[@]}"; } | LC_ALL=C sort -u >"$tmp/api"
	grep -oE '^[[:space:]]+[a-z][a-z0-9_*]*;' "$map" | tr -d ' \t;' | grep -vFx '*' | LC_ALL=C sort -u >"$tmp/map"
	verdict "every prototype is in lib/$1.map (symbols.sh --write)" "$(comm -23 "$tmp/api" "$tmp/map")"
	verdict "lib/$1.map names nothing else" "$(comm -13 "$tmp/api" "$tmp/map")"
	verdict "debian/${1}0.symbols names the same (symbols.sh --write)" "$(diff <(debian_lines "$@" | LC_ALL=C sort -u) \
		<(sed -nE 's/^ ([^ ]+) [^ ]+$/\1/p' "$SRC/debian/${1}0.symbols" | LC_ALL=C sort -u) | grep '^[<>]')"
	if [[ ! -e $lib ]]; then
		skip "$1 exports every prototype" "no $lib: built without a shared library"
		return
	fi
	nm -D --defined-only "$lib" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort -u >"$tmp/so"
	verdict "$1 exports every prototype" "$(comm -23 "$tmp/api" "$tmp/so")"
	verdict "$1 exports nothing else" "$(comm -13 "$tmp/api" "$tmp/so" | grep -vE '^__(asan|odr_asan|ubsan|tsan|sancov|start___sancov|stop___sancov)')"
}

check libdevio core_names
check libdevio-load load_names
verdict "no prototype of a function lacks DEVIO_API" "$(grep -nE '^(const |unsigned |struct )?[a-z_ ]+\*?devio_[a-z_0-9]+\(' \
	"$SRC"/include/devio/*.h | grep -v 'static inline')"
done_testing
