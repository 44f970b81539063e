/* SPDX-License-Identifier: MIT */
/* devio_nic_open() by a daemon, against daemons that are silent, lie, or die; none of them sets anything up. */
#include "config.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <net/if.h>
#include "core/ctx.h"
#include "unit/fake.h"
#include "nic/nic.h"
#include "nicdrig.h"

#define SIZE (1u << 20)

/* What the daemon does: answers, or does something else at the n-th request, from 1 on. */
enum fault {
	NONE,
	SILENT,
	HANG_UP,
	SHORT,
	LONG,
	MAGIC,
	OTHER_VERSION,
	OTHER_OP,
	POSITIVE,
	NO_TEXT,
	ENDLESS_TEXT,
	NO_BINDING,
	QUEUE_0,
	OTHER_IFINDEX,
	STEER_0,
	BUFFER_0,
	REFUSE
};

struct daemon {
	pthread_t thread;
	int listener;
	enum fault fault;
	int at;                    /* request with the fault */
	int seen, fds;             /* requests and the descriptors with them */
	uint32_t last;             /* operation */
};

static struct devio_ctx *ctx;

static void spoil(struct dv_nicd_answer *a, enum fault m)
{
	a->magic += m == MAGIC;
	a->version += m == OTHER_VERSION;
	a->op = m == OTHER_OP ? a->op % 3 + 1 : m == REFUSE ? DV_NICD_REFUSE : a->op;
	a->err = m == POSITIVE ? 5 : m == NO_TEXT || m == ENDLESS_TEXT ? -EIO : m == REFUSE ? -EBUSY : 0;
	if (m == ENDLESS_TEXT)
		memset(a->text, 'x', sizeof(a->text));
	if (m == REFUSE)
		strcpy(a->text, "devio-nicd: in the test's words");
	if (m == NO_BINDING)
		a->binding = 0;
	if (m == QUEUE_0)
		a->queue = 0;
	if (m == STEER_0)
		a->steer = 0;
	if (m == BUFFER_0)
		a->buffer = 0;
	a->ifindex += m == OTHER_IFINDEX;
}

/* One request; false: the end. */
static bool serve(struct daemon *d, int fd)
{
	struct dv_nicd_answer a[2] = { { .magic = DV_NICD_MAGIC,
					 .version = DV_NICD_VERSION,
					 .ifindex = if_nametoindex("lo"),
					 .steer = DEVIO_STEER_RULES,
					 .queue = 3,
					 .queues = 1,
					 .binding = 77,
					 .buffer = 16384 } };
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct dv_nicd_request q;
	struct iovec iov = { .iov_base = &q, .iov_len = sizeof(q) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	enum fault m = ++d->seen == d->at ? d->fault : NONE;

	if (n != sizeof(q))
		return false;
	if (CMSG_FIRSTHDR(&msg)) {
		memcpy(&n, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
		close((int)n);
		d->fds++;
	}
	d->last = a->op = q.op;
	a->rules = (uint32_t)d->seen - 1;
	spoil(a, m);
	if (m == HANG_UP)
		return false;
	if (m != SILENT)
		(void)!send(fd, a,
			    m == SHORT	? sizeof(a[0]) - 1
			    : m == LONG ? sizeof(a[0]) + 1
					: sizeof(a[0]),
			    MSG_NOSIGNAL);
	return true;
}

static void *daemon_main(void *arg)
{
	struct daemon *d = arg;
	int fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC);

	while (fd >= 0 && serve(d, fd))
		;
	close(fd);
	return NULL;
}

static void daemon_start(struct daemon *d, enum fault m, int at)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	*d = (struct daemon){ .fault = m, .at = at, .listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) };
	strcpy(a.sun_path, nicd_path());
	unlink(a.sun_path);
	must(!bind(d->listener, (struct sockaddr *)&a, sizeof(a)) && !listen(d->listener, 4), "a listener");
	must(!pthread_create(&d->thread, NULL, daemon_main, d), "a thread");
}

static void daemon_end(struct daemon *d)
{
	shutdown(d->listener, SHUT_RDWR);
	pthread_join(d->thread, NULL);
	close(d->listener);
	unlink(nicd_path());
}

/* A memory whose dma-buf is a plain file, which only the real daemon would detect. */
static struct devio_mem *a_mem(void)
{
	struct devio_mem *m = fake_mem(ctx, SIZE, DEVIO_MEM_EXPORT);

	m->dmabuf_fd = memfd_create("nicclient", MFD_CLOEXEC);
	must(m->dmabuf_fd >= 0 && !ftruncate(m->dmabuf_fd, SIZE), "a memory");
	return m;
}

static struct devio_sock *a_listener(void)
{
	struct devio_sock *s;

	must_zero(devio_sock_listen(ctx, "127.0.0.1", "0", NULL, &s));
	return s;
}

static void test_all_well(void **state)
{
	struct devio_nic_info i = DEVIO_OPTS(i);
	struct devio_sock *s = a_listener();
	struct devio_mem *m = a_mem();
	struct devio_nic *n;
	struct daemon d;

	(void)state;
	daemon_start(&d, NONE, 0);
	must_zero(devio_nic_open(ctx, "lo", m, NULL, &n));
	must_zero(devio_nic_get_info(n, &i));
	must(i.queue == 3 && i.queues == 1 && i.binding == 77 && i.steer == DEVIO_STEER_RULES && !i.rules,
	     "what it answered");
	must(dv_nic_find(ctx, if_nametoindex("lo")) == n, "it is found");
	dv_nic_put(n);
	must_zero(devio_nic_steer(n, s));
	must_zero(devio_nic_steer(n, s));
	must_zero(devio_nic_get_info(n, &i));
	must(i.rules == 2, "%u rules", i.rules);
	devio_nic_close(n);
	must(!dv_nic_find(ctx, if_nametoindex("lo")), "it is not found any more");
	daemon_end(&d);
	must(d.last == DV_NICD_CLOSE && d.fds == 3, "it was closed; %d descriptors", d.fds);
	devio_sock_close(s);
	devio_mem_free(m);
}

/* Errors with a sentence, in time, and the daemon sees the end of the connection. */
static void test_mischief(void **state)
{
	static const struct { enum fault m; int err; const char *words; } bad[] = {
		{ SILENT, -ETIMEDOUT, "did not answer within" },
		{ HANG_UP, -ECONNRESET, "has ended" },
		{ SHORT, -EPROTO, "invalid answer" },
		{ LONG, -EPROTO, "invalid answer" },
		{ MAGIC, -EPROTO, "invalid answer" },
		{ OTHER_VERSION, -EPROTONOSUPPORT, "another protocol version" },
		{ OTHER_OP, -EPROTO, "invalid answer" },
		{ POSITIVE, -EPROTO, "invalid answer" },
		{ NO_TEXT, -EPROTO, "invalid answer" },
		{ ENDLESS_TEXT, -EPROTO, "invalid answer" },
		{ NO_BINDING, -EPROTO, "invalid answer" },
		{ QUEUE_0, -EPROTO, "invalid answer" },
		{ STEER_0, -EPROTO, "invalid answer" },
		{ BUFFER_0, -EPROTO, "invalid answer" },
		{ OTHER_IFINDEX, -EPROTO, "were requested" },
		{ REFUSE, -EBUSY, "in the test's words" },
	};
	struct devio_mem *m = a_mem();
	struct devio_nic *n;
	struct daemon d;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		double start = rig_now();

		daemon_start(&d, bad[i].m, 1);
		must_fail(devio_nic_open(ctx, "lo", m, NULL, &n), bad[i].err);
		must(strstr(devio_errmsg(), bad[i].words), "%s", devio_errmsg());
		must(rig_now() - start < 5, "in time");
		must(!dv_nic_find(ctx, if_nametoindex("lo")), "there is none");
		daemon_end(&d);
		must(m->refs == 1, "the memory is free again");
	}
	devio_mem_free(m);
}

/* The same later: to steer, and to close. */
static void test_later(void **state)
{
	static const struct { enum fault m; int err, next; } bad[] = {
		{ SILENT, -ETIMEDOUT, -ECONNRESET },
		{ HANG_UP, -ECONNRESET, -ECONNRESET },
		{ SHORT, -EPROTO, -ECONNRESET },
		{ REFUSE, -EBUSY, 0 },
	};
	struct devio_sock *s = a_listener();
	struct devio_mem *m = a_mem();
	struct devio_nic *n;
	struct daemon d;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		double start = rig_now();

		daemon_start(&d, bad[i].m, 2);
		must_zero(devio_nic_open(ctx, "lo", m, NULL, &n));
		must_fail(devio_nic_steer(n, s), bad[i].err);
		if (bad[i].next)
			must_fail(devio_nic_steer(n, s), bad[i].next);
		else
			must_zero(devio_nic_steer(n, s));
		devio_nic_close(n);
		daemon_end(&d);
		daemon_start(&d, bad[i].m, 2);
		must_zero(devio_nic_open(ctx, "lo", m, NULL, &n));
		devio_nic_close(n);
		daemon_end(&d);
		must(rig_now() - start < 10, "in time");
	}
	must(m->refs == 1, "the memory is free again");
	devio_mem_free(m);
	devio_sock_close(s);
}

static void test_none(void **state)
{
	struct devio_nic_opts o = DEVIO_OPTS(o);
	struct devio_mem *m = a_mem();
	struct devio_nic *n;
	struct daemon d;
	char path[200];

	(void)state;
	unlink(nicd_path());
	must_fail(devio_nic_open(ctx, "lo", m, NULL, &n), -EOPNOTSUPP);
	must(strstr(devio_errmsg(), "virtual interface"), "%s", devio_errmsg());
	daemon_start(&d, NONE, 0);
	o.flags = DEVIO_NIC_NO_DAEMON;
	must_fail(devio_nic_open(ctx, "lo", m, &o, &n), -EOPNOTSUPP);
	daemon_end(&d);
	must(!d.seen, "no request was sent");
	o.flags = 2;
	must_fail(devio_nic_open(ctx, "lo", m, &o, &n), -EINVAL);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	setenv("DEVIO_NICD_SOCKET", path, 1);
	must_fail(devio_nic_open(ctx, "lo", m, NULL, &n), -ENAMETOOLONG);
	setenv("DEVIO_NICD_SOCKET", nicd_path(), 1);
	devio_mem_free(m);
}

/* A memory that is not all of its dma-buf: the NIC would write into the rest. */
static void test_part(void **state)
{
	struct devio_mem *m = a_mem();
	struct devio_nic *n;
	struct daemon d;

	(void)state;
	must(!ftruncate(m->dmabuf_fd, 2 * SIZE), "a larger one");
	daemon_start(&d, NONE, 0);
	must_fail(devio_nic_open(ctx, "lo", m, NULL, &n), -EINVAL);
	must(strstr(devio_errmsg(), "spans its dma-buf"), "%s", devio_errmsg());
	daemon_end(&d);
	must(!d.fds, "the daemon gets none of it");
	devio_mem_free(m);
}

/* No accept(): connecting waits, but not for ever. */
static void test_full(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct devio_mem *m = a_mem();
	double start = rig_now();
	struct devio_nic *n;

	(void)state;
	strcpy(a.sun_path, nicd_path());
	must(!bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 0), "a listener");
	for (int i = 0; i < 3; i++)
		must_fail(devio_nic_open(ctx, "lo", m, NULL, &n), -ETIMEDOUT);
	must(rig_now() - start < 10, "in time");
	close(fd);
	unlink(nicd_path());
	devio_mem_free(m);
}

/* As a program without CAP_NET_ADMIN, whichever user runs the test. */
static void drop_right(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (!syscall(SYS_capget, &head, data)) {
		data[0].effective &= ~(1u << CAP_NET_ADMIN);
		(void)syscall(SYS_capset, &head, data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_well), cmocka_unit_test(test_mischief), cmocka_unit_test(test_later),
		cmocka_unit_test(test_none), cmocka_unit_test(test_part), cmocka_unit_test(test_full),
	};
	int rc;

	drop_right();
	dv_nicclient_wait_ms = 400;
	setenv("DEVIO_NICD_SOCKET", nicd_path(), 1);
	if (devio_ctx_open(NULL, &ctx))
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	devio_ctx_close(ctx);
	return rc;
}
