#!/bin/bash
# SPDX-License-Identifier: MIT
# Arrows only down: who may include whom. The table of layers, as a program.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
cd "$SRC" || exit 1

kernel='<(linux|asm|scsi|rdma|drm|libdrm)/|<(drm|xf86drm|amdgpu|liburing|libnl|netlink)[^>]*>'
public_order=(base ctx mem file stream sock frag nic ring stat topo_info topo source load)

# One line per include: FILE TARGET. Quoted names become the file that they
# mean, <devio/x.h> becomes include/devio/x.h, other <x.h> stay as they are.
includes() {
	local file inc dir
	project_files | grep -E '^(include|lib|tools|examples|tests)/.*\.[ch]$' | while read -r file; do
		sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*(<[^>]+>|"[^"]+").*/\1/p' "$file" |
			while read -r inc; do
				case $inc in
				'<devio.h>') echo "$file include/devio.h" ;;
				'<devio/'*) inc=${inc#<}; echo "$file include/${inc%>}" ;;
				'<'*) echo "$file $inc" ;;
				'"config.h"') echo "$file config.h" ;;
				*)
					inc=${inc//\"/}
					for dir in "$(dirname "$file")" lib tools include tests .; do
						[[ -e $dir/$inc ]] && break
						dir=
					done
					echo "$file ${dir:+$(realpath -m --relative-to=. "$dir/$inc")}${dir:-?$inc}" |
						sed -E 's|(\.[ch])[^ ?]*$|\1|'
					;;
				esac
			done
	done
}
includes >"$tmp/all"

# rule NAME FILES ALLOWED [LIST]: targets of FILES (a regex) that ALLOWED (a regex)
# does not cover; libc is allowed to all, the kernel's headers to none by itself.
rule() {
	local bad
	bad=$(awk -v files="$2" -v allowed="$3" -v kernel="$kernel" '
		$1 ~ files && !($2 ~ ("^(" allowed ")$")) && ($2 !~ /^</ || $2 ~ kernel) {
			print $1 " includes " $2 }' "${4:-$tmp/all}")
	verdict "$1" "$bad"
}

down=
for name in "${public_order[@]}"; do
	rule "include/devio/$name.h includes only libc and lower headers" "^include/devio/$name\\.h$" \
		"include/devio/(${down:-nothing})\\.h"
	down+="${down:+|}$name"
done
rule "include/devio/uring.h alone adds liburing" '^include/devio/uring\.h$' "<liburing\\.h>|include/devio/($down)\\.h"
rule "include/devio.h includes include/devio/" '^include/devio\.h$' "include/devio/($down)\\.h"
known=$(project_files | sed -nE 's|^include/devio/([a-z_0-9]+)\.h$|\1|p' | grep -vxE "$down|uring")
verdict "every public header has its place in the order" "$known"

own='config\.h|include/devio/[a-z_]+\.h|include/devio\.h'
# Who may use whom in lib/, by includes and by symbols: a row names only rooms above it.
may=("core:" "kern:" "mem:core kern" "topo:core kern" "ring:core kern mem" "path:core mem ring"
	"nic:core kern mem ring" "file:core kern mem ring path" "sock:core kern mem ring path nic" "load:" "cufile:")
# What single rooms may use besides: two headers of core, the kernel's interfaces, libraries.
declare -A also=([kern]="lib/core/(err|clock)\.h|<(linux|asm|rdma|netlink)/.*|<liburing\.h>"
	[mem]="($kernel)[^ ]*"
	[cufile]="lib/mem/ptr\.h|<json-c/.*"
	[load]="lib/core/(err|clock|outcome)\.h|<archive(_entry)?\.h>")
above=" "
up=
for row in "${may[@]}"; do
	room=${row%%:*} below=${row#*:}
	for name in $below; do
		[[ $above = *" $name "* ]] || up+="$room may use $name, which is not above it"$'\n'
	done
	above+="$room "
	rule "lib/$room/ includes only itself and what is below it" "^lib/$room/" \
		"$own|lib/$room/.*\.h${below:+|lib/(${below// /|})/[^ ]*\.h}${also[$room]:+|${also[$room]}}"
done
verdict "a room uses only rooms that the table has named before it" "$up"
verdict "every file of lib/ is in a room of the table" \
	"$(project_files | grep -E '^lib/.*\.[ch]$' | grep -vE "^lib/($(tr ' ' '|' <<<"${above:1:-1}"))/")"

# Who uses whom in the drawing, as the table has it: ROOM:ROOM...; load is drawn over the public headers.
drawn() {
	sed -nE 's/^[[:space:]]*([a-z]+) -> \{ ([a-z ]+) \};$/\1:\2/p' docs/rooms.dot
}
verdict "docs/rooms.dot has the arrows of the table" \
	"$(diff <(drawn) <(printf '%s\n' "${may[@]}" | grep -v ':$'))"

# objects TOP [FOLDER...]: for each object below these folders of TOP whose source is in the tree, the symbols of the others
# that it uses: OBJECT SYMBOL OBJECT-THAT-DEFINES-IT
objects() {
	local top=$1
	shift
	find "${@/#/$BUILD/$top/}" -name '*-*.o' -print0 | xargs -0 -r nm -A -P | awk -v top="$top" '
		NR == FNR { sub(/\.c$/, ".o"); ours[$1]; next }
		{ f = $1; sub(/:$/, "", f); sub(".*/" top "/(\\./)?", "", f); sub(/\.libs\//, "", f); sub(/[a-z_]*-/, "", f) }
		!(f in ours) { next }
		$3 == "U" { use[++u] = f; what[u] = $2 }
		$3 ~ /^[TDBRVW]$/ { at[$2] = f }
		END { for (i = 1; i <= u; i++) if (what[i] in at && at[what[i]] != use[i]) print use[i], what[i], at[what[i]] }' \
		<(project_files | sed -n "s|^$top/||p" | grep '\.c$') - | LC_ALL=C sort -u
}

# Objects that reach themselves: those left when all that use nothing, or are used by nothing, have been removed in turn.
circles() {
	awk '$1 != $3 && !seen[$1, $3]++ { from[++n] = $1; to[n] = $3 }
		END {
			do {
				delete out; delete in_; left = m = 0
				for (i = 1; i <= n; i++) { out[from[i]]; in_[to[i]] }
				for (i = 1; i <= n; i++)
					if (from[i] in in_ && to[i] in out) { from[++m] = from[i]; to[m] = to[i] } else left = 1
				n = m
			} while (left)
			for (i = 1; i <= n; i++) { c[from[i]]; c[to[i]] }
			for (o in c) print o " is in a circle of objects"
		}' "$1" | LC_ALL=C sort
}

objects lib . >"$tmp/symbols"
verdict "the objects of lib/ were found" "$([[ $(wc -l <"$tmp/symbols") -gt 300 ]] || echo "hardly a symbol in $BUILD/lib")"
awk -v may="$(printf '%s;' "${may[@]}")" '
	BEGIN {
		n = split(may, row, ";")
		for (i = 1; i < n; i++) {
			split(row[i], a, ":"); m = split(a[1] " " a[2], b, " ")
			for (j = 1; j <= m; j++) ok[a[1], b[j]] = 1
		}
		ok["kern", "core"] = ok["load", "core"] = 1    # errors; the includes say which
		ok["cufile", "mem"] = 1                        # mem/ptr.h
	}
	{ from = $1; to = $3; sub(/\/.*/, "", from); sub(/\/.*/, "", to) }
	(from == "load" || from == "cufile") && $2 ~ /^devio_/ { next }       # the public interface
	!((from, to) in ok) { print $1 " uses " $2 " of " $3 }' "$tmp/symbols" >"$tmp/uses"
verdict "no object uses a room that is not below it" "$(cat "$tmp/uses")"
verdict "no circle of objects" "$(circles "$tmp/symbols")"

# A tool uses common/ and its own folder; these files use more than <devio.h> and libc.
tools='config\.h|include/devio\.h|tools/common/[a-z]+\.h|<json-c/.*'
grep -vE '^tools/(bench/(cpu|engine/uring)|nicd/(caps|seccomp))\.c ' "$tmp/all" >"$tmp/rest"
rule "tools/common/ includes <devio.h> and libc" '^tools/common/' "$tools" "$tmp/rest"
for name in bench cp gds nc probe; do
	rule "tools/$name/ includes <devio.h>, libc and tools/common/" "^tools/$name/" "$tools|tools/$name/[a-z/]+\\.h" "$tmp/rest"
done
rule "tools/serve/ speaks the loader's protocol" '^tools/serve/' "$tools|tools/serve/[a-z]+\\.h|lib/load/wire\\.h" "$tmp/rest"
rule "tools/nicd/ speaks the library's with its daemon" '^tools/nicd/' "$tools|tools/nicd/[a-z]+\\.h|lib/nic/protocol\\.h" "$tmp/rest"
rule "tools/nicd/caps.c and seccomp.c drop rights" '^tools/nicd/(caps|seccomp)\.c$' \
	"$tools|tools/nicd/[a-z]+\\.h|<linux/(capability|audit|filter|seccomp)\\.h>"
rule "tools/bench/engine/uring.c, which is compared with, has an io_uring" '^tools/bench/engine/uring\.c$' \
	"$tools|tools/bench/[a-z/]+\\.h|lib/kern/spin\\.h|<liburing\\.h>"
rule "tools/bench/cpu.c counts with perf_event_open" '^tools/bench/cpu\.c$' "$tools|tools/bench/[a-z/]+\\.h|<linux/perf_event\\.h>"
for name in bench common cp gds nc nicd probe serve; do
	objects tools "$name" >"$tmp/$name"
	verdict "no circle of objects in tools/$name/" "$(circles "$tmp/$name")"
done
verdict "the objects of tools/ were found" \
	"$([[ $(cat "$tmp"/{bench,cp,nc,nicd,probe,serve} | wc -l) -gt 200 ]] || echo "hardly a symbol in $BUILD/tools")"
verdict "every file of tools/ is in the folder of a tool" \
	"$(project_files | grep -E '^tools/.*\.[ch]$' | grep -vE '^tools/(common|bench|cp|gds|nc|nicd|probe|serve)/')"
grep -vE '^examples/(own-ring|loader)\.c ' "$tmp/all" >"$tmp/rest"
rule "examples/ include <devio.h> and libc" '^examples/' "include/devio\\.h" "$tmp/rest"
rule "examples/loader.c adds <devio/load.h>" '^examples/loader\.c$' "include/devio\\.h|include/devio/load\\.h"
rule "examples/own-ring.c alone has an io_uring" '^examples/own-ring\.c$' "include/devio\\.h|include/devio/uring\\.h|<liburing\\.h>"
rule "tests/sys and tests/hw include <devio.h>" '^tests/(sys|hw)/' \
	"config\\.h|include/devio\\.h|include/devio/uring\\.h|<liburing\\.h>|tests/[^/]*/?[^/]+\\.h|<json-c/.*"
# A tab leads to the next multiple of 8.
# shellcheck disable=SC2016  # awk's own $
wide=$(project_files | grep -E '\.[ch]$' | xargs -r awk '
	{ n = 0; for (i = 1; i <= length; i++) n = substr($0, i, 1) == "\t" ? n - n % 8 + 8 : n + 1 }
	n > 120 { print FILENAME ":" FNR ": " n " columns" }')
verdict "no line of C has more than 120 columns" "$wide"
verdict "every quoted include was found" "$(grep -F '?' "$tmp/all")"
done_testing
