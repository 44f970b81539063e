# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# What the build, the tests and the lab's kernel need from Debian 12 and 13, and
# the stages of `./quickstart check`, in their order.
packages_build=(gcc make libc6-dev autoconf automake libtool pkgconf xz-utils
	liburing-dev libdrm-dev libnl-genl-3-dev libjson-c-dev libarchive-dev libxxhash-dev libcmocka-dev)
packages_check=(g++ clang libclang-rt-dev valgrind shellcheck groff man-db graphviz strace
	python3 python3-six python3-numpy python3-tap fio gnuplot-nox iproute2 netcat-openbsd socat)
# Not among them: python3-torch (49 MB in 21 packages; installing took two minutes). Tests that want it run where it
# is there, and say where it is not. python3-safetensors is in neither suite.
packages_lab=(python3 ccache flex bison bc patch cpio rsync perl libelf-dev libssl-dev dmsetup
	netcat-openbsd socat)
stages=(gcc clang asan valgrind fuzz distcheck job lab)

missing_packages() {
	local p
	for p in "$@"; do
		dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q 'ok installed' || echo "$p"
	done
}

# install_packages NAME...: those that are missing; says what it does, or what to do.
install_packages() {
	local missing apt=(apt-get install -y --no-install-recommends)
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "quickstart: no Debian here: what these packages hold must be there: $*" >&2
		return 0
	fi
	mapfile -t missing < <(missing_packages "$@")
	[[ ${#missing[@]} -gt 0 ]] || return 0
	if [[ $(id -u) -ne 0 ]]; then
		if ! sudo -n true 2>/dev/null; then
			echo "quickstart: packages are missing, and installing them takes root. Run" >&2
			echo "    apt-get update && ${apt[*]} ${missing[*]}" >&2
			echo "as root, then ./quickstart again." >&2
			return 1
		fi
		apt=(sudo -n env DEBIAN_FRONTEND=noninteractive "${apt[@]}")
	fi
	printf '\n== installing %s\n' "${missing[*]}" >&2
	export DEBIAN_FRONTEND=noninteractive
	"${apt[@]}" "${missing[@]}" >/dev/null 2>&1 </dev/null && return 0
	"${apt[@]/install/update}" >/dev/null 2>&1 </dev/null || true
	"${apt[@]}" "${missing[@]}" >/dev/null </dev/null && return 0
	echo "quickstart: that failed. Try: ${apt[*]} ${missing[*]}" >&2
	return 1
}

# compiler NAME: by way of ccache where there is one
compiler() {
	if command -v ccache >/dev/null; then echo "ccache $1"; else echo "$1"; fi
}
