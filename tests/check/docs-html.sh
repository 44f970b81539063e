#!/bin/bash
# SPDX-License-Identifier: MIT
# `make html` says nothing, and the site has every page and every function.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
unset MAKEFLAGS MFLAGS MAKELEVEL
for program in doxygen sphinx-build dot; do
	if ! command -v "$program" >/dev/null; then
		skip "make html" "no $program"
		done_testing
	fi
done
if ! python3 -c 'import sys' 2>/dev/null || [[ ! -e $BUILD/lib/.libs/libdevio.so.0 || -n ${DEVIO_SAN_CFLAGS:-} ]]; then
	skip "make html" "no shared library that Python can load"
	done_testing
fi
verdict "make html, without a warning" "$(make -C "$BUILD" -s --no-print-directory html 2>&1 | grep -vxE 'docs/html/docs/index.html|  GEN .*')"
html=$BUILD/docs/html
verdict "every page is there" "$(cd "$SRC" && find docs CONTRIBUTING.md -name '*.md' ! -path 'docs/site/*' | while read -r page; do
	[[ -s $html/${page%.md}.html ]] || echo "$page"
done)"
verdict "every function of the headers is in the C API" "$(api_names | while read -r name; do
	grep -q "id=\"c\.$name\"" "$html/docs/api/c.html" || echo "$name"
done)"
verdict "every reason has its place" "$(sed -n 's/^### //p' "$SRC/docs/troubleshooting.md" | grep -xE '[a-z0-9-]+' | while read -r name; do
	grep -q "id=\"$name\"" "$html/docs/troubleshooting.html" || echo "$name"
done)"
done_testing
