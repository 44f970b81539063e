/* SPDX-License-Identifier: MIT */
/* tests/vm/devmem-lib: a peer that reads nothing, and memory that is revoked. */
#include "devmem-lib.h"

/* What the kernel has is released only with the connection, and then at once. */
static void stuck_ring(struct devio_mem *src, int port, int64_t idle)
{
	struct peer p = { .bytes = 1ull << 40, .port = port }; /* it sends, and reads nothing */
	struct devio_sock_opts o = DEVIO_OPTS(o);
	struct devio_completion done[16];
	int listener = listen_on(true, port), got = 0, n = 0, late = 0;
	struct devio_ring *r;
	struct devio_sock *s;
	double start;

	peer_start(&p);
	o.flags = DEVIO_SOCK_OWN_FD;
	o.idle_ns = idle;
	must(devio_sock_import(ctx, accept(listener, NULL, NULL), &o, &s), "devio_sock_import");
	must(devio_ring_open(ctx, NULL, &r), "ring");
	for (int i = 0; i < 16; i++)
		must(devio_ring_send(r, s, src, 0, PERIOD, (uint64_t)i), "devio_ring_send");
	while (n < 16 && (got = devio_ring_wait(r, done, 1, 16, idle ? 20000000000 : 3000000000)) > 0)
		for (int i = 0; i < got; i++, n++)
			late += done[i].result == -ETIMEDOUT && done[i].reason == DEVIO_REASON_TIMEOUT;
	start = seconds();
	printf("# %d sends completed, %d of them too late; then %d %s\n", n, late, got, got < 0 ? devio_errmsg() : "");
	devio_ring_close(r);
	ok(seconds() - start < 5, idle ? "a time-out" : "a ring that is closed", (long)(seconds() - start));
	ok(idle ? n == 16 && late > 0 : n < 16, "those that could not go on", late);
	devio_sock_close(s);
	p.stop = true;
	pthread_join(p.thread, NULL);
	ok(p.error == ECONNRESET || p.error == EPIPE, "the peer got a reset", p.error);
	close(listener);
}

int test_stuck(const char *spec)
{
	struct devio_mem *src = memory(spec, PERIOD);

	must(devio_mem_copy_in(src, 0, pattern, PERIOD), "devio_mem_copy_in");
	stuck_ring(src, 4987, 0);
	stuck_ring(src, 4988, 2000000000);
	devio_mem_free(src);
	return finish();
}

/* The library's descriptor of the device, by which the test revokes the memory. */
static int device_fd(void)
{
	char path[64], target[256];

	for (int fd = 3; fd < 256; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		if (strstr(target, "vfio-device") || strstr(target, "/dev/vfio/devices/"))
			return fd;
	}
	die("no device");
	return -1;
}

void bar_memory(bool on)
{
	const off_t command = (7ull << 40) + 4; /* the configuration space's region */
	int fd = device_fd();
	uint16_t value;

	if (pread(fd, &value, 2, command) != 2)
		die("PCI_COMMAND");
	value = on ? value | 2 : value & ~2;
	if (pwrite(fd, &value, 2, command) != 2)
		die("PCI_COMMAND");
}

static void revoke_receiving(const char *spec)
{
	struct devio_mem *area = memory(spec, AREA);
	struct devio_nic *n = set_up(area);
	struct peer p = { .bytes = 1ull << 40, .port = 4989 };
	int listener = listen_on(true, p.port), ret = 0;
	struct devio_frag f[256];
	uint64_t bytes = 0;
	double start = seconds();
	bool gone = false, linear = false;
	struct devio_sock *s;

	peer_start(&p);
	s = take(listener);
	while (seconds() < start + 100 && !linear) {
		ret = devio_sock_recv_frags(s, f, 256, UINT64_MAX, 1000000000);
		if (ret == -EAGAIN)
			continue;
		if (ret <= 0)
			break;
		for (int i = 0; i < ret; i++) {
			bytes += f[i].len;
			linear |= gone && !f[i].mem && f[i].len > 1000;
		}
		(void)devio_sock_release(s, f, (unsigned int)ret);
		if (bytes > 4 * MIB && !gone) {
			bar_memory(false);
			gone = true;
		}
	}
	printf("# %lu bytes, then %d: %s\n", (long)bytes, ret, linear ? "ordinary memory" : devio_errmsg());
	ok(gone && (linear || ret == -ENODEV), "revoked while receiving", ret);
	if (ret == -ENODEV)
		is(devio_sock_recv_frags(s, f, 256, UINT64_MAX, 0), -ENODEV, "and it stays so");
	p.stop = true;
	devio_sock_close(s);
	pthread_join(p.thread, NULL);
	devio_nic_close(n);
	is(devio_nic_restore(ctx, NULL), 0, "nothing left");
	bar_memory(true);
	devio_mem_free(area);
	close(listener);
}

static void revoke_sending(const char *spec)
{
	struct peer p = { .receives = true, .port = 4990 };
	struct sending t = sending_start(spec, &p);
	struct devio_completion done[64];
	int n = 0, revoked = 0, got;

	sending_queue(&t, 64);
	while (n < 64 && (got = devio_ring_wait(t.ring, done, 1, 64, 20000000000)) > 0) {
		for (int i = 0; i < got; i++)
			revoked += done[i].result < 0 && done[i].reason == DEVIO_REASON_REVOKED;
		if (!n)
			bar_memory(false);
		n += got;
	}
	is(n, 64, "all sends complete");
	ok(revoked > 0, "with the reason", revoked);
	devio_ring_close(t.ring);
	devio_sock_close(t.s);
	t.s = NULL;
	pthread_join(p.thread, NULL);
	ok(p.error != EILSEQ, "the peer got nothing wrong", p.error);
	bar_memory(true);
	sending_end(&t);
}

int test_revoked(const char *spec)
{
	revoke_receiving(spec);
	revoke_sending(spec);
	return finish();
}
