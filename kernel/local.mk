# SPDX-License-Identifier: MIT
EXTRA_DIST += kernel/BASE kernel/README.md kernel/build kernel/config kernel/series
