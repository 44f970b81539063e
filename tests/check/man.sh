#!/bin/bash
# SPDX-License-Identifier: MIT
# The manual names every public function with its prototype, every constant,
# field, path and option, is well-formed, and its pages have one layout.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
cd "$SRC" || exit 1
pages=(docs/man/*.[0-9])

docs/man/aliases docs/man/*.3 | cut -d' ' -f1 | LC_ALL=C sort >"$tmp/named"
verdict "every public function is in a page's NAME" "$(comm -23 <(api_names) "$tmp/named")"
verdict "no NAME claims a function that does not exist" "$(comm -13 <(api_names) "$tmp/named")"
verdict "no function is in two pages" "$(uniq -d "$tmp/named")"

# The pages without markup, one line, single blanks; the headers' prototypes likewise.
cat "${pages[@]}" | sed -E 's/\\-/-/g; s/\\f[A-Z]//g' >"$tmp/text"
sed -E 's/^\.(BI|B|BR) //' "$tmp/text" | tr -d '" \t\n' >"$tmp/synopsis"
bad=$(cat include/devio/*.h | tr '\n\t' '  ' | grep -oE 'DEVIO_API [^;{]*;' | sed 's/^DEVIO_API //' | grep -v '^__attribute__' | while read -r proto; do
	grep -qF -- "${proto//[[:space:]]/}" "$tmp/synopsis" || echo "$proto" | tr -s ' '
done)
verdict "every prototype stands in the manual as in its header" "$bad"
# What topo_info.h describes is a snapshot of a hundred fields: the header is their reference.
mapfile -t headers < <(printf '%s\n' include/devio/*.h | grep -v '/topo_info\.h$')
verdict "every public constant is explained" "$(grep -ohE '\bDEVIO_[A-Z0-9_]+\b' "${headers[@]}" |
	grep -vE '_H$|_MAX$|_$|^DEVIO_API$' | sort -u | while read -r name; do
		grep -qw -- "$name" "$tmp/text" || echo "$name"
	done)"
verdict "every field of a public structure is named" "$(sed -nE '/^struct [a-z_]+ \{/,/^\}/{s|/\*.*||;s/^\t//p}' "${headers[@]}" |
	grep -v '[{}]' | grep -oE '[a-z_0-9]+(\[[^]]*\])*[,;]' | grep -oE '^[a-z_0-9]+' | sort -u | while read -r name; do
		grep -qw -- "$name" "$tmp/text" || echo "$name"
	done)"
verdict "every path has its section in devio.7" "$(grep -ohE '/\* (file|sock)-[a-z0-9]+:' include/devio/base.h | tr -d '/* :' |
	while read -r path; do
		sed 's/\\-/-/g' docs/man/devio.7 | grep -qE "^\\.SS \"?$path\"?$" || echo "$path"
	done)"

for page in "${pages[@]}"; do
	if command -v groff >/dev/null; then
		verdict "groff has nothing to say about $(basename "$page")" "$(groff -ww -man -Tutf8 -z "$page" 2>&1)"
	else
		skip "groff has nothing to say about $(basename "$page")" "no groff"
	fi
done

# The sections of a page in their order, as in man-pages(7); those with a star are required.
sections() {
	local middle
	case $1 in
	3) middle=$'RETURN VALUE*\nERRORS*\nENVIRONMENT\nFILES' ;;
	7) middle=$'PATHS\nREASONS\nERRORS*' ;;
	*) middle=$'OPTIONS*\nOUTPUT\nEXIT STATUS*\nENVIRONMENT\nFILES' ;;
	esac
	echo 'NAME*'
	[[ $1 != 3 ]] || echo 'LIBRARY*'
	printf '%s\n' 'SYNOPSIS*' 'DESCRIPTION*' "$middle" NOTES CAVEATS 'EXAMPLES*' 'SEE ALSO*'
}

# layout PAGE: what is missing, out of order, or written in another form than on the other pages
layout() {
	local page=$1 name=${1##*/} nr roff section title
	nr=${name##*.} name=${name%.*} roff=${name//-/\\-}
	title=$(sed -n 2p "$page")
	[[ $title = ".TH $roff $nr 20"[0-9][0-9]-[0-9][0-9]-[0-9][0-9]' libdevio "libdevio manual"' ]] ||
		echo "line 2 is not: .TH $roff $nr YYYY-MM-DD libdevio \"libdevio manual\""
	[[ $(sed -n '/^\.SH NAME/{n;p}' "$page") = "$roff"[\ ,]* ]] || echo "NAME does not begin with $roff"

	sed -n 's/^\.SH //p' "$page" >"$tmp/has"
	sections "$nr" | tee "$tmp/starred" | tr -d '*' >"$tmp/order"
	while read -r section; do
		grep -qxF -- "$section" "$tmp/has" || echo "no section $section"
	done < <(sed -n 's/\*$//p' "$tmp/starred")
	grep -vxF -f "$tmp/order" "$tmp/has" | sed 's/^/unknown section: /; s/$/ (make it a .SS)/'
	grep -xF -f "$tmp/has" "$tmp/order" | cmp -s - "$tmp/has" ||
		echo "sections out of order; expected: $(grep -xF -f "$tmp/has" "$tmp/order" | paste -sd,)"

	grep -nE '^\.(PP|LP)$' "$page" | sed 's/$/: use .P/'
	# Tags of errors: .B \-EINVAL, or .BR \-EMFILE ", " \-ENOMEM
	awk '/^\.SH/ { on = $2 == "ERRORS" } on && tag { print } { tag = /^\.TP/ }' "$page" |
		grep -vE '^\.B \\-E[A-Z0-9]+$|^\.BR \\-E[A-Z0-9]+( ", " \\-E[A-Z0-9]+)+$' |
		sed 's/$/: write .B \\-ENAME/'
	if [[ $nr = 3 ]] && grep -qE '^\.BI? "?(int|ssize_t|int64_t) devio_' "$page"; then
		grep -qxF '.B #include <errno.h>' "$page" ||
			echo "calls return -errno: SYNOPSIS needs .B #include <errno.h>"
	fi
}
for page in "${pages[@]}"; do
	verdict "the layout of $(basename "$page")" "$(layout "$page")"
done

for tool in devio-cp devio-gds devio-probe devio-bench devio-nc devio-nicd devio-serve; do
	[[ -x $BUILD/tools/$tool ]] || continue
	page=$(echo docs/man/"$tool".[18])
	bad=$("$BUILD/tools/$tool" --help 2>/dev/null | grep -oE -- '(^|[ ,])--[a-z][a-z0-9-]*' | tr -d ' ,' | grep -vx -- --usage | sort -u |
		while read -r option; do
			sed 's/\\-/-/g' "$page" 2>/dev/null | grep -qE -- "$option([^a-z0-9-]|$)" || echo "$option"
		done)
	verdict "every option of $tool is in its page" "$bad"
done
done_testing
