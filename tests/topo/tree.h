/* SPDX-License-Identifier: MIT */
/*
 * Trees of files written down as text, so that a capture can be reviewed:
 *
 *   dir PATH
 *   link PATH TARGET
 *   file PATH TEXT...          one line
 *   text PATH                  the lines that follow, each behind a tab
 *   hex PATH SIZE              zeroes, and lines of "<tab>OFFSET BYTES" in hex
 *   # ...                      a comment; "# probe: ..." are devio-probe's arguments
 */
#ifndef TREE_H
#define TREE_H

/* Makes the tree below dir. 0, or -1 with a line on stderr. */
int tree_unpack(const char *manifest, const char *dir);

/* Removes dir and all that is in it. */
void tree_remove(const char *dir);

/* The text behind "# probe: " in a manifest; "" without one. Freed by the caller. */
char *tree_probe_args(const char *manifest);

#endif
