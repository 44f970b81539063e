# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion of libdevio's tools for bash: options as the tool's own --help lists them, and their values; memories as
# devio-probe finds them on this machine.

# The memories of this machine, or the kinds that there are.
_devio_specs() {
	local found
	found=$(devio-probe 2>/dev/null | awk '/^Memor/ { on = 1; next } /^[^ ]|^$/ { on = 0 } on { print }')
	echo "auto host ${found:-udmabuf cuda:0 hip:0 ze:0 amdgpu:0}" | tr -s ' ' '\n' | sort -u
}

# _devio_options TOOL: "--name" or "--name=WORD" of each
_devio_options() {
	"$1" --help 2>/dev/null | grep -oE -- '^ +(-[a-zA-Z0-9?], *)?--[a-z][a-z0-9_-]*(\[?=[^] ]+)?' |
		sed -E 's/^ +(-., *)?//; s/\[=/=/'
}

# _devio_values TOOL OPTION WORD: what may stand behind it
_devio_values() {
	local tool=$1
	case $2 in
	--path)
		case $tool in
		devio-nc) echo auto sock-devmem sock-zcrx sock-host sock-bounce ;;
		devio-bench) echo auto file-dmabuf file-p2p file-host file-bounce file-buffered sock-devmem sock-zcrx sock-host sock-bounce ;;
		*) echo auto file-dmabuf file-p2p file-host file-bounce file-buffered ;;
		esac
		;;
	--mem) _devio_specs ;;
	--nic) ls /sys/class/net ;;
	--steer) echo auto rules rss user ;;
	--group) compgen -g ;;
	--users) compgen -u ;;
	--rw) echo read write randread randwrite rw randrw send receive ;;
	--ioengine) echo devio liburing pread net ;;
	--compare) echo all devio liburing pread ;;
	--output-format) echo normal json json+ terse markdown ;;
	--eta) echo auto always never ;;
	--xfer) echo GPUD CPUONLY CPU_GPU CPU_ASYNC_GPU CPU_CACHED_GPU GPUD_ASYNC GPU_BATCH ;;
	--verify) echo xxhash pattern null ;;
	--protocol) echo tcp tcp4 tcp6 ;;
	--continue_on_error) echo none read write io verify all ;;
	*) [[ $3 != BOOL ]] || echo 0 1 ;;
	esac
}

# What a word after no option may be.
_devio_operands() {
	case $1 in
	devio-cp) _devio_specs | sed 's/^/mem:/' ;;
	devio-nicd) ls /sys/class/net ;;
	devio-nc) compgen -A hostname ;;
	esac
}

# _devio_files WORD VALUE: files or directories, for a value of this kind
_devio_files() {
	case $1 in
	FILE | PATH | TEXT) compgen -f -- "$2" ;;
	DIR) compgen -d -- "$2" ;;
	*) ;;
	esac
}

# _devio_long OPTION TOOL: the long option of a short one with a value
_devio_long() {
	case $2:$1 in
	*:-m) echo --mem ;;
	*:-p) echo --path ;;
	devio-nicd:-g) echo --group ;;
	devio-nicd:-u) echo --users ;;
	devio-nicd:-s) echo --socket ;;
	devio-nc:-i) echo --in ;;
	devio-nc:-o) echo --out ;;
	*) echo "$1" ;;
	esac
}

_devio() {
	local tool=${1##*/} line=${COMP_LINE:0:COMP_POINT} cur prev options option name='' value prefix='' word='' found=()
	# The word up to the cursor: readline cuts words at = and :, and replaces the last piece alone, which is $2.
	cur=${line##*[[:space:]]}
	prev=${line%"$cur"}
	prev=${prev%"${prev##*[![:space:]]}"}
	prev=${prev##*[[:space:]]}
	mapfile -t options < <(_devio_options "$1")
	if [[ $cur = --*=* ]]; then
		name=${cur%%=*} value=${cur#*=} prefix=$name=
	elif [[ $prev = -* ]]; then
		name=$(_devio_long "$prev" "$tool") value=$cur
	fi
	for option in "${options[@]}"; do
		[[ -z $name || $option != "$name="* ]] || word=${option#*=}
	done
	COMPREPLY=()
	if [[ -n $word ]]; then
		mapfile -t found < <(compgen -W "$(_devio_values "$tool" "$name" "$word")" -- "$value"
			_devio_files "$word" "$value")
		[[ ! $word =~ ^(FILE|PATH|TEXT|DIR)$ ]] || compopt -o filenames 2>/dev/null
	elif [[ $cur = -* ]]; then
		mapfile -t found < <(compgen -W "${options[*]/%=*/=}" -- "$cur")
		[[ ${#found[@]} -ne 1 || ${found[0]} != *= ]] || compopt -o nospace 2>/dev/null
	else
		case $tool in
		devio-serve) word=DIR ;;
		devio-cp | devio-bench | devio-gds | devio-probe) word=FILE ;;
		esac
		mapfile -t found < <(_devio_files "$word" "$cur"; compgen -W "$(_devio_operands "$tool")" -- "$cur")
		[[ -z $word || $cur = mem:* ]] || compopt -o filenames 2>/dev/null
	fi
	found=("${found[@]/#/"$prefix"}")
	COMPREPLY=("${found[@]#"${cur%"$2"}"}")
}

complete -F _devio devio-bench devio-cp devio-gds devio-nc devio-nicd devio-probe devio-serve
