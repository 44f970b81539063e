/* SPDX-License-Identifier: MIT */
/* A destination file that has a temporary name until it is complete. */
#ifndef TOOLS_OUTFILE_H
#define TOOLS_OUTFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "tool.h"

struct outfile {
	const char *name;         /* as the user gave it, for messages */
	char *final;              /* its name when it is complete, symbolic links resolved */
	char *temp;               /* its name until then, "DIR/.NAME.PID.TOOL"; NULL: there is none */
	unsigned int mode;        /* its permissions when it is complete */
	int fd;                   /* of the temporary file; -1 */
};

/*
 * Looks name up. 1: it exists, with *st; 0: it does not, and gets the
 * permissions `mode` as far as the umask allows; -1 with *e.
 */
int outfile_find(struct outfile *f, const char *name, unsigned int mode, struct stat *st, struct tool_error *e);
/* Creates the temporary file, size bytes long. 0, or -1 with *e. */
int outfile_create(struct outfile *f, uint64_t size, struct tool_error *e);
/* Gives it its name and permissions; without `replace` the name must be unused. 0, or -1 with *e. */
int outfile_finish(struct outfile *f, bool replace, struct tool_error *e);
/* Removes the temporary file if it was not finished. */
void outfile_close(struct outfile *f);

#endif
