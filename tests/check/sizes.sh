#!/bin/bash
# SPDX-License-Identifier: MIT
# Functions of at most 80 lines (90 % of them at most 40), .c files of at most
# 500, public headers of at most 200, examples of at most 120.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
cd "$SRC" || exit 1

# too_long MAX REGEX: files with more lines
too_long() {
	project_files | grep -E "$2" | xargs -r wc -l | awk -v max="$1" '$2 != "total" && $1 > max { print $2 ": " $1 " lines" }'
}

# shellcheck disable=SC2016  # awk's own $
# A function's lines, from the one after its name's first to the closing brace.
project_files | grep -E '^(lib|tools|examples|tests|python)/.*\.c$' | xargs -r awk '
	FNR == 1 { start = 0 }
	/^[A-Za-z_].*\(/ && !/;[[:space:]]*$/ && !/^(#|struct|enum|union|static const|const)[^(]*=/ { head = FNR; name = $0 }
	/^\{/ && head { start = head }
	/^\}/ { if (start && /^\}[[:space:]]*$/) print FNR - start + 1, FILENAME ": " name; start = head = 0 }' |
	sort -n >"$tmp/functions"
count=$(wc -l <"$tmp/functions")
p90=$(awk -v n="$count" 'NR >= n * 0.9 { print $1; exit }' "$tmp/functions")
median=$(awk -v n="$count" 'NR >= n * 0.5 { print $1; exit }' "$tmp/functions")
echo "# $count functions: median $median lines, 90 % at most $p90, longest $(tail -n 1 "$tmp/functions")"
verdict "functions were found" "$([[ $count -gt 0 ]] || echo none)"
verdict "no function has more than 80 lines" "$(awk '$1 > 80' "$tmp/functions")"
verdict "nine functions of ten have at most 40 lines" "$([[ $p90 -le 40 ]] || echo "90 % have at most $p90 lines")"
verdict "no .c file has more than 500 lines" "$(too_long 500 '^(lib|tools|examples|tests|python)/.*\.c$')"
verdict "no public header has more than 200 lines" "$(too_long 200 '^include/.*\.h$')"
verdict "no example has more than 120 lines" "$(too_long 120 '^examples/.*\.c$')"
done_testing
