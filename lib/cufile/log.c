/* SPDX-License-Identifier: MIT */
/* The log: a file, if one is configured. */
#include "config.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include "cufile/conf.h"

static const char *const names[] = { "TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "ERROR" };
#define UNTRIED (-2)
static atomic_int log_fd = UNTRIED; /* no lock, which a forked child could inherit */

static int wanted(void)
{
	for (int i = 0; i <= DV_ERROR; i++)
		if (!strcasecmp(dv_conf.text[CONF_LOG_LEVEL], names[i]))
			return i;
	return DV_ERROR;
}

static int open_log(void)
{
	char path[CONF_TEXT + 64];

	if (dv_conf.text[CONF_LOG_PATH][0])
		snprintf(path, sizeof(path), "%s", dv_conf.text[CONF_LOG_PATH]);
	else if (dv_conf.text[CONF_LOG_DIR][0])
		snprintf(path, sizeof(path), "%s/cufile_%ld.log", dv_conf.text[CONF_LOG_DIR], (long)getpid());
	else
		return -1;
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
}

static int get_log(void)
{
	int fd = log_fd, none = UNTRIED;

	if (fd != UNTRIED)
		return fd;
	fd = open_log();
	if (atomic_compare_exchange_strong(&log_fd, &none, fd))
		return fd;
	if (fd >= 0)
		close(fd);
	return none;
}

void dv_note(enum dv_level level, const char *fmt, ...)
{
	char line[2048];
	struct timespec now;
	struct tm tm;
	va_list ap;
	int n, fd;

	if ((int)level < wanted())
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = (int)strftime(line, 64, "%Y-%m-%dT%H:%M:%S", &tm);
	n += snprintf(line + n, sizeof(line) - (size_t)n, ".%03ldZ [pid=%ld] %s ", now.tv_nsec / 1000000,
		      (long)getpid(), names[level]);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	/* A log that cannot be written is no reason to fail. */
	fd = get_log();
	if (fd >= 0 && write(fd, line, (size_t)n) < 0)
		return;
}

/* What was open stays open: another thread may be writing to it. */
void dv_note_reset(void)
{
	log_fd = UNTRIED;
}
