/* SPDX-License-Identifier: MIT */
/* What tests/vm/devmem-lib and tests/vm/devmem-trouble do both. */
#include "devmem-lib.h"
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

struct devio_ctx *ctx;
static char *scratch; /* MIB */

static void to_log(void *arg, enum devio_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	printf("# log: %s\n", text);
}

void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	printf("# %s\n", devio_errmsg());
	errno = -rc;
	die(what);
}

struct devio_mem *memory(const char *spec, uint64_t size)
{
	struct devio_mem *m;

	must(devio_mem_alloc(ctx, spec, size, NULL, &m), spec);
	return m;
}

struct devio_nic *set_up(struct devio_mem *area)
{
	struct devio_nic_opts o = DEVIO_OPTS(o);
	struct devio_nic *n;

	o.steer = DEVIO_STEER_RSS;
	must(devio_nic_open(ctx, NIC, area, &o, &n), "devio_nic_open");
	await_link();
	return n;
}

struct devio_sock *take(int listener)
{
	struct devio_sock_opts o = DEVIO_OPTS(o);
	struct devio_sock *s;

	o.flags = DEVIO_SOCK_OWN_FD;
	o.idle_ns = 30000000000;
	must(devio_sock_import(ctx, accept(listener, NULL, NULL), &o, &s), "devio_sock_import");
	return s;
}

struct sending sending_start(const char *spec, struct peer *p)
{
	struct sending t = { .listener = listen_on(true, p->port), .src = memory(spec, PERIOD) };

	must(devio_mem_copy_in(t.src, 0, pattern, PERIOD), "devio_mem_copy_in");
	must(devio_ring_open(ctx, NULL, &t.ring), "devio_ring_open");
	peer_start(p);
	t.s = take(t.listener);
	return t;
}

void sending_queue(const struct sending *t, int n)
{
	for (int i = 0; i < n; i++)
		must(devio_ring_send(t->ring, t->s, t->src, 0, PERIOD, (uint64_t)i), "devio_ring_send");
}

void sending_end(struct sending *t)
{
	devio_sock_close(t->s);
	devio_mem_free(t->src);
	close(t->listener);
}

bool memory_right(struct devio_mem *m, uint64_t off, uint64_t pos, uint32_t len)
{
	must(devio_mem_copy_out(m, off, scratch, len), "devio_mem_copy_out");
	return same(scratch, pos, len);
}

void begin(void)
{
	struct devio_ctx_opts co = DEVIO_OPTS(co);

	start_up();
	scratch = host_memory(MIB);
	co.log = to_log;
	co.log_level = DEVIO_LOG_INFO;
	must(devio_ctx_open(&co, &ctx), "devio_ctx_open");
}

/* What the interface is set to, as text. */
void nic_state(char *buf, size_t size)
{
	struct ethtool_rxfh_indir *t = calloc(1, sizeof(*t) + 4096);
	struct ifreq ifr = { .ifr_data = (void *)t };
	int ret, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	static struct mem probe;
	struct binding b;
	size_t n;

	if (!probe.size)
		probe = mem_open("udmabuf", MIB);
	await_link();
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), NIC);
	t->cmd = ETHTOOL_GRXFHINDIR;
	n = ioctl(fd, SIOCETHTOOL, &ifr) ? 0 : t->size;
	t->cmd = ETHTOOL_GRXFHINDIR;
	if (n && ioctl(fd, SIOCETHTOOL, &ifr))
		n = 0;
	buf[0] = '\0';
	for (size_t i = 0; i < n; i++)
		snprintf(buf + strlen(buf), size - strlen(buf), "%u ", t->ring_index[i]);
	/* Without header split a binding is refused, a second one too, with another error. */
	ret = bind_rx(&b, nic, probe.fd, QUEUE);
	if (!ret)
		unbind(&b);
	snprintf(buf + strlen(buf), size - strlen(buf), "bind: %d", ret);
	close(fd);
	free(t);
}
