# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Minimal Debian systems for the stage `debian`: made once with mmdebstrap from this machine's own mirror, kept in
# the cache, unpacked for each run. Sets debian_work, where they are.
debian_cache=${XDG_CACHE_HOME:-$HOME/.cache}/devio/debian

# debian_can: whether this machine can run them; prints why not
debian_can() {
	if ! command -v mmdebstrap >/dev/null; then
		echo "mmdebstrap is not installed"
	elif ! unshare --mount --pid --fork --propagation private true 2>/dev/null; then
		echo "no mount namespace can be made here (CAP_SYS_ADMIN)"
	elif ! debian_mirror=$("$top/tests/vm/fetch-deb" --mirror 2>&1); then
		echo "$debian_mirror"
	fi
}

# What this machine's apt needs to reach and to accept its mirror.
debian_apt_options() {
	apt-config dump | grep -E '^Acquire::(Check-(Valid-Until|Date)|https?::Proxy) ' || true
	echo 'Acquire::Languages "none";'
}

# debian_make SUITE FILE: essential packages and apt, no more
debian_make() {
	local options=()
	[[ $debian_mirror != https:* ]] || options+=(--include=ca-certificates)
	debian_apt_options >"$2.conf"
	mmdebstrap --mode=root --variant=apt --format=tar --aptopt="$2.conf" "${options[@]}" \
		"$1" "$2" "deb $debian_mirror $1 main" && rm -f "$2.conf"
}

# debian_base SUITE: prints the path of the archive; made anew after a month
debian_base() {
	local suite=$1 key file
	key=$({ debian_apt_options; mmdebstrap --version; declare -f debian_make; echo "$suite $debian_mirror"; } |
		sha256sum | cut -c 1-20)
	file=$debian_cache/$suite-$key.tar
	mkdir -p "$debian_cache"
	exec {lock}>"$debian_cache/$suite.lock"
	flock "$lock"
	find "$debian_cache" -maxdepth 1 -name "$suite-*.tar" -mtime +30 -delete
	if [[ ! -e $file ]]; then
		echo "making a minimal $suite" >&2
		debian_make "$suite" "$file.tmp" >"$file.log" 2>&1 || { tail -n 30 "$file.log" >&2; return 1; }
		mv "$file.tmp" "$file"
		rm -f "$file.log"
	fi
	exec {lock}>&-
	echo "$file"
}

# debian_unpack NAME: into $debian_work/NAME, with the packages that earlier runs downloaded and a ccache. NAME is that
# of the suite, or SUITE-ANYTHING.
debian_unpack() {
	local suite=${1%%-*} root=$debian_work/$1 base
	base=$(debian_base "$suite") || return 1
	mkdir -p "$root" "$debian_cache/$suite-deb" "$debian_cache/$suite-ccache"
	tar -C "$root" -xf "$base"
	cp -L /etc/resolv.conf "$root/etc/"
	printf '127.0.0.1 localhost %s\n::1 localhost\n' "$(uname -n)" >"$root/etc/hosts"
	debian_apt_options >"$root/etc/apt/apt.conf.d/90stage"
	# A machine that is thrown away needs no fsync().
	echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/stage"
	find "$debian_cache/$suite-deb" -name '*.deb' -exec cp --reflink=auto -p -t "$root/var/cache/apt/archives" {} +
	mkdir -p "$root/var/cache/ccache"
}

# debian_save NAME: keeps what was downloaded; what no package list names any more goes
debian_save() {
	local from=$debian_work/$1/var/cache/apt/archives to=$debian_cache/${1%%-*}-deb deb
	debian_run "$1" root apt-get -q autoclean
	for deb in "$from"/*.deb; do
		[[ -e $to/${deb##*/} ]] || { cp -p "$deb" "$to/.${deb##*/}" && mv "$to/.${deb##*/}" "$to/${deb##*/}"; }
	done
	for deb in "$to"/*.deb; do
		[[ -e $from/${deb##*/} ]] || rm -f "$deb"
	done
}

# debian_run NAME USER COMMAND...: there, with mounts and processes that are gone when it ends
debian_run() {
	local name=$1 user=$2
	shift 2
	# shellcheck disable=SC2016 # the inner shell's
	unshare --mount --pid --fork --kill-child --propagation private bash -euc '
		root=$1 cache=$2 user=$3
		shift 3
		mount -t proc proc "$root/proc"
		mount --rbind /sys "$root/sys"
		mount --rbind /dev "$root/dev"
		mount --bind "$cache" "$root/var/cache/ccache"
		home=$(awk -F : -v u="$user" "\$1 == u { print \$6 }" "$root/etc/passwd")
		proxies=()
		for name in http_proxy https_proxy no_proxy; do
			[ -z "${!name:-}" ] || proxies+=("$name=${!name}")
		done
		exec chroot --userspec="$user" "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			HOME="$home" USER="$user" TERM=dumb CCACHE_DIR=/var/cache/ccache CCACHE_NOHASHDIR=1 "${proxies[@]}" \
			sh -c "cd /srv/libdevio 2>/dev/null || cd /; exec \"\$@\"" sh "$@"' \
		debian_run "$debian_work/$name" "$debian_cache/${name%%-*}-ccache" "$user" "$@"
}
