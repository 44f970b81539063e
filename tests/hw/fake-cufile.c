/* SPDX-License-Identifier: MIT */
/* A libcufile.so.0 that reads into host memory and copies, as the real one does in compatibility mode. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cufile.h"

#define DEPTH 128

struct batch {
	struct cf_event done[DEPTH];
	unsigned int nr;
};

static int (*to_device)(unsigned long long dst, const void *src, size_t len);

struct cf_error cuFileDriverOpen(void);
struct cf_error cuFileHandleRegister(void **handle, struct cf_descr *descr);
void cuFileHandleDeregister(void *handle);
struct cf_error cuFileBufRegister(const void *base, size_t len, int flags);
ssize_t cuFileRead(void *handle, void *base, size_t len, off_t file_off, off_t off);
struct cf_error cuFileBatchIOSetUp(void **batch, unsigned int nr);
struct cf_error cuFileBatchIOSubmit(void *batch, unsigned int nr, struct cf_batch_io *io, unsigned int flags);
struct cf_error cuFileBatchIOGetStatus(void *batch, unsigned int min, unsigned int *nr, struct cf_event *events,
				       struct timespec *timeout);
void cuFileBatchIODestroy(void *batch);

static const struct cf_error fine, bad = { 5000 + 11, 0 };

struct cf_error cuFileDriverOpen(void)
{
	const char *lib = getenv("DEVIO_CUDA_LIBRARY");
	void *so = lib ? dlopen(lib, RTLD_NOW) : NULL;

	to_device = so ? dlsym(so, "cuMemcpyHtoD_v2") : NULL;
	return to_device ? fine : bad;
}

struct cf_error cuFileHandleRegister(void **handle, struct cf_descr *descr)
{
	*handle = malloc(sizeof(int));
	memcpy(*handle, &descr->u.fd, sizeof(int));
	return descr->type == 1 ? fine : bad;
}

void cuFileHandleDeregister(void *handle)
{
	free(handle);
}

struct cf_error cuFileBufRegister(const void *base, size_t len, int flags)
{
	return base && len && !flags ? fine : bad;
}

ssize_t cuFileRead(void *handle, void *base, size_t len, off_t file_off, off_t off)
{
	size_t whole = (len + 4095) & ~(size_t)4095;
	void *buf = aligned_alloc(4096, whole);
	ssize_t n = pread(*(int *)handle, buf, whole, file_off);

	if (n > (ssize_t)len)
		n = (ssize_t)len;
	if (n > 0 && to_device((unsigned long long)(size_t)base + (unsigned long long)off, buf, (size_t)n))
		n = -5;
	free(buf);
	return n;
}

struct cf_error cuFileBatchIOSetUp(void **batch, unsigned int nr)
{
	*batch = calloc(1, sizeof(struct batch));
	return nr <= DEPTH ? fine : bad;
}

struct cf_error cuFileBatchIOSubmit(void *batch, unsigned int nr, struct cf_batch_io *io, unsigned int flags)
{
	struct batch *b = batch;

	for (unsigned int i = 0; i < nr; i++) {
		struct cf_event *e = &b->done[b->nr++];

		e->cookie = io[i].cookie;
		e->ret = (size_t)cuFileRead(io[i].file, io[i].at.base, io[i].at.len, io[i].at.file_off, io[i].at.off);
		e->status = e->ret == io[i].at.len && io[i].mode == 1 && !io[i].opcode ? 0x10 : 0x40;
	}
	return flags ? bad : fine;
}

struct cf_error cuFileBatchIOGetStatus(void *batch, unsigned int min, unsigned int *nr, struct cf_event *events,
				       struct timespec *timeout)
{
	struct batch *b = batch;
	unsigned int n = b->nr < *nr ? b->nr : *nr;

	(void)timeout;
	if (n < min)
		return bad;
	memcpy(events, b->done + b->nr - n, n * sizeof(*events));
	b->nr -= n;
	*nr = n;
	return fine;
}

void cuFileBatchIODestroy(void *batch)
{
	free(batch);
}
