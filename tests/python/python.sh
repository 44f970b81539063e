#!/bin/bash
# SPDX-License-Identifier: MIT
# The Python package's tests, with the library of the build tree.
here=$(cd "$(dirname "$0")" && pwd)
build=${DEVIO_BUILD:-$PWD}
[ -z "${DEVIO_SAN_CFLAGS:-}" ] || { echo "1..0 # SKIP the interpreter is not built with sanitizers"; exit 0; }
lib=$(find "$build/lib/.libs" -name 'libdevio.so.*' -type l 2>/dev/null | head -1)
[ -n "$lib" ] || { echo "1..0 # SKIP no shared library was built"; exit 0; }
# The distribution's own has its modules; another one that comes first in PATH may not.
python=
for p in "${PYTHON:-}" /usr/bin/python3 python3; do
	if [ -n "$p" ] && "$p" -c 'import tap, sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
		python=$p
		break
	fi
done
[ -n "$python" ] || { echo "1..0 # SKIP no Python of 3.9 or later with the module tap (python3-tap)"; exit 0; }
export DEVIO_LIBRARY=$lib DEVIO_BUILD=$build PYTHONPATH=$here/../../python PYTHONDONTWRITEBYTECODE=1
"$python" -m tap discover -s "$here"
[ -n "${DEVIO_UNDER_MAKE:-}" ] && exit 0    # else automake counts one failure more
