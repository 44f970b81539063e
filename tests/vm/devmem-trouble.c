/* SPDX-License-Identifier: MIT */
/*
 * Trouble on the wire, by the library: every operation ends with the right bytes or an
 * error that says why, and afterwards the interface is as it was and no buffer is missing.
 *
 *   devmem-trouble loss SPEC     packets lost, doubled and out of order, receiving and sending
 *   devmem-trouble many SPEC     64 connections at once, as pieces and on a ring
 *   devmem-trouble slow SPEC     one that returns nothing beside one that does
 *   devmem-trouble reset SPEC    the peer resets in the middle, receiving and sending
 *   devmem-trouble link SPEC     either end's link down and up, and the other one's for good
 *   devmem-trouble nic SPEC      ring sizes, MTU, negotiation, other bindings, resets; some while sending
 *   devmem-trouble sleep SPEC    the machine's devices suspended and resumed
 *   devmem-trouble errors SPEC   PCI errors of the NIC, with and without a reset of its link
 *   devmem-trouble kill SPEC     kill -9 in the middle; the NIC is good for others before and behind the restore
 */
#include "devmem-trouble.h"

static char before[8192];

/* A connection whose pieces are checked and returned. */
int step(struct lane *l, int64_t timeout)
{
	struct devio_frag f[256];
	int ret = devio_sock_recv_frags(l->s, f, 256, UINT64_MAX, timeout);

	for (int i = 0; i < ret; l->pos += f[i++].len) {
		l->wrong += !(f[i].mem ? memory_right(f[i].mem, f[i].off, l->pos, f[i].len) :
					 same(f[i].host, l->pos, f[i].len));
		l->linear += f[i].mem ? 0 : f[i].len;
	}
	if (ret > 0)
		must(devio_sock_release(l->s, f, (unsigned int)ret), "devio_sock_release");
	return ret;
}

int run_lane(struct lane *l, int64_t timeout)
{
	int ret;

	do
		ret = step(l, timeout);
	while (ret > 0);
	if (ret < 0)
		printf("# after %lu bytes: %s\n", (long)l->pos, devio_errmsg());
	return ret;
}

/* Devices that have a dma-buf attached: what the NIC, or a packet somewhere, still uses. */
static int attached(void)
{
	FILE *f = fopen("/sys/kernel/debug/dma_buf/bufinfo", "r");
	char line[256];
	int n, all = 0;

	if (!f)
		die("debugfs: dma_buf/bufinfo");
	while (fgets(line, sizeof(line), f))
		if (strstr(line, " devices attached") && sscanf(line, "Total %d", &n) == 1)
			all += n;
	fclose(f);
	return all;
}

static void print_nic(const struct devio_nic *n, const char *what)
{
	struct devio_nic_info i = DEVIO_OPTS(i);

	must(devio_nic_get_info((struct devio_nic *)n, &i), "devio_nic_get_info");
	printf("# %s: %ld packets, alloc_fail %ld\n", what, (long)i.packets, (long)i.alloc_fail);
}

static struct devio_nic *start_with(struct devio_mem **area, const char *spec)
{
	struct devio_nic *n;

	nic_state(before, sizeof(before));
	*area = memory(spec, AREA);
	n = set_up(*area);
	print_nic(n, "at first");
	return n;
}

static void plain_stream(const char *what)
{
	static int port = 4800;
	struct peer p = { .bytes = 2 * MIB, .port = ++port };
	int listener = listen_on(true, p.port), fd;
	char *buf = host_memory(256 * KIB);
	uint64_t pos = 0;
	bool good = true;
	ssize_t ret;

	peer_start(&p);
	fd = accept(listener, NULL, NULL);
	while ((ret = recv(fd, buf, 256 * KIB, 0)) > 0) {
		good &= same(buf, pos, (size_t)ret);
		pos += (uint64_t)ret;
	}
	pthread_join(p.thread, NULL);
	ok(!ret && good && pos == p.bytes, what, (long)pos);
	close(fd);
	close(listener);
	free(buf);
}

static void nothing_left(void)
{
	static char after[8192];
	int n = -1;

	nic_state(after, sizeof(after));
	ok(!strcmp(before, after), "the interface is as it was before", 0);
	if (strcmp(before, after))
		printf("# before: %.300s\n# after: %.300s\n", before, after);
	is(devio_nic_restore(ctx, NULL), 0, "no journal is left");
	/* Buffers of packets are freed with them, and the pool a second later. */
	for (int i = 0; i < 100 && n; i++) {
		n = attached();
		if (n)
			usleep(100000);
	}
	is(n, 0, "no buffer is in use");
	plain_stream("plain TCP afterwards");
}

/* A fresh stream shows that no buffers were lost; then all is restored. */
static void end_with(struct devio_nic *n, struct devio_mem *area)
{
	struct peer p = { .bytes = 8 * MIB, .port = 4790 };
	int listener = listen_on(true, p.port), ret;
	struct devio_nic_info i = DEVIO_OPTS(i);
	struct lane l = { .s = NULL };

	await_link();
	peer_start(&p);
	l.s = take(listener);
	ret = run_lane(&l, 20000000000);
	pthread_join(p.thread, NULL);
	ok(!ret && l.pos == p.bytes && !l.wrong, "a stream afterwards", ret ? ret : (long)l.pos);
	devio_sock_close(l.s);
	close(listener);
	print_nic(n, "at last");
	must(devio_nic_get_info(n, &i), "devio_nic_get_info");
	/* The NIC's and those in the pool's caches, which no packet has. */
	ok(i.inflight * 4096 < AREA / 2, "the buffers are not used up", (long)i.inflight);
	devio_nic_close(n);
	devio_mem_free(area);
	nothing_left();
}

/* ---------------------------------------------------------------------- loss */

#define NETEM "root netem delay 2ms 1ms loss 2%% duplicate 2%% reorder 25%%"

static bool were_lost(const char *where)
{
	char line[256];

	snprintf(line, sizeof(line), "%s | tee /dev/stderr | grep -q 'dropped [1-9]'", where);
	return !system(line);
}

static void receive_lossy(const char *spec)
{
	struct peer p[2] = { { .bytes = 8 * MIB, .port = 4801 }, { .bytes = 2 * MIB, .port = 4802, .odd = true } };
	struct devio_mem *dst = memory(spec, MIB);

	for (int i = 0; i < 2; i++) {
		int listener = listen_on(true, p[i].port), ret, wrong = 0;
		struct lane l = { .s = NULL };
		ssize_t got = 1;

		peer_start(&p[i]);
		l.s = take(listener);
		/* Pieces first, then into place. */
		for (ret = 1; ret > 0 && l.pos < p[i].bytes / 2;)
			ret = step(&l, 30000000000);
		while (ret > 0 && got > 0) {
			got = devio_sock_recv(l.s, dst, 77, 300007, NULL);
			wrong += got > 0 && !memory_right(dst, 77, l.pos, (uint32_t)got);
			l.pos += got > 0 ? (uint64_t)got : 0;
		}
		if (ret < 0 || got < 0)
			printf("# %s\n", devio_errmsg());
		pthread_join(p[i].thread, NULL);
		ok(ret > 0 && !got && l.pos == p[i].bytes, "received whole over a bad link", (long)l.pos);
		ok(!l.wrong && !wrong, "every byte in its place", (long)l.wrong + wrong);
		devio_sock_close(l.s);
		close(listener);
	}
	devio_mem_free(dst);
}

static int test_loss(const char *spec)
{
	struct devio_mem *area;
	struct devio_nic *n = start_with(&area, spec);

	run("tc -n peer qdisc replace dev eth1 " NETEM);
	receive_lossy(spec);
	ok(were_lost("tc -n peer -s qdisc show dev eth1"), "packets were lost", 0);
	run("tc qdisc replace dev " NIC " " NETEM);
	send_checked(spec, 16, 4803, NULL);
	ok(were_lost("tc -s qdisc show dev " NIC), "of those sent, too", 0);
	run("tc qdisc del dev " NIC " root; tc -n peer qdisc del dev eth1 root");
	end_with(n, area);
	return finish();
}

/* ---------------------------------------------------------------------- many */

static int test_many(const char *spec)
{
	struct devio_mem *area;
	struct devio_nic *n = start_with(&area, spec);

	many_pieces(64);
	many_on_ring(spec, 64);
	end_with(n, area);
	return finish();
}

/* ---------------------------------------------------------------------- slow */

/* What one keeps is its share; the other one receives all the time. */
static int test_slow(const char *spec)
{
	struct peer slow = { .bytes = 64 * MIB, .port = 4810 }, fast = { .bytes = 16 * MIB, .port = 4811 };
	static struct devio_frag kept[1 << 14];
	int k = 0, ret, listener[2] = { listen_on(true, slow.port), listen_on(true, fast.port) };
	struct devio_mem *area;
	struct devio_nic *n = start_with(&area, spec);
	struct lane l = { .s = NULL }, s = { .s = NULL };
	struct devio_nic_info i = DEVIO_OPTS(i);

	/* What waits in its socket is the NIC's memory too, on top of its share: unlimited it can be the rest of it. */
	peer_start(&slow);
	s.s = take(listener[0]);
	while ((ret = devio_sock_recv_frags(s.s, kept + k, 256, UINT64_MAX, 5000000000)) > 0)
		k += ret;
	printf("# the slow one keeps %d pieces: %s\n", k, devio_errmsg());
	ok(ret == -ENOBUFS && k > 500, "it has its share", k);
	peer_start(&fast);
	l.s = take(listener[1]);
	ret = run_lane(&l, 20000000000);
	pthread_join(fast.thread, NULL);
	ok(!ret && l.pos == fast.bytes && !l.wrong, "the other one gets its stream", ret ? ret : (long)l.pos);
	print_nic(n, "meanwhile");
	must(devio_nic_get_info(n, &i), "devio_nic_get_info");
	ok(i.inflight < AREA / i.buffer, "not all of the memory is used up", (long)i.inflight);
	for (int at = 0; at < k; s.pos += kept[at++].len)
		s.wrong += kept[at].mem ? !memory_right(kept[at].mem, kept[at].off, s.pos, kept[at].len) : 0;
	printf("# the slow one has kept %lu bytes\n", (long)s.pos);
	must(devio_sock_release(s.s, kept, (unsigned int)k), "devio_sock_release");
	ret = run_lane(&s, 20000000000);
	pthread_join(slow.thread, NULL);
	ok(!ret && s.pos == slow.bytes && !s.wrong, "and the slow one the rest of it", ret ? ret : (long)s.pos);
	devio_sock_close(s.s);
	devio_sock_close(l.s);
	close(listener[0]);
	close(listener[1]);
	end_with(n, area);
	return finish();
}

/* --------------------------------------------------------------------- reset */

static void reset_receiving(const char *spec, bool in_place, int port)
{
	struct peer p = { .bytes = 3 * MIB + 12345, .port = port, .resets = true };
	struct devio_mem *dst = memory(spec, 4 * MIB);
	int listener = listen_on(true, port);
	struct devio_completion done = { .result = 0 };
	struct lane l = { .s = NULL };
	ssize_t ret;

	peer_start(&p);
	l.s = take(listener);
	if (in_place) {
		ret = devio_sock_recv(l.s, dst, 0, 4 * MIB, &done);
		l.pos = done.good;
		printf("# after %lu bytes: %s\n", (long)done.good, devio_errmsg());
		for (uint64_t at = 0; at < done.good; at += 100000)
			l.wrong += !memory_right(dst, at, at, done.good - at < 100000 ? done.good - at : 100000);
	} else {
		ret = run_lane(&l, 20000000000);
	}
	pthread_join(p.thread, NULL);
	ok(ret == -ECONNRESET && l.pos <= p.bytes, "an error that says so", ret);
	ok(!l.wrong, "the bytes before it are right", (long)l.wrong);
	ok(!in_place || done.reason == DEVIO_REASON_RESET, "its reason", done.reason);
	ret = in_place ? devio_sock_recv(l.s, dst, 0, 1, &done) : step(&l, 0);
	ok(ret < 0, "and it stays so", ret);
	devio_sock_close(l.s);
	devio_mem_free(dst);
	close(listener);
}

static int test_reset(const char *spec)
{
	struct devio_mem *area;
	struct devio_nic *n = start_with(&area, spec);

	reset_receiving(spec, false, 4820);
	reset_receiving(spec, true, 4821);
	reset_sending(spec, 4822);
	end_with(n, area);
	return finish();
}

/* ------------------------------------------------------------------- link, NIC */

/* While f runs in a thread, and some MiB behind it, the stream goes on. */
static void disturbed(void (*f)(void), int port, const char *what)
{
	struct peer p = { .bytes = 1ull << 40, .port = port };
	struct disturber d = { .f = f };
	int listener = listen_on(true, port), ret = 1;
	struct lane l = { .s = NULL };
	uint64_t at_end = 0;
	double start;

	peer_start(&p);
	l.s = take(listener);
	disturb(&d);
	while (!d.done && ret > 0)
		ret = step(&l, 30000000000);
	pthread_join(d.thread, NULL);
	at_end = l.pos;
	for (start = seconds(); ret > 0 && seconds() < start + 60 && l.pos < at_end + 4 * MIB;)
		ret = step(&l, 30000000000);
	printf("# %s: %lu bytes, then %lu in %.1f s, %lu linear; %d\n", what, (long)at_end, (long)(l.pos - at_end),
	       seconds() - start, (long)l.linear, ret);
	if (ret < 0)
		printf("# %s\n", devio_errmsg());
	ok(l.pos >= at_end + 4 * MIB, what, (long)(l.pos - at_end));
	ok(!l.wrong, "every byte in its place", (long)l.wrong);
	p.stop = true;
	ret = run_lane(&l, 20000000000);
	pthread_join(p.thread, NULL);
	ok(!ret, "to its end", ret);
	devio_sock_close(l.s);
	close(listener);
}

/* A peer that is not there any more: the time-out says so, and the connection is over. */
static void unplugged(const char *spec)
{
	struct peer p = { .bytes = 1ull << 40, .port = 4834 };
	struct devio_sock_opts o = DEVIO_OPTS(o);
	struct devio_mem *dst = memory(spec, MIB);
	int listener = listen_on(true, p.port), ret = 1;
	struct devio_completion done;
	struct lane l = { .s = NULL };
	double start;

	o.flags = DEVIO_SOCK_OWN_FD;
	o.idle_ns = 2000000000;
	peer_start(&p);
	must(devio_sock_import(ctx, accept(listener, NULL, NULL), &o, &l.s), "devio_sock_import");
	while (l.pos < 4 * MIB && ret > 0)
		ret = step(&l, 20000000000);
	run("ip -n peer link set eth1 down");
	while ((ret = step(&l, 1000000000)) > 0)
		;
	is(ret, -EAGAIN, "no piece comes");
	start = seconds();
	ret = (int)devio_sock_recv(l.s, dst, 0, MIB, &done);
	ok(ret == -ETIMEDOUT && done.reason == DEVIO_REASON_TIMEOUT && !l.wrong, "nor a byte, which is reported", ret);
	ok(seconds() - start < 8, "in time", (long)(seconds() - start));
	devio_sock_close(l.s);
	run("ip -n peer link set eth1 up");
	await_link();
	p.stop = true;
	pthread_join(p.thread, NULL);
	ok(p.error == ECONNRESET || p.error == EPIPE || !p.error, "the peer ends", p.error);
	devio_mem_free(dst);
	close(listener);
}

static int test_link(const char *spec)
{
	struct devio_mem *area;
	struct devio_nic *n = start_with(&area, spec);

	disturbed(link_here, 4830, "the link here goes down and up");
	disturbed(link_there, 4831, "the link there goes down and up");
	send_checked(spec, 64, 4832, link_here);
	send_checked(spec, 64, 4833, link_there);
	unplugged(spec);
	end_with(n, area);
	return finish();
}

static int test_nic(const char *spec)
{
	struct devio_mem *area;
	struct devio_nic *n = start_with(&area, spec);

	disturbed(ring_sizes, 4840, "other ring sizes");
	disturbed(other_mtu, 4841, "other MTUs");
	disturbed(negotiate, 4842, "the link is negotiated again");
	disturbed(other_bindings, 4843, "other bindings of its queues");
	disturbed(pci_reset, 4846, "resets of the PCI function");
	send_checked(spec, 64, 4844, ring_sizes);
	send_checked(spec, 64, 4845, other_mtu);
	end_with(n, area);
	return finish();
}

static int both_ways(const char *spec, void (*f)(void), int port, const char *what)
{
	struct devio_mem *area;
	struct devio_nic *n = start_with(&area, spec);

	disturbed(f, port, what);
	send_checked(spec, 64, port + 1, f);
	end_with(n, area);
	return finish();
}

static int test_sleep(const char *spec)
{
	return both_ways(spec, machine_sleeps, 4860, "the machine sleeps");
}

static int test_errors(const char *spec)
{
	return both_ways(spec, pci_errors, 4862, "errors of the PCI function");
}

/* ---------------------------------------------------------------------- kill */

static void receive_until_killed(const char *spec, int port, int to_parent)
{
	struct peer p = { .bytes = 1ull << 40, .port = port };
	struct lane l = { .s = NULL };
	int listener;

	must(devio_ctx_open(NULL, &ctx), "devio_ctx_open");
	set_up(memory(spec, AREA));
	listener = listen_on(true, port);
	peer_start(&p);
	l.s = take(listener);
	while (step(&l, 20000000000) > 0)
		if (l.pos > MIB && to_parent >= 0 && write(to_parent, "x", 1) == 1)
			to_parent = -1;
	_exit(1);
}

static int test_kill(const char *spec)
{
	struct devio_mem *area;
	struct devio_nic *n;
	int to_us[2];

	nic_state(before, sizeof(before));
	if (pipe(to_us))
		die("pipe");
	for (int i = 0; i < 4; i++) {
		pid_t child = fork();
		int status;
		char c;

		if (!child)
			receive_until_killed(spec, 4850 + i, to_us[1]);
		if (read(to_us[0], &c, 1) != 1)
			die("read");
		usleep(200000 + i * 130000);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		ok(WIFSIGNALED(status), "killed in the middle", status);
		await_link();
		plain_stream("plain TCP before the restore");
		if (i % 2)
			is(devio_nic_restore(ctx, NIC), 1, "restored");
		if (i % 2) /* else by the next one */
			nothing_left();
	}
	is(devio_nic_restore(ctx, NIC), 0, "nothing to restore");
	n = start_with(&area, spec);
	end_with(n, area);
	return finish();
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*test)(const char *spec); } all[] = {
		{ "loss", test_loss }, { "many", test_many }, { "slow", test_slow }, { "nic", test_nic },
		{ "reset", test_reset }, { "link", test_link }, { "sleep", test_sleep }, { "errors", test_errors },
		{ "kill", test_kill },
	};

	begin();
	for (size_t i = 0; argc > 2 && i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(argv[1], all[i].name))
			return all[i].test(argv[2]);
	fprintf(stderr, "usage: see the top of tests/vm/devmem-trouble.c\n");
	return 2;
}
