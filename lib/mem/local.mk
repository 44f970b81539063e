# SPDX-License-Identifier: MIT
lib_libdv_la_SOURCES += lib/mem/host.c
