/* SPDX-License-Identifier: MIT */
/* tests/vm/devmem-lib: pieces as completions of a ring, and a NIC that is set up when the connection exists already. */
#include "devmem-lib.h"

#define FLIGHT 4
#define HOST_BYTES (64 * KIB)
#define PIECES 64

struct flight {
	struct devio_frag frags[PIECES];
	char host[HOST_BYTES];
};

static void start(struct devio_ring *r, struct devio_sock *s, struct flight *f, uint64_t cookie)
{
	struct devio_frags_io io = DEVIO_OPTS(io);

	io.sock = s;
	io.frags = f->frags;
	io.max = PIECES;
	io.host = f->host;
	io.bytes = HOST_BYTES;
	io.cookie = cookie;
	must(devio_ring_recv_frags(r, &io), "devio_ring_recv_frags");
}

static bool frag_right(const struct devio_frag *f, uint64_t pos)
{
	return f->mem ? memory_right(f->mem, f->off, pos, f->len) : same(f->host, pos, f->len);
}

/* Several receives in flight, their pieces checked and released some completions later, by another thread's call. */
void pieces_on_ring(struct devio_nic *n, uint64_t bytes)
{
	static struct flight flight[FLIGHT];
	struct peer p = { .bytes = bytes, .port = 4991 };
	int listener = listen_on(true, p.port), wrong = 0, got = 1;
	uint64_t pos = 0, linear = 0, next = 0;
	struct devio_completion c = { .result = 1 };
	struct devio_ring *r;
	struct devio_sock *s;

	(void)n;
	peer_start(&p);
	s = take(listener);
	must(devio_ring_open(ctx, NULL, &r), "ring");
	for (uint64_t i = 0; i < FLIGHT; i++)
		start(r, s, &flight[i], i);
	while ((got = devio_ring_wait(r, &c, 1, 1, 20000000000)) == 1 && c.result > 0) {
		struct flight *f = &flight[c.cookie % FLIGHT];
		uint64_t sum = 0;

		wrong += c.cookie != next++ || !c.frags;
		for (uint32_t i = 0; i < c.frags; i++) {
			wrong += !frag_right(&f->frags[i], pos + sum);
			linear += f->frags[i].mem ? 0 : f->frags[i].len;
			sum += f->frags[i].len;
		}
		wrong += sum != (uint64_t)c.result;
		pos += sum;
		must(devio_sock_release(s, f->frags, c.frags), "devio_sock_release");
		start(r, s, f, c.cookie + FLIGHT);
	}
	pthread_join(p.thread, NULL);
	printf("# on a ring: %lu bytes, %lu of them linear, %lu completions\n", (long)pos, (long)linear, (long)next);
	ok(got == 1 && !c.result && pos == bytes, "the stream came whole", got == 1 ? (long)c.result : got);
	ok(!wrong, "pieces in order, every byte where it was said to be", wrong);
	ok(linear * 20 < bytes, "nothing was copied but a few linear bytes", linear);
	devio_ring_close(r);
	devio_sock_close(s);
	close(listener);
}

/* The connection begins in ordinary memory; what the NIC puts elsewhere from then on is not lost. */
int test_late(const char *spec)
{
	struct devio_mem *area = memory(spec, AREA), *dst = memory("host", MIB);
	struct peer p = { .bytes = 24 * MIB, .port = 4992 };
	int listener = listen_on(true, p.port), wrong = 0, unreadable = 0, devmem = 0;
	struct devio_sock_io io = DEVIO_OPTS(io);
	struct devio_range range = { .mem = dst, .len = MIB };
	struct devio_nic *n = NULL;
	struct devio_completion c;
	struct devio_ring *r;
	struct devio_sock *s;
	uint64_t pos = 0;

	peer_start(&p);
	s = take(listener);
	must(devio_ring_open(ctx, NULL, &r), "ring");
	io.sock = s;
	io.ranges = &range;
	io.nr_ranges = 1;
	do {
		/* Now and then by a path that cannot. */
		io.path = n && pos % 3 == 0 && !unreadable ? DEVIO_PATH_SOCK_BOUNCE : 0;
		must(devio_ring_sock_io(r, &io), "devio_ring_sock_io");
		if (devio_ring_wait(r, &c, 1, 1, 30000000000) != 1)
			break;
		unreadable += c.result == -EFAULT && c.reason == DEVIO_REASON_NET_UNREADABLE;
		if (c.result < 0 && c.result != -EFAULT)
			break;
		wrong += c.good && !memory_right(dst, 0, pos, (uint32_t)c.good);
		devmem += c.path == DEVIO_PATH_SOCK_DEVMEM;
		pos += c.good;
		if (!n)
			n = set_up(area);
	} while (c.result);
	pthread_join(p.thread, NULL);
	printf("# %lu bytes, the last result %ld; %d by sock-devmem, %d refused\n", (long)pos, (long)c.result, devmem,
	       unreadable);
	ok(pos == p.bytes, "the stream came whole", (long)pos);
	ok(!wrong, "every byte in its place", wrong);
	ok(devmem > 0, "by sock-devmem after a while", devmem);
	ok(unreadable > 0, "another path says that it cannot, and loses nothing", unreadable);
	devio_ring_close(r);
	devio_sock_close(s);
	devio_nic_close(n);
	devio_mem_free(dst);
	devio_mem_free(area);
	close(listener);
	return finish();
}
