/* SPDX-License-Identifier: MIT */
/* A file that has another name until it is whole. */
#ifndef TOOLS_OUTFILE_H
#define TOOLS_OUTFILE_H

#include <stdbool.h>

/* "DIR/.NAME.PID.TOOL" beside final; the caller's to free. NULL with errno. */
char *outfile_temp_name(const char *final, const char *tool);

/* Gives temp the name final; without replace it must be new. 0, or -1 with errno. */
int outfile_rename(const char *temp, const char *final, bool replace);

#endif
