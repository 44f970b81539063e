# SPDX-License-Identifier: MIT
# The tools reach the library only by <devio.h>; what they share is in common/.
include tools/common/local.mk
include tools/probe/local.mk
include tools/cp/local.mk
include tools/gds/local.mk
include tools/nc/local.mk
include tools/serve/local.mk
include tools/nicd/local.mk
include tools/bench/local.mk
