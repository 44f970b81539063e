# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# What the build, the tests and the lab's kernel need from Debian 12 and 13, and
# the stages of `./quickstart check`, in their order.
packages_build=(gcc make libc6-dev autoconf automake libtool pkgconf xz-utils
	liburing-dev libdrm-dev libnl-genl-3-dev libjson-c-dev libarchive-dev libxxhash-dev libcmocka-dev)
packages_check=(ccache g++ clang libclang-rt-dev valgrind acl systemd shellcheck groff man-db graphviz strace mount e2fsprogs
	python3-dev python3-setuptools python3-wheel python3-six python3-numpy python3-tap
	fio gnuplot-nox iproute2 procps jq netcat-openbsd socat zsh)
# Not among them: python3-torch and python3-safetensors, which Debian 12 has not, or in a version that is too old. Tests
# that use them run where they are installed; the stage debian has them in Debian 13.
packages_lab=(python3 procps ccache flex bison bc patch cpio rsync perl libelf-dev libssl-dev dmsetup
	netcat-openbsd socat)
packages_deb=(build-essential debhelper dh-python lintian doxygen furo graphviz python3-sphinx python3-myst-parser python3-breathe)
packages_debian=(mmdebstrap)
# Not among them yet: debian (./quickstart check debian), which takes 13 minutes. With it gcc is left out where it can
# run: it has that in Debian 12 and 13.
stages=(gcc clang asan valgrind fuzz distcheck job lab)

missing_packages() {
	local p
	for p in "$@"; do
		dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q 'ok installed' || echo "$p"
	done
}

# apt_get ARGUMENT...: as root, without questions; waits where another apt is at work
apt_get() {
	local root=()
	[[ $(id -u) -eq 0 ]] || root=(sudo -n)
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
		apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# install_packages NAME...: those that are missing; reports what it does, or what to do.
install_packages() {
	local missing log have_lists=1 install=(install -y --no-install-recommends)
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "quickstart: this is not Debian: install what these packages contain: $*" >&2
		return 0
	fi
	mapfile -t missing < <(missing_packages "$@")
	[[ ${#missing[@]} -gt 0 ]] || return 0
	if [[ $(id -u) -ne 0 ]] && ! sudo -n true 2>/dev/null; then
		echo "quickstart: packages are missing, and installing them takes root. Run" >&2
		echo "    apt-get update && apt-get ${install[*]} ${missing[*]}" >&2
		echo "as root, then ./quickstart again." >&2
		return 1
	fi
	printf '\n== installing %s\n' "${missing[*]}" >&2
	log=$(mktemp) || return 1
	# Images of containers have no package lists; a machine's may be older than its mirror.
	compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || have_lists=0
	if ((!have_lists)) || ! apt_get "${install[@]}" "${missing[@]}" >"$log" 2>&1; then
		if ! { apt_get update && apt_get "${install[@]}" "${missing[@]}"; } >>"$log" 2>&1; then
			cat "$log" >&2
			rm -f "$log"
			echo "quickstart: installing failed: see above. Then: apt-get update && apt-get ${install[*]} ${missing[*]}" >&2
			return 1
		fi
	fi
	rm -f "$log"
}

# compiler NAME: by way of ccache where there is one
compiler() {
	if command -v ccache >/dev/null; then echo "ccache $1"; else echo "$1"; fi
}

# make html
packages_check+=(doxygen python3-sphinx python3-myst-parser python3-breathe furo)
