/* SPDX-License-Identifier: MIT */
/* What the programs of tests/perf share. */
#ifndef PERF_PERF_H
#define PERF_PERF_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <devio.h>
#include "clock.h"

/* Ends the program with the library's sentence, or the system's. */
static inline _Noreturn void perf_die(const char *program, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program, what, *devio_errmsg() ? devio_errmsg() : strerror(errno));
	exit(1);
}

#endif
