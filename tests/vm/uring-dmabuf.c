/* SPDX-License-Identifier: MIT */
/*
 * The kernel series: a dma-buf as an io_uring fixed buffer, without libdevio.
 *
 *   uring-dmabuf data MEM FILE            all sizes, offsets and depths, both ways
 *   uring-dmabuf files MEM DIR            one registration for many files: holes,
 *                                         appends, preallocated, past the end
 *   uring-dmabuf kind MEM DIR KIND        a file that is fragmented, encrypted, ...
 *   uring-dmabuf errors MEM FILE [OTHER]  what is refused, and with which error
 *   uring-dmabuf refused MEM FILE         the file's device cannot do it
 *   uring-dmabuf revoke BDF FILE N        N times while 64 reads are in flight
 *   uring-dmabuf stress MEM FILE SECONDS [RESET N]
 *                                         I/O, register, exit, kill; RESET is a file
 *                                         to write 1 to, N times at least
 *   uring-dmabuf locked BDF SLOW_DISK     an exporter keeps one buffer locked
 *   uring-dmabuf full MEM DISK DISK_BDF   16384 registrations end while others begin
 *   uring-dmabuf busy MEM FILE            writes to what is mapped and kept dirty
 *   uring-dmabuf commands MEM DISK N      one read of 8 MiB is N commands
 *   uring-dmabuf bench KIND FILE SIZE N   KIND: plain, fixed, or MEM; cost per read
 *
 * MEM: udmabuf, scattered (udmabuf of single pages out of order), dmaheap, vfio:BDF
 */
#include "uring-dmabuf.h"

struct revoker {
	const struct mem *m;
	int times;
	double longest;
	volatile bool done;
};

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static void *revoke_thread(void *arg)
{
	struct revoker *r = arg;
	uint16_t command, off;

	if (pread(r->m->device, &command, 2, r->m->config + 4) != 2)
		die("PCI_COMMAND");
	off = command & ~2;
	for (int i = 0; i < r->times; i++) {
		double start = seconds();

		if (pwrite(r->m->device, &off, 2, r->m->config + 4) != 2)
			die("PCI_COMMAND");
		if (seconds() - start > r->longest)
			r->longest = seconds() - start;
		if (i % 8 == 0)
			usleep(2000);
		if (pwrite(r->m->device, &command, 2, r->m->config + 4) != 2)
			die("PCI_COMMAND");
		usleep(i % 4 * 1000);
	}
	r->done = true;
	return NULL;
}

static int revocations(const char *bdf, const char *path, int times)
{
	struct mem m = mem_vfio(bdf);
	struct revoker r = { .m = &m, .times = times };
	int fd = must_open(path, O_RDWR | O_DIRECT | O_CREAT), ret;
	long done = 0, again = 0, nodev = 0, other = 0, worst = 0;
	const unsigned int depth = 64;
	const size_t len = 16 * KIB;
	char *want = host_memory(depth * len);
	struct io_uring ring;
	unsigned int i, flying = 0;
	pthread_t thread;

	fill(want, depth * len, 99);
	if (pwrite(fd, want, depth * len, 0) != (ssize_t)(depth * len))
		die("write from host memory");
	ring_open(&ring, depth, 0);
	if (!is(reg(&ring, 0, m.fd, fd, ANY_FILE), 1, "register"))
		return finish();
	pthread_create(&thread, NULL, revoke_thread, &r);
	for (i = 0; i < depth; i++, flying++)
		queue(&ring, false, 0, fd, i * len, len, i * len, i);
	io_uring_submit(&ring);
	while (flying) {
		uint64_t which;

		ret = reap(&ring, &which);
		flying--;
		if (ret == (int)len)
			done++;
		else if (ret == -EAGAIN)
			again++;
		else if (ret == -ENODEV)
			nodev++;
		else
			other++, worst = ret;
		if (r.done && ret == (int)len)
			continue;
		queue(&ring, false, 0, fd, which * len, len, which * len, which);
		io_uring_submit(&ring);
		flying++;
	}
	pthread_join(thread, NULL);
	printf("# %d revocations, the longest %.1f ms; reads: %ld done, %ld again, %ld no device\n", times,
	       r.longest * 1e3, done, again, nodev);
	ok(!other, "no other error", worst);
	ok(done >= depth, "reads went on", done);
	ok(!memcmp(m.map, want, depth * len), "the bytes of the last reads", 0);

	/* Gone for good while registered: errors, not hangs. */
	r.times = 0;
	ret = 0;
	uint16_t command, off;
	if (pread(m.device, &command, 2, m.config + 4) != 2)
		die("PCI_COMMAND");
	off = command & ~2;
	if (pwrite(m.device, &off, 2, m.config + 4) != 2)
		die("PCI_COMMAND");
	is(one(&ring, false, 0, fd, 0, len, 0), -ENODEV, "revoked: a clear error");
	is(reg(&ring, 1, m.fd, fd, ONE_FILE), -ENODEV, "revoked: no registration");
	if (pwrite(m.device, &command, 2, m.config + 4) != 2)
		die("PCI_COMMAND");
	is(one(&ring, false, 0, fd, 0, len, 0), (int)len, "back again");
	close(m.device);
	io_uring_queue_exit(&ring);
	return finish();
}

static volatile sig_atomic_t time_over;

static void on_alarm(int sig)
{
	(void)sig;
	time_over = 1;
}

/* Random I/O, compared; slots replaced under it. Returns what went wrong. */
static int stress_child(const struct mem *m, const char *path, int secs, unsigned int seed, bool errors_ok)
{
	const size_t part = m->size / 4, base = (seed & 3) * part;
	int fd = must_open(path, O_RDWR | O_DIRECT), bad = 0, ret;
	char *want = host_memory(part);
	double end = seconds() + secs;
	struct io_uring ring;

	srand(seed);
	ring_open(&ring, 64, seed & 4 ? IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN : 0);
	while (seconds() < end && !bad) {
		size_t len = 512 * (1 + rand() % 256), i, n = 1 + rand() % 32;
		off_t off = base + 512 * (rand() % ((part - len) / 512));
		unsigned int slot = rand() % 8;

		ret = reg(&ring, slot, m->fd, fd, rand() & 1 ? ANY_FILE : ONE_FILE);
		if (ret != 1 && !(errors_ok && ret == -ENODEV)) {
			printf("# register: %d\n", ret);
			return 1;
		}
		fill(m->map + off, len, off + seed);
		do {
			queue(&ring, true, slot, fd, off, len, off, 0);
			io_uring_submit(&ring);
			ret = reap(&ring, NULL);
		} while (ret == -EAGAIN);
		if (ret != (int)len) {
			if (errors_ok && ret < 0)
				continue;
			printf("# write: %d\n", ret);
			return 1;
		}
		memset(m->map + off, 0xee, len);
		for (i = 0; i < n; i++)
			queue(&ring, false, slot, fd, off, len, off, 0);
		io_uring_submit(&ring);
		if (rand() & 1) /* unregister with the reads in flight */
			reg(&ring, slot, m->fd, fd, ONE_FILE);
		for (i = 0; i < n; i++) {
			ret = reap(&ring, NULL);
			if (ret == -EAGAIN && i == n - 1)
				ret = one(&ring, false, slot, fd, off, len, off);
			if (ret != (int)len && ret != -EAGAIN && !(errors_ok && ret < 0)) {
				printf("# read: %d\n", ret);
				bad = 1;
			}
		}
		fill(want, len, off + seed);
		if (ret == (int)len && memcmp(want, m->map + off, len)) {
			printf("# wrong bytes: %zu at %lld\n", len, (long long)off);
			bad = 1;
		}
	}
	/* Ring exit with I/O in flight. */
	reg(&ring, 0, m->fd, fd, ONE_FILE);
	for (int i = 0; i < 32; i++)
		queue(&ring, false, 0, fd, base, 64 * KIB, base, 0);
	io_uring_submit(&ring);
	if (seed & 8)
		io_uring_queue_exit(&ring);
	return bad;
}

static int stress(const char *spec, const char *path, int secs, const char *reset, int times)
{
	struct mem m = mem_open(spec, 64 * MIB);
	int fd = must_open(path, O_RDWR | O_CREAT), rounds = 0, bad = 0, resets = 0;
	double end = seconds() + secs;
	struct stat st;

	if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
		char *zero = calloc(1, MIB);

		for (size_t off = 0; off < m.size; off += MIB)
			if (pwrite(fd, zero, MIB, off) != (ssize_t)MIB)
				die("write");
		fsync(fd);
		free(zero);
	}
	/* Four processes with eight slots each map the same pages more often than the debug kernel's book has room for.
	 */
	if (!strcmp(getenv("LAB_KERNEL") ? getenv("LAB_KERNEL") : "", "debug"))
		printf("# allow-log: exceeded 7 overlapping mappings|add_dma_entry|Call Trace\n");
	signal(SIGALRM, on_alarm);
	while ((seconds() < end || resets < times) && !bad) {
		pid_t pids[4];
		int i, status;

		for (i = 0; i < 4; i++) {
			pids[i] = fork();
			if (!pids[i])
				_exit(stress_child(&m, path, 3, rounds * 4 + i, !!reset));
		}
		if (reset) {
			for (i = 0; i < 4; i++) {
				int r = must_open(reset, O_WRONLY);

				resets += write(r, "1", 1) == 1;
				close(r);
				usleep(100000);
			}
		}
		if (rounds % 3 == 2) { /* kill -9 */
			usleep(500000);
			for (i = 0; i < 4; i++)
				kill(pids[i], SIGKILL);
		}
		for (i = 0; i < 4; i++) {
			waitpid(pids[i], &status, 0);
			if (WIFEXITED(status) && WEXITSTATUS(status))
				bad = 1;
		}
		rounds++;
	}
	ok(!bad, "rounds of 4 processes", rounds);
	if (reset)
		ok(resets >= times, "resets of the controller", resets);
	return finish();
}

/* ------------------------------------------------------------------ cost */

static double cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static int bench(const char *kind, const char *path, size_t len, int n)
{
	bool plain = !strcmp(kind, "plain"), fixed = !strcmp(kind, "fixed"), nop = !strcmp(kind, "nop");
	const unsigned int depth = len > 128 * KIB ? 4 : 32;
	int fd = must_open(path, O_RDWR | O_DIRECT), ret;
	struct mem m = { .size = depth * len };
	struct iovec iov;
	struct io_uring ring;
	uint64_t base = 0, which;
	int queued = 0, done = 0, bad = 0;
	double start = 0;
	uint32_t rnd = 1;

	ring_open(&ring, depth, 0);
	if (plain || fixed || nop) {
		m.map = host_memory(m.size);
		memset(m.map, 1, m.size);
		base = (uintptr_t)m.map;
		iov = (struct iovec){ m.map, m.size };
		ret = io_uring_register_buffers_update_tag(&ring, 0, &iov, &(__u64){ 0 }, 1);
	} else {
		m = mem_open(kind, m.size);
		ret = reg(&ring, 0, m.fd, fd, ONE_FILE);
	}
	if (ret != 1) {
		errno = -ret;
		die("register");
	}
	for (int warm = n / 4; done < n + warm;) {
		struct io_uring_cqe *cqe;
		unsigned int head, seen = 0;

		while (queued < n + warm && queued - done < (int)depth) {
			off_t off = (rnd = rnd * 1664525 + 1013904223) % (64 * MIB / len) * len;
			uint64_t at = base + queued % depth * len;
			struct io_uring_sqe *sqe;

			if (plain) {
				sqe = io_uring_get_sqe(&ring);
				io_uring_prep_rw(IORING_OP_READ, sqe, fd, (void *)(uintptr_t)at, len, off);
			} else if (nop) {
				io_uring_prep_nop(io_uring_get_sqe(&ring));
			} else {
				queue(&ring, false, 0, fd, at, len, off, queued);
			}
			queued++;
		}
		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe) {
			which = cqe->user_data;
			bad += !nop && cqe->res != (int)len;
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
		if (done < warm && done + (int)seen >= warm) {
			start = cpu();
			n -= done + seen - warm;
			warm = done + seen;
		}
		done += seen;
	}
	(void)which;
	printf("cost: %s %zu: %.1f ns per operation (%d)\n", kind, len, (cpu() - start) / n, n);
	ok(!bad, "all reads done", bad);
	return finish();
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "";

	if (!strcmp(what, "data"))
		return data(argv[2], argv[3]);
	if (!strcmp(what, "files"))
		return files(argv[2], argv[3]);
	if (!strcmp(what, "kind") && argc > 4)
		return kinds_of_files(argv[2], argv[3], argv[4]);
	if (!strcmp(what, "errors"))
		return errors(argv[2], argv[3], argv[4]);
	if (!strcmp(what, "refused"))
		return refused(argv[2], argv[3]);
	if (!strcmp(what, "locked"))
		return locked(argv[2], argv[3]);
	if (!strcmp(what, "full") && argc > 4)
		return full(argv[2], argv[3], argv[4]);
	if (!strcmp(what, "busy"))
		return busy(argv[2], argv[3]);
	if (!strcmp(what, "commands") && argc > 4)
		return commands(argv[2], argv[3], atol(argv[4]));
	if (!strcmp(what, "revoke") && argc > 4)
		return revocations(argv[2], argv[3], atoi(argv[4]));
	if (!strcmp(what, "stress") && argc > 4)
		return stress(argv[2], argv[3], atoi(argv[4]), argv[5], argc > 6 ? atoi(argv[6]) : 0);
	if (!strcmp(what, "bench") && argc > 5)
		return bench(argv[2], argv[3], atol(argv[4]), atoi(argv[5]));
	fprintf(stderr, "usage: see the head of tests/vm/uring-dmabuf.c\n");
	return 2;
}
