/* SPDX-License-Identifier: MIT */
/* What the tests of libcufile.so.0 share. */
#include "config.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>
#include "rig.h"

struct rig_cf cf;
const struct fake_ctl *ctl;
const char *const rig_names[RIG_KINDS] = { "device", "managed", "pool", "pieces", "pinned", "host" };
static int (*host_alloc)(void **host, size_t size, unsigned int flags);
static int (*host_free)(void *host);

static void resolve(void *so, const char *name, void *field)
{
	void *f = dlsym(so, name);

	if (!f) {
		fprintf(stderr, "%s\n", dlerror());
		exit(99);
	}
	memcpy(field, &f, sizeof(f));
}

void rig_open_library(void)
{
	const char *build = getenv("DEVIO_BUILD"), *own = getenv("DEVIO_TEST_CUFILE");
	char path[PATH_MAX];
	void *so;

	snprintf(path, sizeof(path), "%s/lib/cufile/.libs/libcufile.so.0", build ? build : ".");
	so = dlopen(own ? own : path, RTLD_NOW | RTLD_LOCAL);
	if (!so) {
		fprintf(stderr, "%s\n", dlerror());
		exit(99);
	}
#define X(name) resolve(so, "cuFile" #name, &cf.name);
	RIG_CALLS(X)
#undef X
}

void rig_open(void)
{
	ctl = mt_fake("fakecuda", "DEVIO_CUDA_LIBRARY");
	host_alloc = mt_sym("fakecuda", "cuMemHostAlloc");
	host_free = mt_sym("fakecuda", "cuMemFreeHost");
	rig_open_library();
}

unsigned char rig_byte(uint64_t off)
{
	uint64_t x = (off / 8 + 1) * 0x9e3779b97f4a7c15ULL;

	x ^= x >> 29;
	return (unsigned char)(x >> 8 * (off % 8));
}

int rig_file(uint64_t n, int flags)
{
	char name[] = "gds-XXXXXX";
	unsigned char *p = malloc(n + 1);
	int fd = mkstemp(name), own;

	for (uint64_t i = 0; i < n; i++)
		p[i] = rig_byte(i);
	if (fd < 0 || write(fd, p, n) != (ssize_t)n) {
		perror(name);
		exit(99);
	}
	free(p);
	own = open(name, O_RDWR | O_CLOEXEC | flags);
	unlink(name);
	close(fd);
	return own;
}

int rig_reopen(int fd, int flags)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return open(link, O_RDWR | O_CLOEXEC | flags);
}

void *rig_handle(int fd)
{
	struct gds_descr d = { .type = GDS_TYPE_FD, .u.fd = fd };
	void *handle = NULL;

	rig_ok(cf.HandleRegister(&handle, &d));
	assert_non_null(handle);
	return handle;
}

void rig_drop(void *handle, int fd)
{
	cf.HandleDeregister(handle);
	close(fd);
}

int rig_child(int (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		mt_leave(fn());
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

char *rig_mem(enum rig_kind kind, size_t size)
{
	static const enum fake_flavour flavour[] = { FAKE_PLAIN, FAKE_MANAGED, FAKE_POOL, FAKE_VMM };
	void *p;

	if (kind < RIG_PINNED)
		return (char *)(uintptr_t)ctl->mem(size, flavour[kind], 0, NULL, kind == RIG_PIECES ? 65536 : 0);
	if (kind == RIG_HOST)
		return calloc(1, size);
	assert_int_equal(host_alloc(&p, size, 0), 0);
	/* valgrind does not see what io_uring writes. */
	return memset(p, 0, size);
}

unsigned char *rig_bytes(enum rig_kind kind, char *at)
{
	return kind < RIG_PINNED ? ctl->peek((uintptr_t)at) : (unsigned char *)at;
}

void rig_free(enum rig_kind kind, char *at)
{
	if (kind < RIG_PINNED)
		ctl->mem_free((uintptr_t)at);
	else if (kind == RIG_HOST)
		free(at);
	else
		host_free(at);
}
