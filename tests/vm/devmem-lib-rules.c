/* SPDX-License-Identifier: MIT */
/*
 * Steering by ntuple rules, on a NIC that takes them: which flows come to the
 * memory, which do not, and what is left when it ends.
 */
#include "devmem-lib.h"
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#define PLACES 32 /* of netdevsim */
#define OWN 31    /* a rule of another owner, where the library would put its first */
#define OWN_PORT 9999

static int ask(void *arg)
{
	struct ifreq ifr = { .ifr_data = arg };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), NIC);
	rc = ioctl(fd, SIOCETHTOOL, &ifr) ? -errno : 0;
	close(fd);
	return rc;
}

static void set_ntuple(bool on)
{
	struct ethtool_value v = { .cmd = ETHTOOL_GFLAGS };

	must(ask(&v), "ETHTOOL_GFLAGS");
	v.cmd = ETHTOOL_SFLAGS;
	v.data = on ? v.data | ETH_FLAG_NTUPLE : v.data & ~ETH_FLAG_NTUPLE;
	must(ask(&v), "ETHTOOL_SFLAGS");
}

static void others_rule(unsigned int at)
{
	struct ethtool_rxnfc r = { .cmd = ETHTOOL_SRXCLSRLINS };

	r.fs.flow_type = UDP_V4_FLOW;
	r.fs.h_u.udp_ip4_spec.pdst = htons(OWN_PORT);
	r.fs.m_u.udp_ip4_spec.pdst = 0xffff;
	r.fs.location = at;
	must(ask(&r), "ETHTOOL_SRXCLSRLINS");
}

static void no_rule(unsigned int at)
{
	struct ethtool_rxnfc r = { .cmd = ETHTOOL_SRXCLSRLDEL, .fs.location = at };

	must(ask(&r), "ETHTOOL_SRXCLSRLDEL");
}

/* The rule at a location; false: there is none. */
static bool rule_at(unsigned int at, struct ethtool_rx_flow_spec *fs)
{
	struct ethtool_rxnfc r = { .cmd = ETHTOOL_GRXCLSRULE, .fs.location = at };

	if (ask(&r))
		return false;
	*fs = r.fs;
	return true;
}

static unsigned int count_rules(void)
{
	struct ethtool_rx_flow_spec fs;
	unsigned int n = 0;

	for (unsigned int i = 0; i < PLACES; i++)
		n += rule_at(i, &fs);
	return n;
}

static bool only_others_rule(void)
{
	struct ethtool_rx_flow_spec fs;

	return count_rules() == 1 && rule_at(OWN, &fs) && fs.flow_type == UDP_V4_FLOW &&
	       fs.h_u.udp_ip4_spec.pdst == htons(OWN_PORT);
}

/* The other end, a process: it sends the pattern to host, or to the one that connects to host there. */
static pid_t other_end(const char *host, const char *port, bool accepts, uint64_t bytes)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST }, *ai;
	pid_t child = fork();
	int fd, one = 1, rc = -1;

	if (child)
		return child;
	if (setns(must_open("/run/netns/peer", O_RDONLY), CLONE_NEWNET) || getaddrinfo(host, port, &hints, &ai))
		_exit(1);
	fd = socket(ai->ai_family, SOCK_STREAM, 0);
	if (accepts) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		rc = bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, 1) ? -1 : (fd = accept(fd, NULL, NULL));
		usleep(300000); /* until there is a rule for it */
	}
	for (int i = 0; !accepts && rc && i < 100; i++) {
		rc = connect(fd, ai->ai_addr, ai->ai_addrlen);
		usleep(rc ? 50000 : 0);
	}
	for (uint64_t pos = 0; rc >= 0 && pos < bytes; pos += (uint64_t)rc) {
		uint64_t len = bytes - pos < 100003 ? bytes - pos : 100003;

		rc = (int)send(fd, expected(pos), len, MSG_NOSIGNAL);
	}
	_exit(rc < 0);
}

/* All of a stream, as pieces. How much of it lay in the memory. */
static uint64_t take_pieces(struct devio_sock *s, uint64_t bytes, const char *what)
{
	uint64_t pos = 0, in_memory = 0;
	struct devio_frag f[64];
	int wrong = 0, ret;

	while ((ret = devio_sock_recv_frags(s, f, 64, UINT64_MAX, 20000000000)) > 0) {
		for (int i = 0; i < ret; i++) {
			wrong += !(f[i].mem ? memory_right(f[i].mem, f[i].off, pos, f[i].len)
					    : same(f[i].host, pos, f[i].len));
			in_memory += f[i].mem ? f[i].len : 0;
			pos += f[i].len;
		}
		must(devio_sock_release(s, f, (unsigned int)ret), "devio_sock_release");
	}
	if (ret < 0)
		printf("# %s\n", devio_errmsg());
	printf("# %s: %lu of %lu bytes in the memory\n", what, (long)in_memory, (long)pos);
	ok(!ret && pos == bytes && !wrong, "the stream came whole, every byte where it was said to be",
	   ret ? ret : (long)pos);
	return in_memory;
}

static void ended_well(pid_t child)
{
	int status = 0;
	bool came = waitpid(child, &status, 0) == child;

	ok(came && !status, "the other end ended well", status);
}

static struct devio_sock *listener_at(struct devio_nic *n, const char *host, const char *port)
{
	struct devio_sock *l;

	must(devio_sock_listen(ctx, host, port, NULL, &l), "devio_sock_listen");
	if (n)
		must(devio_nic_steer(n, l), "devio_nic_steer");
	return l;
}

/* A listener's rule is for its port, at any address that it has. */
static void by_port(struct devio_nic *n, const char *host, const char *port, bool steered)
{
	struct devio_sock *l = listener_at(steered ? n : NULL, host, port), *s;
	struct devio_nic_info i = DEVIO_OPTS(i);
	struct ethtool_rx_flow_spec fs = { 0 };
	pid_t child = other_end(host, port, false, 8 * MIB + 5);
	uint64_t in_memory;
	char what[64];

	must(devio_sock_accept(l, &s), "devio_sock_accept");
	snprintf(what, sizeof(what), "%s port %s %s", host, port, steered ? "with a rule" : "without");
	in_memory = take_pieces(s, 8 * MIB + 5, what);
	ended_well(child);
	must(devio_nic_get_info(n, &i), "devio_nic_get_info");
	if (steered) {
		ok(in_memory == 8 * MIB + 5, "all of it in the memory", (long)in_memory);
		ok(rule_at(OWN - i.rules, &fs) && fs.ring_cookie == i.queue + (i.rules - 1) % i.queues,
		   "by a rule to its queue", i.queue);
	} else {
		ok(!in_memory, "nothing of it in the memory", (long)in_memory);
	}
	devio_sock_close(s);
	devio_sock_close(l);
}

/* A connection's rule is for it alone. */
static void by_connection(struct devio_nic *n)
{
	pid_t child = other_end("10.9.0.2", "6010", true, 4 * MIB);
	struct devio_nic_info i = DEVIO_OPTS(i);
	struct ethtool_rx_flow_spec fs = { 0 };
	struct devio_sock *s = NULL;

	for (int tries = 0; tries < 100 && devio_sock_connect(ctx, "10.9.0.2", "6010", NULL, &s); tries++)
		usleep(50000);
	must(devio_nic_steer(n, s), "devio_nic_steer");
	must(devio_nic_get_info(n, &i), "devio_nic_get_info");
	ok(rule_at(OWN - i.rules, &fs) && fs.flow_type == TCP_V4_FLOW && fs.h_u.tcp_ip4_spec.psrc == htons(6010) &&
		   fs.m_u.tcp_ip4_spec.psrc == 0xffff && fs.m_u.tcp_ip4_spec.ip4src == 0xffffffff,
	   "a rule for both ends", fs.flow_type);
	ok(take_pieces(s, 4 * MIB, "a connection with a rule") == 4 * MIB, "all of it in the memory", 0);
	ended_well(child);
	devio_sock_close(s);
}

struct maker {
	pthread_t thread;
	struct devio_nic *n;
	struct devio_sock *l;
	int rc;
};

static void *make_rule(void *arg)
{
	struct maker *m = arg;

	m->rc = devio_nic_steer(m->n, m->l);
	return NULL;
}

/* Rules of many threads at once: each has a place. */
static void many_threads(struct devio_nic *n)
{
	unsigned int before = count_rules();
	struct maker m[16];
	int bad = 0;

	for (int i = 0; i < 16; i++) {
		char port[16];

		snprintf(port, sizeof(port), "%d", 6100 + i);
		m[i] = (struct maker){ .n = n, .l = listener_at(NULL, "fd00::1", port) };
	}
	for (int i = 0; i < 16; i++)
		pthread_create(&m[i].thread, NULL, make_rule, &m[i]);
	for (int i = 0; i < 16; i++) {
		pthread_join(m[i].thread, NULL);
		bad += m[i].rc != 0;
		devio_sock_close(m[i].l);
	}
	ok(!bad && count_rules() == before + 16, "16 threads, 16 rules", count_rules() - before);
}

/* No place is left: an error, and no rule of others is replaced. */
static void table_full(struct devio_nic *n)
{
	struct devio_sock *l = listener_at(NULL, "fd00::1", "6020");
	struct ethtool_rx_flow_spec fs;
	uint32_t filled = 0;

	for (unsigned int i = 0; i < PLACES; i++) {
		if (rule_at(i, &fs))
			continue;
		others_rule(i);
		filled |= 1u << i;
	}
	is(devio_nic_steer(n, l), -ENOSPC, "no place for a rule");
	printf("# %s\n", devio_errmsg());
	for (unsigned int i = 0; i < PLACES; i++)
		if (filled & 1u << i)
			no_rule(i);
	devio_sock_close(l);
}

/* Several queues: each rule leads to the next. */
static void two_queues(struct devio_mem *area)
{
	struct devio_nic_opts o = DEVIO_OPTS(o);
	struct devio_nic *n;

	o.queues = 2;
	must(devio_nic_open(ctx, NIC, area, &o, &n), "devio_nic_open");
	by_port(n, "fd00::1", "6040", true);
	by_port(n, "10.9.0.1", "6041", true);
	by_port(n, "fd00::1", "6042", true);
	by_port(n, "10.9.0.1", "6043", false);
	devio_nic_close(n);
	ok(only_others_rule(), "all rules are gone but the other owner's", count_rules());
}

/* A process that sets NIC up and does so much with it, until it is killed. */
static pid_t victim(const char *spec, bool (*does)(struct devio_nic *n))
{
	int to_parent[2];
	pid_t child;
	char c = 0;

	if (pipe(to_parent))
		die("pipe");
	child = fork();
	if (!child) {
		struct devio_nic *n;

		must(devio_ctx_open(NULL, &ctx), "ctx");
		must(devio_nic_open(ctx, NIC, memory(spec, 4 * MIB), NULL, &n), "devio_nic_open");
		c = does(n) ? 'y' : 'n';
		_exit(write(to_parent[1], &c, 1) != 1 || pause());
	}
	close(to_parent[1]);
	ok(read(to_parent[0], &c, 1) == 1 && c == 'y', "a process did its part", c);
	close(to_parent[0]);
	return child;
}

static void restored(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	is(devio_nic_restore(ctx, NIC), 1, "restored after a kill");
	ok(only_others_rule(), "the other owner's rule is there, and no more", count_rules());
}

static bool two_rules(struct devio_nic *n)
{
	listener_at(n, "fd00::1", "6030");
	listener_at(n, "10.9.0.1", "6031");
	return true;
}

static void killed(const char *spec)
{
	pid_t child = victim(spec, two_rules);

	ok(count_rules() == 3, "two rules and the other owner's", count_rules());
	restored(child);
}

static bool is_refused(struct devio_nic *n)
{
	return devio_nic_steer(n, listener_at(NULL, "fd00::1", "6000")) == -EOPNOTSUPP;
}

/* A rule was refused, and the process dies: what another owner has put in its place since stays. */
static void killed_refused(const char *spec)
{
	pid_t child = victim(spec, is_refused);

	set_ntuple(true);
	others_rule(OWN);
	restored(child);
}

int test_rules(const char *spec)
{
	struct devio_mem *area = memory(spec, AREA);
	static char before[8192], after[8192];
	struct devio_nic_info i = DEVIO_OPTS(i);
	struct devio_nic *n;

	nic_state(before, sizeof(before));
	set_ntuple(false);
	killed_refused(spec);
	nic_state(after, sizeof(after));
	ok(!strcmp(before, after), "as before", 0);

	must(devio_nic_open(ctx, NIC, area, NULL, &n), "devio_nic_open");
	must(devio_nic_get_info(n, &i), "devio_nic_get_info");
	ok(i.steer == DEVIO_STEER_RULES && !i.rules, "rules are chosen where there are some", i.steer);
	by_port(n, "fd00::1", "6001", true);
	by_port(n, "10.9.0.1", "6002", true);
	by_port(n, "fd00::1", "6003", false);
	by_port(n, "10.9.0.1", "6004", false);
	by_connection(n);
	many_threads(n);
	table_full(n);
	devio_nic_close(n);
	ok(only_others_rule(), "all rules are gone but the other owner's", count_rules());
	two_queues(area);
	killed(spec);
	nic_state(after, sizeof(after));
	ok(!strcmp(before, after), "as before", 0);
	no_rule(OWN);
	devio_mem_free(area);
	return finish();
}
