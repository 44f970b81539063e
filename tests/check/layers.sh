#!/bin/bash
# SPDX-License-Identifier: MIT
# Arrows only down: who may include whom. The table of layers, as a program.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
cd "$SRC" || exit 1

kernel='<(linux|asm|scsi|rdma|drm|libdrm)/|<(drm|xf86drm|amdgpu|liburing|libnl|netlink)[^>]*>'
public_order=(base ctx mem file sock nic ring stat topo_info topo source load)

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
					for dir in "$(dirname "$file")" lib include tests .; do
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
rule "lib/ knows paths and providers only through path.h and mem.h" '^lib/[^/]+\.[ch]$' \
	"$own|lib/[^/]+\\.h|lib/kern/[^/]+\\.h"
rule "lib/path/ knows neither providers nor other paths" '^lib/path/' \
	"$own|lib/(path|ring|mem|stat|err|slots|regs|file|sock|ctx|nic|devmem|lent)\\.h|lib/kern/[^/]+\\.h|lib/path/slots\\.h"
rule "lib/mem/ knows neither ring nor path nor endpoint" '^lib/mem/' \
	"config\\.h|include/devio/(base|ctx|mem)\\.h|lib/(mem|err)\\.h|lib/kern/[^/]+\\.h|lib/kern/uapi/[^/]+\\.h|lib/mem/[^/]+\\.h|($kernel)[^ ]*"
rule "lib/kern/ knows errors and the kernel" '^lib/kern/' \
	"config\\.h|include/devio/base\\.h|lib/err\\.h|lib/kern/.*\\.h|<(linux|asm|rdma|netlink)/.*|<liburing\\.h>"
rule "lib/topo/ knows neither ring nor path" '^lib/topo/' \
	"$own|lib/(topo|mem|err|ctx)\\.h|lib/kern/.*\\.h|lib/topo/[^/]+\\.h"
rule "lib/load/ is a user of the public headers" '^lib/load/' "$own|lib/(err|kern/clock)\\.h|lib/load/[^/]+\\.h|<json-c/.*|<archive(_entry)?\\.h>"
grep -vE '^tools/(bench-(cpu|eng-uring)|nicd-rights)\.c ' "$tmp/all" >"$tmp/rest"
tools='config\.h|include/devio\.h|tools/[^/]+\.h|<json-c/.*'
grep -vE '^tools/(serve[-.]|nicd[-.]|devio-nicd\.c)' "$tmp/rest" >"$tmp/tools"
rule "tools/ include <devio.h> and libc" '^tools/' "$tools" "$tmp/tools"
rule "tools/serve-*.c speak the loader's protocol" '^tools/serve[-.]' "$tools|lib/load/wire\\.h" "$tmp/rest"
rule "tools/nicd-*.c speak the library's with its daemon" '^tools/(nicd[-.]|devio-nicd\.c)' "$tools|lib/nicwire\.h" "$tmp/rest"
rule "tools/nicd-rights.c gives rights up" '^tools/nicd-rights\.c$' "$tools|<linux/capability\.h>"
rule "tools/bench-eng-uring.c, which is compared with, has an io_uring" '^tools/bench-eng-uring\.c$' \
	"$tools|lib/kern/spin\\.h|<liburing\\.h>"
rule "tools/bench-cpu.c counts with perf_event_open" '^tools/bench-cpu\.c$' "$tools|<linux/perf_event\\.h>"
grep -vE '^examples/(own-ring|loader)\.c ' "$tmp/all" >"$tmp/rest"
rule "examples/ include <devio.h> and libc" '^examples/' "include/devio\\.h" "$tmp/rest"
rule "examples/loader.c adds <devio/load.h>" '^examples/loader\.c$' "include/devio\\.h|include/devio/load\\.h"
rule "examples/own-ring.c alone has an io_uring" '^examples/own-ring\.c$' "include/devio\\.h|include/devio/uring\\.h|<liburing\\.h>"
rule "tests/sys and tests/hw include <devio.h>" '^tests/(sys|hw)/' \
	"config\\.h|include/devio\\.h|include/devio/uring\\.h|<liburing\\.h>|tests/[^/]*/?[^/]+\\.h|<json-c/.*"
verdict "every quoted include was found" "$(grep -F '?' "$tmp/all")"
done_testing
