# SPDX-License-Identifier: MIT
include tests/core.mk
