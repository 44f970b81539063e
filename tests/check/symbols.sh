#!/bin/bash
# SPDX-License-Identifier: MIT
# The symbol map, the prototypes and what the library exports say the same.
# symbols.sh --write brings lib/libdevio.map up to the headers.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
map=$SRC/lib/libdevio.map

if [[ ${1:-} = --write ]]; then
	{
		echo '/* SPDX-License-Identifier: MIT */'
		echo '/* One line per prototype of include/devio/; tests/check/symbols.sh --write. */'
		printf 'DEVIO_0.1 {\nglobal:\n'
		api_names | sed 's/.*/\t&;/'
		printf 'local:\n\t*;\n};\n'
	} >"$tmp/map" && cat "$tmp/map" >"$map"
	exit
fi

api_names >"$tmp/api"
grep -oE '^[[:space:]]+[a-z][a-z0-9_*]*;' "$map" | tr -d ' \t;' | grep -vFx '*' | LC_ALL=C sort -u >"$tmp/map"
verdict "every prototype is in lib/libdevio.map (symbols.sh --write)" "$(comm -23 "$tmp/api" "$tmp/map")"
verdict "lib/libdevio.map names nothing else" "$(comm -13 "$tmp/api" "$tmp/map")"
verdict "no prototype of a function lacks DEVIO_API" "$(grep -nE '^(const |unsigned |struct )?[a-z_ ]+\*?devio_[a-z_0-9]+\(' \
	"$SRC"/include/devio/*.h | grep -v 'static inline')"

lib=$BUILD/lib/.libs/libdevio.so
if [[ ! -e $lib ]]; then
	skip "the library exports every prototype" "no $lib: built without a shared library"
	done_testing
fi
nm -D --defined-only "$lib" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort -u >"$tmp/so"
verdict "the library exports every prototype" "$(comm -23 "$tmp/api" "$tmp/so")"
verdict "the library exports nothing else" "$(comm -13 "$tmp/api" "$tmp/so" | grep -vE '^__(asan|odr_asan|ubsan|tsan|sancov|start___sancov|stop___sancov)')"
done_testing
