/* SPDX-License-Identifier: MIT */
/*
 * What a MiB of TCP costs its receiver, by several methods, in nanoseconds of CPU time: in the lab with --icount
 * instructions. Counted are the receiving thread and those in which its NIC is served (threaded NAPI, as the row
 * has set it), not the sender and its NIC.
 *
 *   devmem-cost SPEC MTU MIB       MiB of each connection
 */
#include "devmem-lib.h"
#include <dirent.h>
#include <time.h>

#define CHUNK (256 * KIB)
#define MAX_NAPI 16
#define FLOWS 16

static char *buf;          /* CHUNK */
static struct devio_mem *dst;
static uint64_t total;
static clockid_t napi[MAX_NAPI];
static int nr_napi;

/* NAPI of a network interface, in threads: they have a time of their own. */
static void find_napi(const char *name)
{
	struct dirent *d;
	DIR *proc = opendir("/proc");

	nr_napi = 0;
	while (proc && (d = readdir(proc))) {
		char path[300], comm[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		f = atoi(d->d_name) ? fopen(path, "re") : NULL;
		if (f && fgets(comm, sizeof(comm), f) && !strncmp(comm, name, strlen(name)) && nr_napi < MAX_NAPI &&
		    !clock_getcpuclockid(atoi(d->d_name), &napi[nr_napi]))
			nr_napi++;
		if (f)
			fclose(f);
	}
	if (proc)
		closedir(proc);
	ok(nr_napi > 0, "NAPI in threads", nr_napi);
}

static double clock_ns(clockid_t id)
{
	struct timespec ts = { 0 };

	if (clock_gettime(id, &ts))
		die("a clock of CPU time");
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double cpu_ns(void)
{
	double ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < nr_napi; i++)
		ns += clock_ns(napi[i]);
	return ns;
}

/* recv(), and a copy into the memory: what programs do without any of this. */
static uint64_t by_recv(int fd)
{
	uint64_t pos = 0;
	char *to;
	ssize_t n;

	must(devio_mem_map(dst, (void **)&to), "devio_mem_map");
	while ((n = recv(fd, buf, CHUNK, 0)) > 0) {
		memcpy(to, buf, (size_t)n);
		pos += (uint64_t)n;
	}
	return pos;
}

/* The kernel's interface, as its own ncdevmem uses it. */
static uint64_t by_hand(int fd)
{
	static char control[256 * CMSG_SPACE(sizeof(struct fragment))];
	struct token tokens[128];
	uint64_t pos = 0;
	ssize_t n;

	for (;;) {
		struct iovec iov = { buf, CHUNK };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				      .msg_controllen = sizeof(control) };
		unsigned int k = 0;

		n = recvmsg(fd, &msg, MSG_SOCK_DEVMEM);
		if (n <= 0)
			break;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			struct fragment f;

			if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_DEVMEM_DMABUF)
				continue;
			memcpy(&f, CMSG_DATA(c), sizeof(f));
			if (k == 128) {
				(void)setsockopt(fd, SOL_SOCKET, SO_DEVMEM_DONTNEED, tokens, sizeof(tokens));
				k = 0;
			}
			tokens[k++] = (struct token){ f.token, 1 };
		}
		if (k)
			(void)setsockopt(fd, SOL_SOCKET, SO_DEVMEM_DONTNEED, tokens, k * sizeof(tokens[0]));
		pos += (uint64_t)n;
	}
	return pos;
}

static struct devio_sock *import(int fd)
{
	struct devio_sock *s;

	must(devio_sock_import(ctx, fd, NULL, &s), "devio_sock_import");
	return s;
}

static uint64_t by_frags(int fd)
{
	struct devio_sock *s = import(fd);
	struct devio_frag f[256];
	uint64_t pos = 0;
	int n;

	while ((n = devio_sock_recv_frags(s, f, 256, CHUNK, -1)) > 0) {
		for (int i = 0; i < n; i++)
			pos += f[i].len;
		must(devio_sock_release(s, f, (unsigned int)n), "devio_sock_release");
	}
	devio_sock_close(s);
	return pos;
}

static uint64_t in_place(int fd)
{
	struct devio_sock *s = import(fd);
	uint64_t pos = 0;
	ssize_t n;

	while ((n = devio_sock_recv(s, dst, 0, MIB, NULL)) > 0)
		pos += (uint64_t)n;
	must((int)n, "devio_sock_recv");
	devio_sock_close(s);
	return pos;
}

/* Over several connections, as the queues of each, and so the number of threads that serve it, depend on its port. */
static void measure(const char *what, uint64_t (*receive_from)(int fd))
{
	struct peer p = { .bytes = total / FLOWS, .port = 4995 };
	int listener = listen_on(true, p.port), fd;
	double before, spent = 0;
	uint64_t got = 0;

	find_napi("napi/eth0-");
	for (int i = 0; i < FLOWS; i++) {
		peer_start(&p);
		fd = accept(listener, NULL, NULL);
		before = cpu_ns();
		got += receive_from(fd);
		spent += cpu_ns() - before;
		pthread_join(p.thread, NULL);
		close(fd);
	}
	printf("cost %s %.0f\n", what, spent / ((double)got / MIB));
	ok(got == total, what, (long)got);
	close(listener);
}

int main(int argc, char **argv)
{
	struct devio_mem *area;
	struct devio_nic *n;

	if (argc != 4) {
		fprintf(stderr, "usage: devmem-cost SPEC MTU MIB\n");
		return 2;
	}
	begin();
	set_mtu(atoi(argv[2]));
	total = strtoull(argv[3], NULL, 0) * FLOWS * MIB;
	buf = host_memory(CHUNK);
	dst = memory(argv[1], MIB);
	area = memory(argv[1], AREA);
	measure("warm-up", by_recv);
	measure("recv-copy", by_recv);
	measure("recv-copy", by_recv);
	n = set_up(area);
	for (int i = 0; i < 2; i++) {
		measure("by-hand", by_hand);
		measure("pieces", by_frags);
		measure("in-place", in_place);
	}
	devio_nic_close(n);
	return finish();
}
