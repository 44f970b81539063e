/* SPDX-License-Identifier: MIT */
/* Connections: what is refused, with its errno and its sentence, and leaves nothing. */
#include <errno.h>
#include "sockrig.h"

static void bad_names(struct devio_ctx *ctx)
{
	struct devio_sock_opts o = DEVIO_OPTS(o);
	struct devio_sock *s, *l;
	struct devio_sock_info info = DEVIO_OPTS(info);
	unsigned int port = 0;
	int fd = plain_listen(AF_INET, &port), rc;

	close(fd);
	must_fail(devio_sock_connect(ctx, "127.0.0.1", port_text(port), NULL, &s), -ECONNREFUSED);
	must(strstr(devio_errmsg(), "connection refused"), "%s", devio_errmsg());
	/* A machine without a name server cannot know. */
	rc = devio_sock_connect(ctx, "no-such-host.invalid", "80", NULL, &s);
	must(rc == -ENOENT || rc == -EAGAIN, "%d", rc);
	must(strstr(devio_errmsg(), "no-such-host.invalid"), "%s", devio_errmsg());
	must_fail(devio_sock_connect(ctx, "127.0.0.1", "no-such-service", NULL, &s), -ENOENT);
	/* The lower 16 bits of these are port 80; getaddrinfo() would take them. */
	must_fail(devio_sock_connect(ctx, "127.0.0.1", "65616", NULL, &s), -EINVAL);
	must(strstr(devio_errmsg(), "65616"), "%s", devio_errmsg());
	must_fail(devio_sock_listen(ctx, "127.0.0.1", "4294967376", NULL, &s), -EINVAL);
	must_fail(devio_sock_connect(ctx, "127.0.0.1", NULL, NULL, &s), -EINVAL);
	must_fail(devio_sock_connect(NULL, "127.0.0.1", "80", NULL, &s), -EINVAL);
	must_fail(devio_sock_connect(ctx, "127.0.0.1", "80", NULL, NULL), -EINVAL);
	must_zero(devio_sock_listen(ctx, "127.0.0.1", "0", NULL, &l));
	must_zero(devio_sock_get_info(l, &info));
	must_fail(devio_sock_listen(ctx, "127.0.0.1", port_text(info.local_port), NULL, &s), -EADDRINUSE);
	must(strstr(devio_errmsg(), "in use"), "%s", devio_errmsg());
	must_fail(devio_sock_listen(ctx, "192.0.2.1", "0", NULL, &s), -EADDRNOTAVAIL);
	o.flags = DEVIO_SOCK_IPV4 | DEVIO_SOCK_IPV6;
	must_fail(devio_sock_listen(ctx, NULL, "0", &o, &s), -EINVAL);
	o.flags = 1u << 20;
	must_fail(devio_sock_listen(ctx, NULL, "0", &o, &s), -EINVAL);
	o.flags = DEVIO_SOCK_OWN_FD;
	must_fail(devio_sock_listen(ctx, NULL, "0", &o, &s), -EINVAL);
	o.flags = 0;
	o.path = DEVIO_PATH_FILE_HOST;
	must_fail(devio_sock_listen(ctx, NULL, "0", &o, &s), -EINVAL);
	o.path = 0;
	o.idle_ns = -1;
	must_fail(devio_sock_connect(ctx, "127.0.0.1", "80", &o, &s), -EINVAL);
	devio_sock_close(l);
}

static void bad_descriptors(struct devio_ctx *ctx)
{
	struct devio_sock *s;
	int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0), pair[2];
	int file = open("/dev/null", O_RDWR);

	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	must_fail(devio_sock_import(ctx, -1, NULL, &s), -EBADF);
	must_fail(devio_sock_import(ctx, file, NULL, &s), -ENOTSOCK);
	must_fail(devio_sock_import(ctx, udp, NULL, &s), -EPROTONOSUPPORT);
	must_fail(devio_sock_import(ctx, pair[0], NULL, &s), -EPROTONOSUPPORT);
	must_fail(devio_sock_import(ctx, tcp, NULL, &s), -ENOTCONN);
	must(strstr(devio_errmsg(), "connect it first"), "%s", devio_errmsg());
	close(udp);
	close(tcp);
	close(file);
	close(pair[0]);
	close(pair[1]);
}

static void bad_operations(struct devio_ctx *ctx)
{
	struct devio_ctx *other = rig_ctx(0);
	struct devio_mem *mem = rig_mem(ctx, 1000), *foreign = rig_mem(other, 1000);
	struct devio_ring *ring = rig_ring(ctx, 1, 0, 0), *ring2 = rig_ring(ctx, 4, 0, 0);
	struct devio_range range = { mem, 0, 10 };
	struct devio_sock_io io = { .sz = sizeof(io), .ranges = &range, .nr_ranges = 1 };
	struct devio_completion done;
	struct devio_sock *s, *l, *x;
	char text[2000];
	int fd;

	s = sock_pair(ctx, NULL, &fd);
	must_zero(devio_sock_listen(ctx, "127.0.0.1", "0", NULL, &l));
	must_fail(devio_ring_recv(ring, NULL, mem, 0, 10, 0), -EINVAL);
	must_fail(devio_ring_recv(NULL, s, mem, 0, 10, 0), -EINVAL);
	must_fail(devio_ring_recv(ring, s, NULL, 0, 10, 0), -EINVAL);
	must_fail(devio_ring_recv(ring, s, foreign, 0, 10, 0), -EINVAL);
	must_fail(devio_ring_recv(ring, s, mem, 991, 10, 0), -ERANGE);
	must_fail(devio_ring_send(ring, s, mem, UINT64_MAX, 10, 0), -ERANGE);
	must_fail(devio_ring_recv(ring, l, mem, 0, 10, 0), -ENOTCONN);
	must_fail(devio_sock_accept(s, &x), -EINVAL);
	must_fail(devio_sock_accept(l, NULL), -EINVAL);
	must_fail(devio_sock_shutdown(s, 0), -EINVAL);
	must_fail(devio_sock_shutdown(s, 8), -EINVAL);
	must_fail(devio_sock_shutdown(l, 4), -EINVAL);
	io.sock = s;
	io.path = DEVIO_PATH_FILE_BOUNCE;
	must_fail(devio_ring_sock_io(ring, &io), -EINVAL);
	io.path = DEVIO_PATH_MAX;
	must_fail(devio_ring_sock_io(ring, &io), -EINVAL);
	io.path = 0;
	io.flags = 16;
	must_fail(devio_ring_sock_io(ring, &io), -EINVAL);
	io.flags = 0;
	io.nr_ranges = 0;
	must_fail(devio_ring_sock_io(ring, &io), -EINVAL);
	io.nr_ranges = 1;
	/* A path that is not available, and direct-only where that is not possible: reported by the completion. */
	io.path = DEVIO_PATH_SOCK_DEVMEM;
	must_zero(devio_ring_sock_io(ring, &io));
	rig_wait(ring, &done, 1);
	must(done.result == -EOPNOTSUPP && done.reason == DEVIO_REASON_NO_EXPORT, "%lld %u", (long long)done.result,
	     done.reason);
	io.path = 0;
	io.flags = DEVIO_SOCK_DIRECT_ONLY;
	must_zero(devio_ring_sock_io(ring, &io));
	rig_wait(ring, &done, 1);
	must(done.result == -EOPNOTSUPP && done.reason, "%lld %u", (long long)done.result, done.reason);
	must_zero(devio_sock_explain(s, mem, 0, 100, 0, &done, text, sizeof(text)));
	must(done.path == DEVIO_PATH_SOCK_HOST, "%s", devio_path_name(done.path));
	for (int i = DEVIO_PATH_SOCK_DEVMEM; i < DEVIO_PATH_MAX; i++)
		must(strstr(text, devio_path_name(i)), "%s in:\n%s", devio_path_name(i), text);
	/* One ring at a time, and no more operations than it has entries. */
	must_zero(devio_ring_recv(ring, s, mem, 0, 10, 0));
	must_fail(devio_ring_recv(ring2, s, mem, 0, 10, 0), -EBUSY);
	must_fail(devio_sock_recv(s, mem, 0, 10, NULL), -EBUSY);
	must_fail(devio_ring_recv(ring, s, mem, 0, 10, 0), -EAGAIN);
	must_zero(devio_ring_send(ring2, s, mem, 0, 10, 0));
	rig_wait(ring2, &done, 1);
	plain_write(fd, "0123456789", 10);
	rig_wait(ring, &done, 1);
	must(devio_sock_recv(s, mem, 0, 0, NULL) == 0, "nothing is wanted and nothing waited for");
	devio_sock_close(l);
	devio_sock_close(s);
	close(fd);
	devio_ring_close(ring);
	devio_ring_close(ring2);
	devio_mem_free(mem);
	devio_mem_free(foreign);
	devio_ctx_close(other);
}

static void refused(void **state)
{
	struct devio_ctx *ctx = rig_ctx(0);
	int fds = rig_fds();

	(void)state;
	bad_names(ctx);
	bad_descriptors(ctx);
	bad_operations(ctx);
	devio_sock_close(NULL);
	devio_ctx_close(ctx);
	must(rig_fds() <= fds, "no descriptor is left: %d, %d before", rig_fds(), fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
