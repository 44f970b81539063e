#!/bin/bash
# SPDX-License-Identifier: MIT
# The Python package's tests, with the libraries and the extension modules of the build tree.
here=$(cd "$(dirname "$0")" && pwd)
build=${DEVIO_BUILD:-$PWD}
lib=$(find "$build/lib/.libs" -name 'libdevio.so.*' -type l 2>/dev/null | head -1)
[ -n "$lib" ] || { echo "1..0 # SKIP no shared library was built"; exit 0; }
[ -e "$build/python/devio/.libs/_core.abi3.so" ] ||
	{ echo "1..0 # SKIP the package was not built: configure found no Python of 3.11 or later with its Python.h"; exit 0; }
# The interpreter is not built with sanitizers: AddressSanitizer is loaded first, ThreadSanitizer cannot be.
case ${DEVIO_SAN_CFLAGS:-} in
*address*)
	LD_PRELOAD=$("${CC:-gcc}" -print-file-name=libasan.so)
	ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-}    # the interpreter leaves much behind
	export LD_PRELOAD ASAN_OPTIONS
	;;
?*) echo "1..0 # SKIP the interpreter is not built with sanitizers"; exit 0 ;;
esac
# The distribution's own has its modules; another one that comes first in PATH may not.
python=
for p in "${PYTHON:-}" /usr/bin/python3 python3; do
	if [ -n "$p" ] && "$p" -c 'import tap, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
		python=$p
		break
	fi
done
[ -n "$python" ] || { echo "1..0 # SKIP no Python of 3.11 or later with the module tap (python3-tap)"; exit 0; }
export DEVIO_LIBRARY=$lib DEVIO_BUILD=$build PYTHONPATH=$here/../../python PYTHONDONTWRITEBYTECODE=1
"$python" -X faulthandler -m tap discover -s "$here"
[ -n "${DEVIO_UNDER_MAKE:-}" ] && exit 0    # else automake counts one failure more
