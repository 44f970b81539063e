/* SPDX-License-Identifier: MIT */
/* Preloaded by devio-nc.sh: what TIOCOUTQ returns is stale when the caller gets it, as on a busy machine. */
#include <dlfcn.h>
#include <stdarg.h>
#include <unistd.h>
#include <sys/ioctl.h>

#define LATE_US 50000

int ioctl(int fd, unsigned long request, ...)
{
	int (*next)(int fd, unsigned long request, void *arg) = dlsym(RTLD_NEXT, "ioctl");
	va_list args;
	void *arg;
	int rc;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	rc = next(fd, request, arg);
	if (request == TIOCOUTQ)
		usleep(LATE_US);
	return rc;
}
