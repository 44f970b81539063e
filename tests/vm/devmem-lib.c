/* SPDX-License-Identifier: MIT */
/*
 * What tests/vm/devmem-tcp does with system calls, by the library: the same wire, the
 * same other end. All bytes are compared where they end up, read back by
 * devio_mem_copy_out(), and what went through the CPU is counted.
 *
 *   devmem-lib rx SPEC MTU      received in place, and as pieces where they lie
 *   devmem-lib buffers SPEC     receive buffers of several sizes
 *   devmem-lib late SPEC         the NIC is set up when the connection exists already
 *   devmem-lib tx SPEC MTU      sent from the memory itself
 *   devmem-lib slow SPEC        pieces that are kept: the cap, and stale tokens
 *   devmem-lib stuck SPEC       sends to a peer that reads nothing: a time-out, and a ring that is closed
 *   devmem-lib revoke SPEC      vfio: the memory is revoked while receiving and sending
 *   devmem-lib rules SPEC       steered by rules, on a NIC that takes them
 *   devmem-lib undo SPEC        a close, an error, a kill -9: as it was before
 *   devmem-lib errors SPEC      what is refused, and why
 *   devmem-lib unreachable SPEC  memory that the NIC cannot reach
 *   devmem-lib state SPEC       what the interface is set to, for scripts
 *   devmem-lib zcrx-... SPEC    sock-zcrx: see devmem-lib-zcrx.c
 */
#include "devmem-lib.h"


static void print_stats(const char *what, const struct devio_nic *n, double start, uint64_t bytes)
{
	struct devio_nic_info i = DEVIO_OPTS(i);
	struct devio_stat st = DEVIO_OPTS(st);

	must(devio_stat_get(ctx, &st), "devio_stat_get");
	printf("# %s: %lu bytes in %.1f s; so far linear %lu, pieces %lu of %lu bytes, returned %lu, sock-devmem "
	       "copied %lu\n",
	       what, (long)bytes, seconds() - start, (long)st.linear, (long)st.frags, (long)st.frag_bytes,
	       (long)st.returned, (long)st.path[DEVIO_PATH_SOCK_DEVMEM].copied);
	if (n && !devio_nic_get_info((struct devio_nic *)n, &i))
		printf("# queue %u of %s: binding %u, packets %ld, alloc_fail %ld, inflight %ld\n", i.queue, i.ifname,
		       i.binding, (long)i.packets, (long)i.alloc_fail, (long)i.inflight);
	ok(st.frags == st.returned, "every piece was returned", st.frags - st.returned);
}

static uint64_t linear_bytes(void)
{
	struct devio_stat st = DEVIO_OPTS(st);

	must(devio_stat_get(ctx, &st), "devio_stat_get");
	return st.linear;
}

/* Does the device copy by itself? Then the CPU touches linear bytes only. */
static bool has_engine(struct devio_mem *m)
{
	struct devio_mem_info i = DEVIO_OPTS(i);

	must(devio_mem_get_info(m, &i), "devio_mem_get_info");
	return i.caps & DEVIO_MEM_ASYNC_COPY;
}

/* Operations of any size in flight, into a memory of the same kind. */
static void in_place(struct devio_nic *n, const char *spec, uint64_t bytes, bool odd)
{
	struct peer p = { .bytes = bytes, .odd = odd, .port = odd ? 4981 : 4980 };
	struct devio_mem *dst = memory(spec, 4 * BLOCK);
	int listener = listen_on(true, p.port), wrong = 0, devmem = 0, ops = 0;
	struct devio_completion done;
	double start = seconds();
	struct devio_sock *s;
	uint64_t pos = 0, copied = 0, linear = linear_bytes();
	ssize_t ret = 1;

	peer_start(&p);
	s = take(listener);
	while (ret > 0) {
		uint64_t off = (pos * 7) % (3 * BLOCK), len = odd ? 1 + pos % (BLOCK - 1) : BLOCK;

		ret = devio_sock_recv(s, dst, off, len, &done);
		if (ret < 0)
			printf("# %s\n", devio_errmsg());
		if (ret <= 0)
			break;
		wrong += !memory_right(dst, off, pos, (uint32_t)ret);
		devmem += done.path == DEVIO_PATH_SOCK_DEVMEM;
		ops++;
		pos += (uint64_t)ret;
		copied += done.copied;
	}
	pthread_join(p.thread, NULL);
	print_stats(odd ? "in place, odd" : "in place", n, start, pos);
	printf("# %d operations, %d by sock-devmem; gathered by the CPU: %lu\n", ops, devmem, (long)copied);
	ok(!ret && pos == bytes, "the stream came whole", ret ? ret : (long)pos);
	ok(!wrong, "every byte in its place", wrong);
	ok(odd || devmem == ops, "all by sock-devmem", devmem);
	linear = linear_bytes() - linear;
	ok(has_engine(dst) ? copied == linear : copied >= linear,
	   "gathered by the engine, or by the CPU where there is none", (long)copied - (long)linear);
	devio_sock_close(s);
	devio_mem_free(dst);
	close(listener);
}

uint32_t as_pieces(struct devio_nic *n, uint64_t bytes)
{
	struct peer p = { .bytes = bytes, .port = 4982 };
	int listener = listen_on(true, p.port), wrong = 0, ret;
	uint64_t pos = 0, linear = 0, frags = 0, calls = 0;
	double start = seconds();
	struct devio_frag f[256];
	struct devio_sock *s;
	uint32_t longest = 0;

	peer_start(&p);
	s = take(listener);
	while ((ret = devio_sock_recv_frags(s, f, 256, UINT64_MAX, 20000000000)) > 0) {
		calls++;
		for (int i = 0; i < ret; i++) {
			wrong += !(f[i].mem ? memory_right(f[i].mem, f[i].off, pos, f[i].len)
					    : same(f[i].host, pos, f[i].len));
			linear += f[i].mem ? 0 : f[i].len;
			frags += !!f[i].mem;
			longest = f[i].mem && f[i].len > longest ? f[i].len : longest;
			pos += f[i].len;
		}
		must(devio_sock_release(s, f, (unsigned int)ret), "devio_sock_release");
	}
	pthread_join(p.thread, NULL);
	print_stats("pieces", n, start, pos);
	printf("# %lu pieces in %lu calls; copied: %lu linear bytes of %lu\n", (long)frags, (long)calls, (long)linear,
	       (long)pos);
	ok(!ret && pos == bytes, "the stream came whole", ret ? ret : (long)pos);
	ok(!wrong, "every byte where it was said to be", wrong);
	ok(linear * 20 < bytes, "nothing was copied but a few linear bytes", linear);
	devio_sock_close(s);
	close(listener);
	return longest;
}

static int test_rx(const char *spec, int mtu)
{
	struct devio_mem *area = memory(spec, AREA);
	struct devio_nic *n;

	set_mtu(mtu);
	n = set_up(area);
	as_pieces(n, 16 * MIB);
	pieces_on_ring(n, 16 * MIB);
	in_place(n, spec, 32 * MIB, false);
	in_place(n, spec, 6 * MIB, true);
	devio_nic_close(n);
	devio_mem_free(area);
	set_mtu(1500);
	return finish();
}

static void send_all(const char *spec, uint64_t bytes, bool odd)
{
	struct peer p = { .receives = true, .port = odd ? 4984 : 4983 };
	int listener = listen_on(true, p.port), by = 0, ops = 0;
	struct devio_mem *src = memory(spec, PERIOD);
	struct devio_completion done;
	double start = seconds();
	struct devio_sock *s;
	uint64_t pos = 0, copied = 0;
	ssize_t ret = 0;

	must(devio_mem_copy_in(src, 0, pattern, PERIOD), "devio_mem_copy_in");
	peer_start(&p);
	s = take(listener);
	for (size_t i = 0; pos < bytes && ret >= 0; i++) {
		uint64_t len = odd ? next_size(i) : 512 * KIB;

		len = len < bytes - pos ? len : bytes - pos;
		len = len < PERIOD - pos % PERIOD ? len : PERIOD - pos % PERIOD;
		ret = devio_sock_send(s, src, pos % PERIOD, len, &done);
		if (ret < 0)
			printf("# %s\n", devio_errmsg());
		pos += ret > 0 ? (uint64_t)ret : 0;
		copied += done.copied;
		by += done.path == DEVIO_PATH_SOCK_DEVMEM;
		ops++;
	}
	ok(ret >= 0, "all was sent", ret);
	must(devio_sock_shutdown(s, DEVIO_SHUT_SEND), "shutdown");
	pthread_join(p.thread, NULL);
	printf("# %lu bytes in %d sends, %d by sock-devmem, copied %lu, %.1f s\n", (long)pos, ops, by, (long)copied,
	       seconds() - start);
	ok(p.done == bytes && !p.error, "the peer got every byte", p.error ? p.error : (long)p.done);
	ok(by == ops && !copied, "nothing was copied", copied);
	devio_sock_close(s);
	devio_mem_free(src);
	close(listener);
}

/* Many in flight, and the memory is not free before its completion. */
static void send_ring(const char *spec)
{
	struct peer p = { .receives = true, .port = 4985 };
	struct sending t = sending_start(spec, &p);
	struct devio_completion done[16];
	int n = 0, bad = 0, got;

	sending_queue(&t, 64);
	while (n < 64 && (got = devio_ring_wait(t.ring, done, 1, 16, 30000000000)) > 0)
		for (int i = 0; i < got; i++, n++)
			bad += done[i].cookie != (uint64_t)n || done[i].result != PERIOD ||
			       done[i].path != DEVIO_PATH_SOCK_DEVMEM;
	ok(n == 64 && !bad, "64 sends complete, in order", n);
	devio_ring_close(t.ring);
	devio_sock_shutdown(t.s, DEVIO_SHUT_SEND);
	pthread_join(p.thread, NULL);
	ok(p.done == 64 * (uint64_t)PERIOD && !p.error, "the peer got every byte", p.error ? p.error : (long)p.done);
	sending_end(&t);
}

static int test_tx(const char *spec, int mtu)
{
	set_mtu(mtu);
	send_all(spec, 32 * MIB, false);
	send_all(spec, 2 * MIB, true);
	send_ring(spec);
	set_mtu(1500);
	return finish();
}

/* One that keeps what it gets: its share is all it can have. */
static int test_slow(const char *spec)
{
	static struct devio_frag kept[1 << 14];
	struct devio_mem *area = memory(spec, 4 * MIB);
	struct devio_nic *n = set_up(area);
	struct peer p = { .bytes = 12 * MIB, .port = 4986 };
	int listener = listen_on(true, p.port), k = 0, ret, capped = 0, wrong = 0;
	struct devio_frag old = { 0 };
	struct devio_sock *s;
	uint64_t pos = 0;

	peer_start(&p);
	s = take(listener);
	for (;;) {
		ret = devio_sock_recv_frags(s, kept + k, 256, UINT64_MAX, 3000000000);
		if (!ret)
			break;
		if (ret < 0) {
			capped += ret == -ENOBUFS;
			if ((ret != -ENOBUFS && ret != -EAGAIN) || !k)
				break;
			old = kept[0];
			must(devio_sock_release(s, kept, (unsigned int)k), "devio_sock_release");
			wrong += devio_sock_release(s, &old, 1) != -ESTALE && old.token;
			k = 0;
			continue;
		}
		for (int i = 0; i < ret; i++, pos += kept[k++].len)
			wrong += kept[k].mem ? !memory_right(kept[k].mem, kept[k].off, pos, kept[k].len) : 0;
	}
	if (ret < 0)
		printf("# %s\n", devio_errmsg());
	ok(!ret && pos == p.bytes, "the stream came whole", ret ? ret : (long)pos);
	ok(capped > 0, "the cap was the limit", capped);
	ok(!wrong, "bytes right, stale tokens refused", wrong);
	must(devio_sock_release(s, kept, (unsigned int)k), "devio_sock_release");
	pthread_join(p.thread, NULL);
	print_stats("slow", n, seconds(), pos);
	devio_sock_close(s);
	devio_nic_close(n);
	close(listener);
	return finish();
}

static int print_state(const char *spec)
{
	static char now[8192];

	(void)spec;
	nic_state(now, sizeof(now));
	printf("state: %s\n", now);
	return 0;
}

static int test_undo(const char *spec)
{
	struct devio_mem *area = memory(spec, 4 * MIB);
	static char before[8192], during[8192], after[8192];
	int to_child[2];
	char c;

	nic_state(before, sizeof(before));
	struct devio_nic *n = set_up(area);

	nic_state(during, sizeof(during));
	ok(strcmp(before, during), "it was changed", 0);
	is(devio_nic_open(ctx, NIC, area, NULL, &n), -EBUSY, "a second time");
	printf("# %s\n", devio_errmsg());
	is(devio_nic_restore(ctx, NULL), 0, "an open NIC is not restored");
	devio_nic_close(n);
	nic_state(after, sizeof(after));
	ok(!strcmp(before, after), "as before, after a close", 0);
	if (pipe(to_child))
		die("pipe");
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (!child) {
			must(devio_ctx_open(NULL, &ctx), "ctx");
			set_up(memory(spec, 4 * MIB));
			if (write(to_child[1], "x", 1) != 1)
				_exit(1);
			pause();
		}
		if (read(to_child[0], &c, 1) != 1)
			die("read");
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		if (i < 2) {
			is(devio_nic_restore(ctx, i ? NIC : NULL), 1, "restored after a kill");
		} else {
			n = set_up(area); /* the next run does it by itself */
			devio_nic_close(n);
		}
		nic_state(after, sizeof(after));
		ok(!strcmp(before, after), "as before, after a kill", i);
	}
	if (strcmp(before, after))
		printf("# before: %.300s\n# after: %.300s\n", before, after);
	is(devio_nic_restore(ctx, NULL), 0, "nothing left");
	devio_mem_free(area);
	return finish();
}

static int test_errors(const char *spec)
{
	struct devio_mem *area = memory(spec, MIB), *host = memory("host", MIB);
	static char before[8192], after[8192];
	struct devio_nic_opts o = DEVIO_OPTS(o);
	struct devio_nic *n;

	nic_state(before, sizeof(before));
	is(devio_nic_open(ctx, "none0", area, NULL, &n), -ENODEV, "no such interface");
	printf("# %s\n", devio_errmsg());
	is(devio_nic_open(ctx, "lo", area, NULL, &n), -EOPNOTSUPP, "a virtual one");
	printf("# %s\n", devio_errmsg());
	is(devio_nic_open(ctx, NIC, host, NULL, &n), -EOPNOTSUPP, "memory without a dma-buf");
	printf("# %s\n", devio_errmsg());
	o.queues = 500;
	o.steer = DEVIO_STEER_RSS;
	is(devio_nic_open(ctx, NIC, area, &o, &n), -EOPNOTSUPP, "more queues than there are");
	printf("# %s\n", devio_errmsg());
	o.queues = 1;
	o.steer = 77;
	is(devio_nic_open(ctx, NIC, area, &o, &n), -EINVAL, "unknown steering");
	nic_state(after, sizeof(after));
	ok(!strcmp(before, after), "nothing was changed", 0);
	devio_mem_free(host);
	devio_mem_free(area);
	return finish();
}

/* Memory that the NIC cannot reach: refused with the cause, by both paths, and all as it was. */
static int test_unreachable(const char *spec)
{
	struct devio_mem *area = memory(spec, MIB);
	static char before[8192], after[8192];
	struct devio_nic_opts o = DEVIO_OPTS(o);
	struct devio_nic *n;

	nic_state(before, sizeof(before));
	is(devio_nic_open(ctx, NIC, area, NULL, &n), -EINVAL, "sock-devmem");
	printf("# %s\n", devio_errmsg());
	ok(!!strstr(devio_errmsg(), "cannot reach that memory"), "and the cause is named", 0);
	o.ring = zc_ring();
	is(devio_nic_open(ctx, NIC, area, &o, &n), -EINVAL, "sock-zcrx");
	printf("# %s\n", devio_errmsg());
	ok(!!strstr(devio_errmsg(), "cannot reach the memory"), "and what may be the cause", 0);
	devio_ring_close(o.ring);
	nic_state(after, sizeof(after));
	ok(!strcmp(before, after), "nothing was changed", 0);
	devio_mem_free(area);
	return finish();
}

static const struct { const char *name; int (*test)(const char *spec); } tests_of_spec[] = {
	{ "buffers", test_buffers }, { "late", test_late }, { "slow", test_slow }, { "stuck", test_stuck },
	{ "revoke", test_revoked }, { "rules", test_rules }, { "undo", test_undo }, { "errors", test_errors },
	{ "unreachable", test_unreachable }, { "state", print_state },
};

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "", *spec = argc > 2 ? argv[2] : "";
	int mtu = argc > 3 ? atoi(argv[3]) : 1500;

	begin();
	if (!strcmp(what, "rx"))
		return test_rx(spec, mtu);
	if (!strcmp(what, "tx"))
		return test_tx(spec, mtu);
	if (!strncmp(what, "zcrx-", 5))
		return test_zc(what + 5, spec, mtu);
	for (size_t i = 0; i < sizeof(tests_of_spec) / sizeof(tests_of_spec[0]); i++)
		if (!strcmp(what, tests_of_spec[i].name))
			return tests_of_spec[i].test(spec);
	fprintf(stderr, "usage: see the top of tests/vm/devmem-lib.c\n");
	return 2;
}
