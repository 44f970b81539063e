/* SPDX-License-Identifier: MIT */
/* What the engines without the library have in common: a buffer in host memory, and descriptors. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "host.h"

/* Like mem=host of the library, so that the engines differ in nothing else. */
static int alloc_buffer(const struct bench_thread *t, struct bench_host *h)
{
	const size_t huge = 2 << 20;
	uint8_t *p;

	h->size = t->slot * t->depth;
	h->mapped = h->size + (h->size >= huge ? huge : 0);
	p = mmap(NULL, h->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	h->map = h->buf = p;
	if (h->size >= huge)
		h->buf = (uint8_t *)(((uintptr_t)p + huge - 1) & ~(huge - 1));
	madvise(h->buf, h->size, t->job->hugepage ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	for (size_t i = 0; i < h->size; i += 4096)
		h->buf[i] = 1;
	return 0;
}

int bench_host_open(struct bench_thread *t, struct bench_host *h, struct bench_err *err)
{
	const struct bench_job *job = t->job;
	int flags = !(job->rw & RW_WRITE) ? O_RDONLY : job->rw & RW_READ || job->verify ? O_RDWR : O_WRONLY;

	h->fd = malloc(t->nr_files * sizeof(*h->fd));
	if (!h->fd)
		return bench_fail(err, TOOL_FAILED, "out of memory");
	memset(h->fd, 0xff, t->nr_files * sizeof(*h->fd));
	if (alloc_buffer(t, h))
		return bench_fail(err, TOOL_FAILED, "%s: cannot allocate %zu bytes of host memory: %s", job->name,
				  h->size, strerror(errno));
	for (unsigned int i = 0; i < t->nr_files; i++) {
		h->fd[i] = open(t->files[i].name, flags | O_CLOEXEC | (job->direct ? O_DIRECT : 0));
		if (h->fd[i] < 0)
			return bench_fail(err, TOOL_FAILED, "%s: %s: %s%s", job->name, t->files[i].name,
					  strerror(errno),
					  job->direct && errno == EINVAL ? " (no O_DIRECT? try direct=0)" : "");
	}
	strcpy(t->res->mem, "host");
	return 0;
}

void bench_host_close(struct bench_thread *t, struct bench_host *h)
{
	for (unsigned int i = 0; h->fd && i < t->nr_files; i++)
		if (h->fd[i] >= 0)
			close(h->fd[i]);
	free(h->fd);
	if (h->map)
		munmap(h->map, h->mapped);
}

int bench_host_flush(struct bench_thread *t, unsigned int file)
{
	return fdatasync(((struct bench_host *)t->eng)->fd[file]) ? -errno : 0;
}

int bench_host_put(struct bench_thread *t, uint64_t mem_off, const void *src, size_t len)
{
	memcpy(((struct bench_host *)t->eng)->buf + mem_off, src, len);
	return 0;
}

int bench_host_get(struct bench_thread *t, uint64_t mem_off, void *dst, size_t len)
{
	memcpy(dst, ((struct bench_host *)t->eng)->buf + mem_off, len);
	return 0;
}
