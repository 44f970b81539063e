/* SPDX-License-Identifier: MIT */
/* What the tests on a GPU share. */
#include "config.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "app.h"

struct hw_cu cu;
static char file_name[4096];

static const struct {
	void **field;
	const char *name;
} calls[] = {
#define X(field, sym, params) { (void **)&cu.field, #sym },
	CU_CALLS(X)
#undef X
};

const char *hw_load(void)
{
	static char why[300];
	const char *lib = getenv("HW_CUDA_LIBRARY");
	void *so;
	int n, rc;

	if (!lib)
		lib = getenv("DEVIO_CUDA_LIBRARY");
	so = dlopen(lib ? lib : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!so) {
		snprintf(why, sizeof(why), "no CUDA driver: %s", dlerror());
		return why;
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		*calls[i].field = dlsym(so, calls[i].name);
		if (!*calls[i].field) {
			snprintf(why, sizeof(why), "the CUDA driver has no %s", calls[i].name);
			return why;
		}
	}
	rc = cu.init(0);
	if (!rc)
		rc = cu.devices(&n);
	if (!rc && hw_device() < n)
		return NULL;
	snprintf(why, sizeof(why), "no CUDA device %d: error %d", hw_device(), rc);
	return why;
}

const char *hw_spec(void)
{
	const char *e = getenv("DEVIO_TEST_SPEC");

	return e ? e : "cuda:0";
}

int hw_device(void)
{
	const char *colon = strchr(hw_spec(), ':');

	return colon ? atoi(colon + 1) : 0;
}

bool hw_fake(void)
{
	char name[64] = "";

	return !cu.device_name(name, sizeof(name), hw_device()) && !strncmp(name, "fake", 4);
}

void *hw_current(void)
{
	void *ctx = NULL;

	cu.ctx_get(&ctx);
	return ctx;
}

size_t hw_unused(void)
{
	size_t unused = 0, total;

	cu.mem_info(&unused, &total);
	return unused;
}

void hw_pattern(unsigned char *p, size_t n, unsigned int seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (unsigned char)(x >> 32);
	}
}

static void remove_file(void)
{
	unlink(file_name);
}

const char *hw_file(size_t n, unsigned int seed)
{
	const char *dir = getenv("HW_DIR");
	unsigned char *p = malloc(n);
	int fd;

	if (file_name[0])
		remove_file();
	else
		atexit(remove_file);
	snprintf(file_name, sizeof(file_name), "%s/hw-XXXXXX", dir ? dir : ".");
	fd = mkstemp(file_name);
	hw_pattern(p, n, seed);
	if (fd < 0 || write(fd, p, n) != (ssize_t)n || fsync(fd)) {
		perror(file_name);
		exit(99);
	}
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	free(p);
	return file_name;
}
