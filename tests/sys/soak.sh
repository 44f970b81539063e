#!/bin/bash
# SPDX-License-Identifier: MIT
# devio-nicd and devio-serve under hostile clients, for DEVIO_SOAK_SECONDS: 15 in
# the check, an hour before a release (DEVIO_SOAK_SECONDS=3600).
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
name="devio-nicd and devio-serve under hostile clients for ${DEVIO_SOAK_SECONDS:-15} s"
if ! command -v python3 >/dev/null; then
	skip "$name" "no python3"
elif grep -q "DEVIO_SANITIZED 1" "$BUILD/config.h"; then
	skip "$name" "sanitizers keep freed memory: it does not stay flat"
else
	cd "$tmp" || exit 1
	chmod 755 .
	python3 "$SRC/tests/sys/soak.py" "$BUILD" "${DEVIO_SOAK_SECONDS:-15}" >out 2>err
	rc=$?
	grep '^#' out
	verdict "$name" "$([[ $rc = 0 ]] || cat out err)"
	cd / || exit 1
fi
done_testing
