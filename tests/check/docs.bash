# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the checks of the documentation: a scratch installation, used by name.
export DEVIO_SRC=$SRC DOCS_TMP=$tmp/pages PYTHONDONTWRITEBYTECODE=1
mkdir "$DOCS_TMP"

# use_installed: installs below $tmp/root and makes it what cc, pkg-config, python3 and the shell find.
use_installed() {
	local cflags python prefix dir p cc=${DEVIO_CC:-$(command -v cc)} cxx
	cxx=${DEVIO_CXX:-$(command -v c++ || echo c++)}
	unset MAKEFLAGS MFLAGS MAKELEVEL DEVIO_LIBRARY
	if [[ ! -e $BUILD/lib/libdevio.la ]]; then
		skip "the documentation's code" "nothing is built in $BUILD"
		done_testing
	fi
	if ! flock "$BUILD/config.status" make -C "$BUILD" install DESTDIR="$tmp/root" >"$tmp/log" 2>&1; then
		not_ok "make install" "$(tail -n 20 "$tmp/log")"
		done_testing
	fi
	dir=$(find "$tmp/root" -name devio.pc -printf '%h\n')
	prefix=$tmp/root$(sed -n 's/^prefix=//p' "$dir/devio.pc")
	export PKG_CONFIG_PATH=$dir PKG_CONFIG_SYSROOT_DIR=$tmp/root
	export LD_LIBRARY_PATH=${dir%/pkgconfig} PATH=$tmp/bin:$prefix/bin:$prefix/sbin:$PATH
	python=$(find "$prefix" -type d -path '*-packages/devio' -printf '%h\n' | paste -sd:)
	export PYTHONPATH=$python
	read -ra cflags <<<"${DEVIO_SAN_CFLAGS:-}"
	mkdir "$tmp/bin"
	cat >"$tmp/bin/cc" <<-EOF
	#!/bin/sh
	exec $cc ${cflags[*]} -std=gnu11 -Wall -Wextra -Werror "\$@"
	EOF
	cat >"$tmp/bin/c++" <<-EOF
	#!/bin/sh
	command -v ${cxx%% *} >/dev/null || exit 77
	exec $cxx ${cflags[*]} -std=c++17 -Wall -Wextra -Werror "\$@"
	EOF
	# liburing is not below the sysroot.
	cat >"$tmp/bin/pkg-config" <<-EOF
	#!/bin/sh
	$(command -v pkg-config) "\$@" | sed 's|$tmp/root/usr/include|/usr/include|g; s|$tmp/root/usr/lib|/usr/lib|g'
	EOF
	# The distribution's own has NumPy; another one that comes first in PATH may not.
	for p in "${PYTHON:-}" /usr/bin/python3 python3; do
		if [[ -n $p ]] && "$p" -c 'import numpy' 2>/dev/null; then
			printf '#!/bin/sh\nexec %s "$@"\n' "$p" >"$tmp/bin/python3"
			break
		fi
	done
	chmod +x "$tmp"/bin/*
	if [[ -z $python ]]; then
		export DOCS_NO_PYTHON="configured without Python"
	elif ((${#cflags[@]})); then
		export DOCS_NO_PYTHON="Python does not load a library with sanitizers"
	elif ! python3 -c 'import numpy' 2>/dev/null; then
		export DOCS_NO_PYTHON="no NumPy"
	fi
	[[ -z ${DOCS_NO_PYTHON:-} || -z ${DEVIO_STRICT:-} || ${#cflags[@]} -gt 0 ]] || not_ok "Python" "$DOCS_NO_PYTHON"
}
