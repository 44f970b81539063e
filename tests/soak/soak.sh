#!/bin/sh
# SPDX-License-Identifier: MIT
# A short one of tests/soak/run: DEVIO_SOAK_SECONDS, 15 if not set.
exec "$(dirname "$0")/run" "${DEVIO_SOAK_SECONDS:-15}"
