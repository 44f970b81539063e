/* SPDX-License-Identifier: MIT */
/*
 * A destination file that has a temporary name until it is complete. Its
 * directory may belong to somebody else: after outfile_find() all is done by
 * descriptor, and a name in it is never followed.
 */
#ifndef TOOLS_OUTFILE_H
#define TOOLS_OUTFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "tool.h"

struct outfile {
	const char *name;         /* as the user gave it, for messages */
	int dir;                  /* of its directory, symbolic links resolved; -1 */
	char *final;              /* its name there when it is complete */
	char *temp;               /* its name until then, ".NAME.PID.TOOL"; NULL: there is none */
	unsigned int mode;        /* its permissions when it is complete, if it is new */
	bool exists;              /* a file that exists is replaced */
	int fd;                   /* of the temporary file; -1 */
};

#define OUTFILE_NONE { .dir = -1, .fd = -1 }

/*
 * Looks name up. 1: it exists, with *st; 0: it does not, and gets the
 * permissions `mode` as far as the umask allows; -1 with *e.
 */
int outfile_find(struct outfile *f, const char *name, unsigned int mode, struct stat *st, struct tool_error *e);
/* Opens the file that outfile_find() found, with the flags of open(2). -1 with *e. */
int outfile_open(const struct outfile *f, int flags, const struct stat *st, struct tool_error *e);
/* Creates the temporary file, size bytes long. 0, or -1 with *e. */
int outfile_create(struct outfile *f, uint64_t size, struct tool_error *e);
/*
 * Gives it its name and permissions; without `replace` the name must be unused. What it replaces passes on its
 * permissions (0777 at most), its owner and group as far as the process may set them, and its extended attributes,
 * ACLs among them. 0, or -1 with *e.
 */
int outfile_finish(struct outfile *f, bool replace, struct tool_error *e);
/* Flushes the directory. */
void outfile_sync_dir(const struct outfile *f);
/* Removes the temporary file if it was not finished. */
void outfile_close(struct outfile *f);

#endif
