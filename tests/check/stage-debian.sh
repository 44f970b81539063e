#!/bin/bash
# SPDX-License-Identifier: MIT
# A new user's start on a minimal Debian 12, as root, and a minimal Debian 13, as a user with sudo: nothing is
# installed and there are no package lists. Both at once, but only one of them runs the tests at a time.
. "$(dirname "$0")/stage.bash"
# shellcheck source=debian.bash
. tests/check/debian.bash
# shellcheck source=files.bash
. tests/check/files.bash
set +e
if [[ $(id -u) -ne 0 ]]; then
	sudo -n true 2>/dev/null || { echo "skipped: needs root, or sudo without a password"; exit 77; }
	exec sudo -n env HOME="$HOME" DEVIO_CHECK_DIR="$dir" ${XDG_CACHE_HOME:+XDG_CACHE_HOME="$XDG_CACHE_HOME"} "$0" "$@"
fi
why=$(debian_can)
if [[ -n $why ]]; then
	echo "skipped: $why"
	exit 77
fi
debian_mirror=$(tests/vm/fetch-deb --mirror)
debian_work=$dir/debian
declare -A title=([bookworm]="Debian 12" [trixie]="Debian 13") who=([bookworm]=root [trixie]=user)

# step NAME TEXT USER COMMAND...: its TAP line, and its output in the suite's log
step() {
	local name=$1 text=$2 log=$dir/debian-${1%%-*}.log begin=$SECONDS rc=0
	shift 2
	echo "== $text" >>"$log"
	debian_run "$name" "$@" >"$log.step" 2>&1 || rc=$?
	cat "$log.step" >>"$log"
	result "$name" "$text in $((SECONDS - begin)) s" "$( ((rc == 0)) || { echo "exit status $rc"; tail -n 60 "$log.step"; })"
	return "$rc"
}

# result NAME TEXT BAD: passes when BAD is empty
result() {
	local line="ok - ${title[${1%%-*}]}: $2"
	[[ -z $3 ]] || line="not $line"$'\n'"# ${3//$'\n'/$'\n'# }"
	echo "$line"
}

# may_skip SUITE TEST: whether it cannot run on a machine such as this
may_skip() {
	case $2 in
	'tests/sys/test-disk '* | 'tests/sys/test-limits '*ext4*) [[ ! -e /dev/loop-control || ${who[$1]} != root ]] ;;
	# A file system is mounted, or a network namespace made: in Debian 12.
	'tests/sys/test-limits '*tmpfs* | 'tests/sys/test-'*' '*test_*fs | 'tests/sys/devio-nc-link.sh '*) [[ ${who[$1]} != root ]] ;;
	'tests/unit/'*'test-nicd '*) [[ ! -e /dev/udmabuf && ! -e /dev/dma_heap ]] ;;
	'tests/mem/test-kernel-mem '*udmabuf*) [[ ! -e /dev/udmabuf ]] ;;
	'tests/mem/test-kernel-mem '*dmaheap:system*) [[ ! -e /dev/dma_heap/system ]] ;;
	'tests/mem/test-kernel-mem '*drm:/dev/dri/card0*) [[ ! -e /dev/dri/card0 ]] ;;
	tests/sys/test-nomap*) true ;;    # of the lab, which names a memory
	# Of root, in Debian 12.
	'tests/fault/run-daemons.sh '*CAP_NET_ADMIN* | 'tests/soak/soak.sh '*CAP_NET_ADMIN* | 'tests/sys/tools-replace.sh '*'needs root'*)
		[[ ${who[$1]} != root ]] ;;
	# Mirrors of a part of the archive may lack the source package.
	'tests/cufile/fio.sh '*'cannot fetch'*) [[ $1 = trixie ]] ;;
	# These mount: a root directory that is no mount point does not allow it.
	'tests/sys/devio-tools.sh '*'O_DIRECT without /proc'* | 'tests/sys/tools-output.sh '*'full file system'*) true ;;
	'tests/python/python.sh '*test_owner_of_an_old_file_stays*) [[ ${who[$1]} != root ]] ;;
	'tests/python/python.sh '*) [[ $1 = bookworm && $2 =~ python3-(torch|safetensors)|named\ .safetensors ]] ;;    # PyTorch 1, no safetensors
	*) false ;;
	esac
}

# unexpected SUITE LOG: tests that are skipped there and must run
unexpected() {
	sed -nE 's/^SKIP: ([^ ]+ .*)/\1/p' "$2" | sort -u | while read -r line; do
		may_skip "$1" "$line" || echo "$line"
	done
}

# The tree as it is here, without what was built.
clone() {
	local to=$debian_work/$1/srv/libdevio
	mkdir -p "$to"
	SRC=$top project_files | tar -C "$top" -cf - -T - | tar -C "$to" -xf - --no-same-owner
}

# as_user SUITE: a user with sudo, and what one without it is shown
as_user() {
	local suite=$1 at=$debian_work/$1 out
	echo 'user:x:1000:1000::/srv/user:/bin/bash' >>"$at/etc/passwd"
	echo 'user:*:20000:0:99999:7:::' >>"$at/etc/shadow"
	echo 'user:x:1000:' >>"$at/etc/group"
	mkdir -p "$at/srv/user"
	chown -R 1000:1000 "$at/srv/user" "$at/srv/libdevio" "$debian_cache/$suite-ccache"
	out=$(debian_run "$suite" user ./quickstart 2>&1)
	result "$suite" "a user without sudo is shown what to install" \
		"$([[ $? = 1 && $out = *'apt-get update && apt-get install'*gcc* ]] || echo "$out")" >&3
	mkdir -p "$at/etc/sudoers.d"
	echo 'user ALL=(ALL) NOPASSWD: ALL' >"$at/etc/sudoers.d/user"
	debian_run "$suite" root sh -c 'apt-get -q update && apt-get -qy install sudo && rm -rf /var/lib/apt/lists/*'
}

# packages SUITE USER: builds them there; installs, uses and removes them on another system with nothing installed
packages() {
	local suite=$1 new=$1-new names
	step "$suite" "lintian" root apt-get -qy install --no-install-recommends lintian
	step "$suite" "./quickstart deb" "$2" env PATH="/usr/lib/ccache:$PATH" ./quickstart deb || return
	debian_save "$suite" >>"$log" 2>&1
	debian_unpack "$new" && clone "$new"
	mkdir "$debian_work/$new/srv/deb"
	cp "$debian_work/$suite/srv/libdevio/build/deb"/*.deb "$debian_work/$new/srv/deb/"
	rm -f "$debian_work/$new/srv/deb"/*-dbgsym_*
	names=$(cd "$debian_work/$new/srv/deb" && printf '%s ' *.deb | sed 's/_[^ ]*//g')
	step "$new" "the packages are installed" root sh -c 'apt-get -q update &&
		DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends /srv/deb/*.deb' || return
	step "$new" "and used" root tests/check/debian-installed packages
	step "$new" "autopkgtest" root sh -c 'DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends autopkgtest &&
		autopkgtest --no-built-binaries --ignore-restrictions= /srv/libdevio -- null'
	step "$new" "and removed" root sh -c "dpkg --purge $names &&
		! find / -xdev -name '*devio*' ! -path '/srv/*' ! -path '/run/*' ! -path '/tmp/*' | grep ."
	debian_save "$new" >>"$log" 2>&1
}

# tests SUITE USER: one suite at a time, because some of them measure time
tests() {
	local lock
	exec {lock}>"$debian_work/tests.lock"
	flock "$lock"
	step "$1" "./quickstart check gcc" "$2" ./quickstart check gcc
	exec {lock}>&-
	result "$1" "no test is skipped that must run" "$(unexpected "$1" "$debian_work/$1/srv/libdevio/build-check/gcc.log")"
	step "$1" "make install" root make -s -C build-check/gcc install &&
		step "$1" "what it installed works" root tests/check/debian-installed make
	if [[ $1 = trixie ]]; then
		step "$1" "pip and build" root apt-get -qy install --no-install-recommends python3-venv python3-build &&
			step "$1" "a wheel, in a virtual environment" "$2" tests/check/debian-wheel
	fi
	step "$1" "make uninstall" root make -s -C build-check/gcc uninstall
}

run_suite() {
	local suite=$1 user=$2 log=$dir/debian-$1.log
	: >"$log"
	if ! { debian_unpack "$suite" && clone "$suite" && { [[ $user = root ]] || as_user "$suite" 3>&1 >>"$log"; }; } 2>>"$log"; then
		result "$suite" "a minimal system" "$(tail -n 30 "$log")"
		return
	fi
	step "$suite" "./quickstart --size 64M" "$user" ./quickstart --size 64M || return
	result "$suite" "it reports path, reason and comparison" "$(for word in 'path: file-' 'reason: ' 'verified: 67108864 bytes equal'; do
		grep -q "^$word" "$log.step" || echo "no line '$word'"
	done)"
	# While one of them tests, the other has what takes a processor alone.
	# shellcheck disable=SC2016  # the inner shell's
	if [[ $suite = bookworm ]]; then
		tests "$suite" "$user"
		packages "$suite" "$user"
	else
		step "$suite" "PyTorch" root apt-get -qy install --no-install-recommends python3-torch python3-safetensors
		step "$suite" "the packages of the tests" "$user" bash -c \
			'. tests/check/packages.bash && install_packages "${packages_build[@]}" "${packages_check[@]}"'
		packages "$suite" "$user"
		tests "$suite" "$user"
	fi
}

# shellcheck disable=SC2317  # by trap
cleanup() {
	local pids
	mapfile -t pids < <(jobs -p)
	[[ ${#pids[@]} -eq 0 ]] || kill -- "${pids[@]/#/-}" 2>/dev/null
	wait
	# Nothing is mounted there but in namespaces that have ended.
	[[ -n ${DEVIO_KEEP:-} ]] || rm -rf --one-file-system "${debian_work:?}"
}

# All of it is read before it starts: the tree may change meanwhile.
main() {
	local suites suite lock
	mkdir -p "$dir"
	exec {lock}>"$dir/debian.lock"
	flock "$lock"
	trap cleanup EXIT
	trap 'exit 1' INT TERM
	read -ra suites <<<"${DEVIO_DEBIAN:-bookworm trixie}"
	# What a run left that was killed.
	rm -rf --one-file-system "${debian_work:?}"
	mkdir -p "$debian_work"
	set -m    # process groups, to end them by
	for suite in "${suites[@]}"; do
		run_suite "$suite" "${who[$suite]}" >"$debian_work/$suite.tap" &
	done
	wait
	cat "$debian_work"/*.tap
	! grep -q '^not ok' "$debian_work"/*.tap
}

main
exit
