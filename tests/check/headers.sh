#!/bin/bash
# SPDX-License-Identifier: MIT
# Every installed header compiles alone, as C11 and as C++17.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
read -ra cc <<<"${DEVIO_CC:-cc}"
read -ra cxx <<<"${DEVIO_CXX:-c++}"
read -ra uring <<<"$(pkg-config --cflags liburing 2>/dev/null)"

# compile NAME HEADER COMPILER...
compile() {
	local name=$1 header=$2
	shift 2
	# Twice: the guard must hold. A prototype is used: the include must be enough.
	printf '#include <%s>\n#include <%s>\nint devio_check_header;\n' "$header" "$header" >"$tmp/t.src"
	verdict "$name" "$("$@" -Wall -Wextra -Werror -I"$SRC/include" "${uring[@]}" -fsyntax-only "$tmp/t.src" 2>&1)"
}

while read -r header; do
	strict=(-std=c11 -pedantic-errors)
	[[ $header != devio/uring.h ]] || strict=(-std=gnu11)     # liburing's own header asks for that
	compile "$header alone in C11" "$header" "${cc[@]}" "${strict[@]}" -x c
	if command -v "${cxx[-1]}" >/dev/null; then
		compile "$header alone in C++17" "$header" "${cxx[@]}" -std=c++17 -x c++
	else
		skip "$header alone in C++17" "no C++ compiler"
	fi
done < <(cd "$SRC/include" && find . -name '*.h' -printf '%P\n' | LC_ALL=C sort)
done_testing
