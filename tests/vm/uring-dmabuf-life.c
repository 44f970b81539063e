/* SPDX-License-Identifier: MIT */
/* Registrations that end while others begin, exporters that keep a buffer locked, processes that are stopped. */
#include "uring-dmabuf.h"

#define SLOTS 16384 /* the most that a table has */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static void memory_bit(const struct mem *m, bool on)
{
	uint16_t command;

	if (pread(m->device, &command, 2, m->config + 4) != 2)
		die("PCI_COMMAND");
	command = on ? command | 2 : command & ~2;
	if (pwrite(m->device, &command, 2, m->config + 4) != 2)
		die("PCI_COMMAND");
}

/* ------------------------------------------------ a buffer that is kept locked */

struct keeper {
	const struct mem *m;
	pthread_t thread;
	double took;
};

/* The exporter waits for the command in flight, with the buffer's reservation locked. */
static void *keep_locked(void *arg)
{
	struct keeper *k = arg;
	double start = now();

	memory_bit(k->m, false);
	k->took = now() - start;
	memory_bit(k->m, true);
	return NULL;
}

/* As reap(), for a process that is stopped meanwhile. */
static int reap_stopped(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int ret;

	do
		ret = io_uring_wait_cqe(ring, &cqe);
	while (ret == -EINTR);
	if (!ret) {
		ret = cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
	return ret;
}

/*
 * A process with a registration of its own, the last one made, which an exporter takes back first. When
 * it is to, it reads into memory that is not mapped any more, and has to wait for the mapping.
 */
struct reader {
	pid_t child;
	int go;
};

static void reader_start(struct reader *r, const struct mem *m, int fd)
{
	int ready[2], go[2];
	char byte = 0;

	if (pipe(ready) || pipe(go))
		die("pipe");
	r->child = fork();
	if (!r->child) {
		struct io_uring ring;
		int ret;

		ring_open(&ring, 8, 0);
		ret = reg(&ring, 0, m->fd, fd, ONE_FILE);
		if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		if (ret == 1) {
			queue(&ring, false, 0, fd, 0, 4096, 0, 0);
			io_uring_submit(&ring);
			ret = reap_stopped(&ring);
		}
		printf("# the reader that was stopped: %d\n", ret);
		fflush(stdout);
		_exit(ret != 4096 && ret != -ENODEV);
	}
	close(ready[1]);
	close(go[0]);
	if (read(ready[0], &byte, 1) != 1)
		die("a process that reads");
	close(ready[0]);
	r->go = go[1];
}

/* Its exit status: 0 if the read was done, or the memory is away meanwhile. */
static int reader_stop_and_go(struct reader *r)
{
	int status = 0;

	if (write(r->go, "g", 1) != 1)
		die("write");
	for (int i = 0; i < 3; i++) {
		usleep(100000);
		kill(r->child, SIGSTOP);
		usleep(100000);
		kill(r->child, SIGCONT);
	}
	waitpid(r->child, &status, 0);
	close(r->go);
	return status;
}

int locked(const char *bdf, const char *slow)
{
	struct mem bar = mem_vfio(bdf), other = mem_open("udmabuf", MIB);
	int fd = must_open(slow, O_RDWR | O_DIRECT);
	struct io_uring busy, closing, third;
	struct keeper k = { .m = &bar };
	struct reader reader;
	double start, took;

	ring_open(&busy, 8, 0);
	ring_open(&closing, 8, 0);
	ring_open(&third, 8, 0);
	is(reg(&busy, 0, bar.fd, fd, ONE_FILE), 1, "a ring with a command in flight");
	is(reg(&closing, 0, bar.fd, fd, ONE_FILE), 1, "a ring that is closed");
	reader_start(&reader, &bar, fd);
	queue(&busy, false, 0, fd, 0, 4096, 0, 0);
	io_uring_submit(&busy);
	usleep(100000);
	pthread_create(&k.thread, NULL, keep_locked, &k);
	usleep(200000);
	ok(!reader_stop_and_go(&reader), "to be stopped is no error", 0);
	io_uring_queue_exit(&closing);
	usleep(100000);
	start = now();
	is(reg(&third, 0, other.fd, fd, ONE_FILE), 1, "another buffer on that drive");
	took = now() - start;
	ok(took < 0.3, "does not wait for the buffer that is locked", took * 1e3);
	pthread_join(k.thread, NULL);
	ok(k.took > 0.5, "the buffer was locked all the time", k.took * 1e3);
	is(reap(&busy, NULL), 4096, "the command in flight");
	io_uring_queue_exit(&busy);
	io_uring_queue_exit(&third);
	return finish();
}

/* ------------------------------------------------------ a table that is full */

static void full_ring(struct io_uring *ring, const struct mem *m, int fd)
{
	int ret = io_uring_queue_init(8, ring, 0);

	if (!ret)
		ret = io_uring_register_buffers_sparse(ring, SLOTS);
	for (int i = 0; !ret && i < SLOTS; i++) {
		int n = reg(ring, i, m->fd, fd, ONE_FILE);

		ret = n == 1 ? 0 : n;
	}
	if (ret) {
		errno = -ret;
		die("a full table");
	}
}

/* A process with a full table; it ends when it is told, or hears nothing any more. */
static pid_t full_process(const struct mem *m, int fd, int *stop)
{
	int ready[2], end[2];
	char byte = 0;
	pid_t child;

	if (pipe(ready) || pipe(end))
		die("pipe");
	child = fork();
	if (!child) {
		struct io_uring ring;

		close(end[1]);
		full_ring(&ring, m, fd);
		if (write(ready[1], "r", 1) != 1 || read(end[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(ready[1]);
	close(end[0]);
	if (read(ready[0], &byte, 1) != 1)
		die("a process with a full table");
	close(ready[0]);
	*stop = end[1];
	return child;
}

static void remove_drive(const char *bdf)
{
	char line[256];

	snprintf(line, sizeof(line), "echo 1 >/sys/bus/pci/devices/%s/remove && echo 1 >/sys/bus/pci/rescan", bdf);
	if (system(line))
		ok(0, line, 0);
}

int full(const char *spec, const char *path, const char *bdf)
{
	struct mem m = mem_open(spec, 64 * KIB), other = mem_open(spec, 64 * KIB);
	double start, longest = 0, end;
	int fd = must_open(path, O_RDWR | O_DIRECT), stop, n = 0, failed = 0;
	struct io_uring ring;
	pid_t child;

	/* As often as here the debug kernel's book has no room for the same pages. */
	if (!strcmp(getenv("LAB_KERNEL") ? getenv("LAB_KERNEL") : "", "debug"))
		printf("# allow-log: exceeded 7 overlapping mappings|add_dma_entry|Call Trace\n");
	ring_open(&ring, 8, 0);
	start = now();
	child = full_process(&m, fd, &stop);
	printf("# %d registrations took %.1f s\n", SLOTS, now() - start);
	close(stop);
	for (end = now() + 5; now() < end; n++) {
		double t = now();

		failed += reg(&ring, 0, other.fd, fd, ONE_FILE) != 1;
		if (now() - t > longest)
			longest = now() - t;
	}
	waitpid(child, NULL, 0);
	ok(!failed && n > 10, "registrations while a process with a full table ends", n);
	ok(longest < 1, "none waits for it", longest * 1e3);
	child = full_process(&m, fd, &stop);
	io_uring_queue_exit(&ring);
	close(fd);
	start = now();
	remove_drive(bdf);
	ok(now() - start < 15, "the drive is removed while a table is full", (now() - start) * 1e3);
	close(stop);
	waitpid(child, NULL, 0);
	return finish();
}

/* ---------------------------------------------------- a page cache that is busy */

struct dirtier {
	pthread_t thread;
	char *page;
	volatile bool done;
};

static void *dirty(void *arg)
{
	struct dirtier *d = arg;

	while (!d->done)
		(*(volatile char *)d->page)++;
	return NULL;
}

/* A write to what another process has mapped and keeps dirty: done or busy, but never impossible. */
int busy(const char *spec, const char *path)
{
	struct mem m = mem_open(spec, MIB);
	int fd = must_open(path, O_RDWR | O_DIRECT | O_CREAT), ret;
	long done = 0, busy = 0, other = 0;
	struct dirtier d = { 0 };
	struct io_uring ring;

	if (pwrite(fd, host_memory(64 * KIB), 64 * KIB, 0) != 64 * (ssize_t)KIB)
		die("write");
	d.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (d.page == MAP_FAILED)
		die("mmap");
	ring_open(&ring, 8, 0);
	is(reg(&ring, 0, m.fd, fd, ONE_FILE), 1, "register");
	pthread_create(&d.thread, NULL, dirty, &d);
	for (double end = now() + 10; now() < end && busy < 50;) {
		ret = one(&ring, true, 0, fd, 0, 4096, 0);
		done += ret == 4096;
		busy += ret == -EBUSY;
		if (ret != 4096 && ret != -EBUSY)
			other = ret;
	}
	d.done = true;
	pthread_join(d.thread, NULL);
	printf("# %ld done, %ld busy\n", done, busy);
	ok(!other, "a busy page cache is no reason to give up", other);
	ok(busy > 0, "it was busy", busy);
	is(one(&ring, true, 0, fd, 0, 4096, 0), 4096, "and is not any more");
	io_uring_queue_exit(&ring);
	return finish();
}
