/* SPDX-License-Identifier: MIT */
/* tests/vm/devmem-trouble: what happens to a NIC, and the operations on rings beside which it does. */
#include "devmem-trouble.h"
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>

#define TIMES 3
#define PAUSE_US 1000000
#define RECOVERED "dmesg | grep -c 'AER: device recovery successful'"

static void *disturb_main(void *arg)
{
	struct disturber *d = arg;

	usleep(500000);
	d->f();
	await_link();
	d->done = true;
	return NULL;
}

void disturb(struct disturber *d)
{
	pthread_create(&d->thread, NULL, disturb_main, d);
}

void link_here(void)
{
	for (int i = 0; i < TIMES; i++) {
		run("ip link set " NIC " down && sleep 0.3 && ip link set " NIC " up");
		await_link();
		usleep(PAUSE_US);
	}
}

void link_there(void)
{
	for (int i = 0; i < TIMES; i++) {
		run("ip -n peer link set eth1 down && sleep 0.3 && ip -n peer link set eth1 up");
		await_link();
		usleep(PAUSE_US);
	}
}

void ring_sizes(void)
{
	static const unsigned int sizes[] = { 512, 128, 1024, 256 };

	for (int i = 0; i < 4; i++) {
		is(set_rx_ring(nic, sizes[i]), 0, "a ring of another size");
		await_link();
		usleep(PAUSE_US);
	}
}

void other_mtu(void)
{
	static const int sizes[] = { 1400, 9000, 1500 };

	for (int i = 0; i < TIMES; i++) {
		run("ip link set " NIC " mtu %d", sizes[i]);
		await_link();
		usleep(PAUSE_US);
	}
}

/* ethtool -r */
void negotiate(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	struct ethtool_value v = { .cmd = ETHTOOL_NWAY_RST };
	struct ifreq ifr = { .ifr_data = (void *)&v };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), NIC);
	for (int i = 0; i < TIMES; i++) {
		ret = ioctl(fd, SIOCETHTOOL, &ifr);
		is(ret ? -errno : 0, 0, "negotiated again");
		await_link();
		usleep(PAUSE_US);
	}
	close(fd);
}

/* The bound queue cannot be bound again; the other one can, and restarts. */
void other_bindings(void)
{
	struct mem m = mem_open("udmabuf", 4 * MIB);
	struct binding b;

	for (int i = 0; i < 2 * TIMES; i++) {
		is(bind_rx(&b, nic, m.fd, QUEUE), -EEXIST, "the queue is bound");
		is(bind_rx(&b, nic, m.fd, 0), 0, "the other one is not");
		usleep(PAUSE_US / 2);
		unbind(&b);
	}
}

/* With the link down: the driver gets no notice, and would go on with a device that has lost its state. */
void pci_reset(void)
{
	for (int i = 0; i < TIMES; i++) {
		run("ip link set " NIC " down && echo 1 >/sys/class/net/" NIC "/device/reset && ip link set " NIC
		    " up");
		await_link();
		usleep(PAUSE_US);
	}
}

/* As far down as devices go: rings, interrupts and the state of every PCI function are gone, and come back. */
void machine_sleeps(void)
{
	run("echo 1 >/sys/module/suspend/parameters/pm_test_delay && echo platform >/sys/power/pm_test");
	for (int i = 0; i < TIMES; i++) {
		run("echo freeze >/sys/power/state");
		await_link();
		usleep(PAUSE_US);
	}
	run("echo none >/sys/power/pm_test");
}

/* Errors at the NIC's port, which the host makes: one is survived, for the other the link is reset. */
void pci_errors(void)
{
	run(RECOVERED " >$TMPDIR/recovered; true");
	for (int i = 0; i < TIMES; i++) {
		run("ask-host error-nonfatal >/dev/null");
		usleep(PAUSE_US);
		run("ask-host error-fatal >/dev/null");
		await_link();
		usleep(PAUSE_US);
	}
	run("test $(" RECOVERED ") -ge $(($(cat $TMPDIR/recovered) + %d))", 2 * TIMES);
}

/* -------------------------------------------------------------------- sending */

void send_checked(const char *spec, int n, int port, void (*f)(void))
{
	struct peer p = { .receives = true, .port = port };
	struct sending t = sending_start(spec, &p);
	struct disturber d = { .f = f };
	struct devio_completion done[16];
	double start = seconds();
	int at = 0, bad = 0, got = 0;

	if (f)
		disturb(&d);
	sending_queue(&t, n);
	/* system() in the other thread may interrupt it. */
	while (at < n && ((got = devio_ring_wait(t.ring, done, 1, 16, 60000000000)) > 0 || got == -EINTR))
		for (int i = 0; i < got; i++, at++) {
			char text[300];

			if (done[i].cookie == (uint64_t)at && done[i].result == PERIOD)
				continue;
			(void)devio_completion_text(&done[i], text, sizeof(text));
			printf("# %d: %s\n", at, text);
			bad++;
		}
	if (got < 0)
		printf("# %d: %s\n", got, devio_errmsg());
	ok(at == n && !bad, "sends complete, in order", bad ? bad : at);
	devio_ring_close(t.ring);
	devio_sock_shutdown(t.s, DEVIO_SHUT_SEND);
	if (f)
		pthread_join(d.thread, NULL);
	pthread_join(p.thread, NULL);
	printf("# %d MiB sent in %.1f s\n", n, seconds() - start);
	ok(p.done == (uint64_t)n * PERIOD && !p.error, "the peer got every byte", p.error ? p.error : (long)p.done);
	sending_end(&t);
}

static bool is_cut_off(const struct devio_completion *c)
{
	return (c->result == -ECONNRESET || c->result == -EPIPE || c->result == -EIO || c->result == -ECANCELED) &&
	       c->reason;
}

void reset_sending(const char *spec, int port)
{
	struct peer p = { .receives = true, .resets = true, .bytes = 5 * MIB, .port = port };
	struct sending t = sending_start(spec, &p);
	struct devio_completion done[64];
	int at = 0, good = 0, failed = 0, got;

	sending_queue(&t, 64);
	while (at < 64 && (got = devio_ring_wait(t.ring, done, 1, 64, 30000000000)) > 0)
		for (int i = 0; i < got; i++, at++) {
			good += done[i].result == PERIOD;
			failed += is_cut_off(&done[i]);
		}
	printf("# %d sends succeeded, %d failed with a reason\n", good, failed);
	ok(at == 64 && good + failed == 64 && failed, "all complete", at);
	devio_ring_close(t.ring);
	pthread_join(p.thread, NULL);
	ok(p.error != EILSEQ, "the peer got nothing wrong", p.error);
	sending_end(&t);
}

/* ----------------------------------------------------------------------- many */

void many_pieces(unsigned int n)
{
	struct peer p = { .bytes = 300007, .port = 4805, .connections = n, .odd = true };
	struct lane *l = calloc(n, sizeof(*l));
	int listener = listen_on(true, p.port), failed = 0;
	struct pollfd pollers[PEER_MAX];
	unsigned int open_ones = n;
	uint64_t total = 0, wrong = 0;

	peer_start(&p);
	for (unsigned int i = 0; i < n; i++) {
		l[i].s = take(listener);
		pollers[i] = (struct pollfd){ .fd = devio_sock_fd(l[i].s), .events = POLLIN };
	}
	while (open_ones && poll(pollers, n, 20000) > 0)
		for (unsigned int i = 0; i < n; i++) {
			int ret = pollers[i].revents ? step(&l[i], 0) : 1;

			if (ret > 0 || ret == -EAGAIN)
				continue;
			failed += ret < 0;
			pollers[i].fd = -1;
			open_ones--;
		}
	pthread_join(p.thread, NULL);
	for (unsigned int i = 0; i < n; i++) {
		total += l[i].pos;
		wrong += l[i].wrong;
		devio_sock_close(l[i].s);
	}
	ok(!open_ones && !failed && total == n * p.bytes, "all streams came whole, as pieces", (long)total);
	ok(!wrong, "every byte in its place", (long)wrong);
	close(listener);
	free(l);
}

void many_on_ring(const char *spec, unsigned int n)
{
	struct peer p = { .bytes = 300007, .port = 4806, .connections = n, .odd = true };
	struct lane *l = calloc(n, sizeof(*l));
	struct devio_mem *dst = memory(spec, n * 64 * KIB);
	int listener = listen_on(true, p.port), failed = 0, got = 1;
	unsigned int open_ones = n;
	struct devio_completion done[64];
	uint64_t total = 0, wrong = 0;
	struct devio_ring *r;

	must(devio_ring_open(ctx, NULL, &r), "ring");
	peer_start(&p);
	for (unsigned int i = 0; i < n; i++) {
		l[i].s = take(listener);
		must(devio_ring_recv(r, l[i].s, dst, i * 64 * KIB, 64 * KIB, i), "devio_ring_recv");
	}
	while (open_ones && (got = devio_ring_wait(r, done, 1, 64, 30000000000)) > 0)
		for (int k = 0; k < got; k++) {
			uint64_t i = done[k].cookie;

			failed += done[k].result < 0;
			if (done[k].result <= 0) {
				open_ones--;
				continue;
			}
			l[i].wrong += !memory_right(dst, i * 64 * KIB, l[i].pos, (uint32_t)done[k].result);
			l[i].pos += (uint64_t)done[k].result;
			must(devio_ring_recv(r, l[i].s, dst, i * 64 * KIB, 64 * KIB, i), "devio_ring_recv");
		}
	pthread_join(p.thread, NULL);
	for (unsigned int i = 0; i < n; i++) {
		total += l[i].pos;
		wrong += l[i].wrong;
		devio_sock_close(l[i].s);
	}
	ok(!open_ones && !failed && total == n * p.bytes, "all streams came whole, on a ring", (long)total);
	ok(!wrong, "every byte in its place", (long)wrong);
	devio_ring_close(r);
	devio_mem_free(dst);
	close(listener);
	free(l);
}
