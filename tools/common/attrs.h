/* SPDX-License-Identifier: MIT */
/* The extended attributes of a file that is replaced. */
#ifndef TOOLS_ATTRS_H
#define TOOLS_ATTRS_H

#include <stdbool.h>

/*
 * Copies them from one descriptor to the other, ACLs only with `acls`; never file capabilities or signatures of the
 * contents. Those that this process may not set are skipped. 0 or -errno.
 */
int attrs_copy(int from, int to, bool acls);

#endif
