#!/bin/bash
# SPDX-License-Identifier: MIT
# The completions of bash and zsh offer every option of every tool, paths and the memories of this machine.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
tools=(devio-bench devio-cp devio-nc devio-nicd devio-probe devio-serve)
mkdir "$tmp/bin"
for tool in "${tools[@]}"; do
	if [[ ! -x $BUILD/tools/$tool ]]; then
		skip "completions" "$tool is not built in $BUILD"
		done_testing
	fi
	# Not beside libtool's scripts, which start slowly.
	printf '#!/bin/sh\nexec "%s" "$@"\n' "$BUILD/tools/$tool" >"$tmp/bin/$tool"
	chmod +x "$tmp/bin/$tool"
done
export PATH=$tmp/bin:$PATH
paths=$(sed -nE 's|.*/\* ((file\|sock)-[a-z0-9]+):.*|\1|p' "$SRC/include/devio/base.h")
memories=$(devio-probe | awk '/^Memor/ { on = 1; next } /^[^ ]|^$/ { on = 0 } on { print }' | tr -s ' ' '\n' | grep .)
verdict "devio-probe lists the memories of this machine" "$(grep -qx host <<<"$memories" || echo "$memories")"
mkdir "$tmp/dir" && touch "$tmp/dir/file"

# offers NAME LINE EXPECTED: exactly these, with bash as it calls the function for this line
offers() {
	local got want
	got=$(COMP_LINE=$2 bash -c '. "$1/completions/devio.bash"
		COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMP_KEY=9
		last=${COMP_LINE##*[[:space:]=:]} tool=${COMP_LINE%% *}
		COMP_WORDS=($COMP_LINE) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		f=$(complete -p "$tool") && f=${f#* -F } && f=${f%% *}
		"$f" "$tool" "$last" "" 2>/dev/null
		printf "%s\n" "${COMPREPLY[@]}"' bash "$SRC" | LC_ALL=C sort -u | grep .)
	want=$(tr -s ' ' '\n' <<<"$3" | LC_ALL=C sort -u | grep .)
	verdict "bash: $1" "$([[ $got = "$want" ]] || echo "'$2' offers $got")"
}

for tool in "${tools[@]}"; do
	verdict "bash: $tool has options" "$(devio=$("$tool" --help | grep -cE '^ +(-., )?--[a-z]'); ((devio > 5)) || echo "$devio")"
	offers "every option of $tool" "$tool --" \
		"$("$tool" --help | grep -oE -- '^ +(-[^ ], *)?--[a-z][a-z0-9_-]*(\[?=)?' | grep -oE -- '--.*' | tr -d '[')"
done
offers "the paths of files" "devio-cp --path=" "auto $(grep ^file <<<"$paths")"
offers "the paths of connections" "devio-nc -p " "auto $(grep ^sock <<<"$paths")"
offers "all paths of devio-bench" "devio-bench --path=" "auto $paths"
offers "a path that is begun" "devio-cp --path file-d" "file-dmabuf"
offers "the memories of this machine" "devio-nc --mem=" "auto $memories"
offers "memories as what is copied" "devio-cp mem:h" "host"
offers "files as what is copied" "devio-cp $tmp/dir/f" "$tmp/dir/file"
offers "a file as value" "devio-nc --in=$tmp/dir/f" "$tmp/dir/file"
offers "a directory" "devio-serve $tmp/d" "$tmp/dir"
offers "interfaces" "devio-nicd l" "lo"
offers "values of devio-bench" "devio-bench --ioengine=p" "pread"

if ! command -v zsh >/dev/null; then
	skip "zsh" "no zsh"
	done_testing
fi
verdict "zsh: the function is well-formed" "$(zsh -n "$SRC/completions/_devio" 2>&1)"
# A shell at a pseudo terminal; a list ends with the line itself again.
cat >"$tmp/z" <<'EOF'
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PROMPT='> '; stty columns 400; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=0"
zpty -w z "print rea''dy"
zpty -r z text '*ready*'
while read -r line; do
	zpty -w -n z $'\C-u'$line$'\t'
	zpty -w -n z $'\C-e #end\C-u'
	zpty -r z text '*#end*'
	print -r -- "$line => ${${text//$'\n'/ }//$'\r'/ }"
done
zpty -d z
EOF
cat >"$tmp/lines" <<EOF
devio-cp --path=file-d
devio-nc --path=
devio-cp --no-pr
devio-bench --group_r
devio-nicd --mo
devio-probe --js
devio-serve --conn
devio-nc --mem=
devio-cp $tmp/data mem:
devio-cp $tmp/dir/f
EOF
timeout 120 zsh "$tmp/z" "$SRC/completions" <"$tmp/lines" 2>&1 | sed 's/\x1b\[[0-9;?]*[a-zA-Z]//g' >"$tmp/got"
# shown LINE WORD...: zsh has completed the line to it, or lists it
shown() {
	local line=$1 got word
	shift
	got=$(grep -F -- "$line => " "$tmp/got" | sed 's/.* => //')
	for word; do
		verdict "zsh: $word for ${line/"$tmp"/...}" "$(grep -qF -- "$word" <<<"$got" || cat -v <<<"$got")"
	done
}
shown "devio-cp --path=file-d" file-dmabuf
shown "devio-nc --path=" sock-devmem sock-bounce auto
shown "devio-cp --no-pr" --no-progress
shown "devio-bench --group_r" --group_reporting
shown "devio-nicd --mo" --mode
shown "devio-probe --js" --json
shown "devio-serve --conn" --connections
mapfile -t memories <<<"$memories"
shown "devio-nc --mem=" auto "${memories[@]}"
shown "devio-cp $tmp/data mem:" "${memories[@]}"
shown "devio-cp $tmp/dir/f" "$tmp/dir/file"
done_testing
