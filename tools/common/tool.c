/* SPDX-License-Identifier: MIT */
/* What every tool needs: its name, exit statuses, messages, clocks, signals. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "term.h"
#include "tool.h"

const char *tool_name = "devio";
bool tool_verbose;
volatile sig_atomic_t tool_stop;

int tool_fail(struct tool_error *e, int status, const char *fmt, ...)
{
	va_list ap;

	if (*e->text)
		return -1;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	e->status = status;
	return -1;
}

/* One write for each line: those of several processes do not mix. */
static void message(const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	fprintf(stderr, "%s: %s\n", tool_name, term_plain(text));
}

void tool_msg(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
}

void tool_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (tool_verbose)
		message(fmt, ap);
	va_end(ap);
}

static void log_message(void *arg, enum devio_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	tool_msg("%s", text);
}

int tool_open_ctx(struct devio_ctx **ctx)
{
	struct devio_ctx_opts o = DEVIO_OPTS(o);

	if (tool_verbose)
		o.log = log_message;
	o.log_level = DEVIO_LOG_INFO;
	return devio_ctx_open(&o, ctx);
}

/* Without the access that it is for: who reads or writes it gets EBADF, as on a closed descriptor. */
static bool open_missing(int fd)
{
	return fcntl(fd, F_GETFD) >= 0 || open("/dev/null", fd ? O_RDONLY : O_WRONLY) == fd;
}

void tool_begin(const char *name)
{
	tool_name = name;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (!open_missing(fd)) {
			tool_msg("file descriptor %d is closed, and /dev/null cannot be opened for it: %s", fd,
				 strerror(errno));
			_exit(TOOL_FAILED);
		}
}

double tool_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

double tool_cpu(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e-6;
}

static void on_signal(int sig)
{
	tool_stop = sig;
}

static void on_extra(int sig)
{
	(void)sig;      /* only ends a wait */
}

void tool_catch_signals(void (*handler)(int sig))
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = handler ? handler : on_signal }, old;

	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(sigs[i], &sa, NULL);
	signal(SIGXFSZ, SIG_IGN);       /* the error of the call says more */
	signal(SIGPIPE, SIG_IGN);
}

void tool_block_signals(int extra, sigset_t *open)
{
	const int sigs[] = { SIGINT, SIGTERM, extra };
	const size_t nr = extra ? 3 : 2;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < nr; i++) {
		struct sigaction sa = { .sa_handler = sigs[i] == extra ? on_extra : on_signal };

		sigaddset(&set, sigs[i]);
		sigaction(sigs[i], &sa, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, open);
	for (size_t i = 0; i < nr; i++)
		sigdelset(open, sigs[i]);
}

int tool_poll(struct pollfd *p, unsigned int nr, const struct timespec *timeout, const sigset_t *open)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int n = ppoll(p, nr, timeout, open), err = errno;
	bool retry = n < 0 && err != EINTR && err != EINVAL && err != EFAULT;
	sigset_t closed;

	/* Short of memory, as it may be for a while: a daemon must not end for that, nor spin. */
	if (retry)
		nanosleep(&pause, NULL);
	/* With a descriptor ready, or after an error, what is pending has not been delivered. */
	if ((n > 0 || retry) && !sigprocmask(SIG_SETMASK, open, &closed))
		sigprocmask(SIG_SETMASK, &closed, NULL);
	errno = retry ? EINTR : err;
	return n;
}

void tool_raise_stop(void)
{
	int sig = tool_stop;

	if (!sig)
		return;
	signal(sig, SIG_DFL);
	raise(sig);
}

bool tool_is_longer(int fd, uint64_t size)
{
	struct stat st;
	char byte;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && size == (uint64_t)st.st_size &&
	       pread(fd, &byte, 1, (off_t)size) > 0;
}

int tool_flush(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	tool_msg("cannot write to standard output: %s", strerror(errno));
	return TOOL_FAILED;
}
