/* SPDX-License-Identifier: MIT */
/* What every tool needs: its name, exit statuses, messages, clocks, signals. */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <devio.h>

/* Exit status of all tools; a signal ends a tool by that signal. */
enum tool_status { TOOL_OK, TOOL_FAILED, TOOL_USAGE, TOOL_DIFFERS, TOOL_NO_PATH };

/* For messages. */
extern const char *tool_name;
extern bool tool_verbose;

/*
 * main() calls it before anything else: sets tool_name, and opens standard input, output and error where they are
 * closed, so that no file or connection gets the number of one of them. Ends the process if that is not possible.
 */
void tool_begin(const char *name);

/* The first failure: its exit status and a sentence, "" if there is none. */
struct tool_error {
	int status;
	char text[1024];
};
/* Keeps the first failure; returns -1. */
int tool_fail(struct tool_error *e, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "NAME: ..." on standard error; tool_info() only with --verbose. */
void tool_msg(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tool_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* devio_ctx_open(), with the library's log on standard error if --verbose was given. */
int tool_open_ctx(struct devio_ctx **ctx);

double tool_now(void);      /* seconds, monotonic */
double tool_cpu(void);      /* seconds of CPU time, user and system */

/* The signal that asked for the end, 0 before. */
extern volatile sig_atomic_t tool_stop;
/*
 * SIGINT, SIGTERM and SIGHUP set tool_stop, or call handler; ignored signals
 * stay ignored. SIGPIPE and SIGXFSZ are ignored: the system call fails.
 */
void tool_catch_signals(void (*handler)(int sig));
/*
 * For servers: SIGINT, SIGTERM and `extra` (0: none) are blocked, and `open` is
 * the mask for ppoll() that lets them in. extra does not set tool_stop.
 */
void tool_block_signals(int extra, sigset_t *open);
/* ppoll() with that mask; signals get in even if a descriptor is always ready. */
int tool_poll(struct pollfd *p, unsigned int nr, const struct timespec *timeout, const sigset_t *open);
/* Ends the process by the signal that asked for it, if one did. */
void tool_raise_stop(void);

/* Does the file of fd have bytes from size on? Files of proc have, and st_size 0. */
bool tool_is_longer(int fd, uint64_t size);
#define TOOL_LONGER "has more than the %llu bytes that its size says, as files of proc do: copy it with cat(1) first"

/* status, or TOOL_FAILED with a message if standard output could not be written. */
int tool_flush(int status);

#endif
