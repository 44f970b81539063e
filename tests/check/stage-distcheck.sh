#!/bin/bash
# SPDX-License-Identifier: MIT
# The release: packs, unpacks read-only, builds, tests, installs, uninstalls, leaves nothing.
. "$(dirname "$0")/stage.bash"
configured dist gcc
make distcheck -j"$jobs" AM_DISTCHECK_CONFIGURE_FLAGS="CC='$(compiler gcc)'"
