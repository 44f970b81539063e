# SPDX-License-Identifier: GPL-2.0-only
EXTRA_DIST += kernel/BASE kernel/README.md kernel/build kernel/config kernel/series kernel/patches
