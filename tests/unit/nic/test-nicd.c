/* SPDX-License-Identifier: MIT */
/* devio-nicd without a NIC: clients that do what they should not, limits, and its end. */
#include "config.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <devio.h>
#include "nicdrig.h"

static const char *const plain[] = { "lo", NULL };

/* What is no request: an answer, and the end. */
static void test_nonsense(void **state)
{
	struct dv_nicd_request q = request_for("lo");
	int fds[16], memfd = memfd_create("nicd", MFD_CLOEXEC);
	unsigned char junk[70000];
	struct nicd_rig r;

	(void)state;
	for (int i = 0; i < 16; i++)
		fds[i] = memfd;
	must(nicd_start(&r, plain), "%s", r.said);
	must_refuse(&q, sizeof(q), fds, 0, -EBADF, "one descriptor");
	must_refuse(&q, sizeof(q), fds, 2, -EBADF, "one descriptor");
	must_refuse(&q, sizeof(q), fds, 16, -EBADF, "one descriptor");
	must_refuse(&q, sizeof(q) - 1, fds, 1, -EPROTO, "not a request");
	must_refuse(&q, 1, fds, 1, -EPROTO, "not a request");
	memset(junk, 0xa5, sizeof(junk));
	memcpy(junk, &q, sizeof(q));
	must_refuse(junk, sizeof(q) + 1, fds, 1, -EPROTO, "not a request");
	must_refuse(junk, sizeof(junk), fds, 1, -EPROTO, "not a request");
	must_refuse(junk + sizeof(q), 3000, fds, 3, -EPROTO, "not a request");
	q.version = DV_NICD_VERSION - 1;
	must_refuse_open(&q, memfd, -EPROTONOSUPPORT, "version mismatch");
	q = request_for("lo");
	q.magic ^= 1;
	must_refuse_open(&q, memfd, -EPROTO, "not a request");
	q = request_for("lo");
	q.op = 4;
	must_refuse_open(&q, memfd, -EPROTO, "not a request");
	q = request_for("lo");
	memset(q.ifname, 'x', sizeof(q.ifname));
	must_refuse_open(&q, memfd, -EPROTO, "not a request");
	q = request_for("lo");
	q.queues = 1025;
	must_refuse_open(&q, memfd, -EPROTO, "not a request");
	q = (struct dv_nicd_request){ .magic = DV_NICD_MAGIC, .version = DV_NICD_VERSION, .op = DV_NICD_CLOSE };
	must_refuse(&q, sizeof(q), fds, 1, -EBADF, "one descriptor");
	must_refuse(&q, sizeof(q), fds, 0, -EINVAL, "no NIC");
	q.op = DV_NICD_STEER;
	must_refuse_open(&q, memfd, -EINVAL, "no NIC");
	must(!nicd_stop_by(&r, SIGTERM), "it ends well");
	must(access(nicd_path(), F_OK), "and its socket is gone");
	close(memfd);
}

/* What it does not offer. */
static void test_refusals(void **state)
{
	int memfd = memfd_create("nicd", MFD_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct dv_nicd_request q = request_for("none0");
	struct nicd_rig r;

	(void)state;
	must(nicd_start(&r, plain), "%s", r.said);
	must_refuse_open(&q, memfd, -EACCES, "none0 is not offered");
	q = request_for("lo");
	q.netns++;
	must_refuse_open(&q, memfd, -EXDEV, "network namespace");
	q = request_for("lo");
	q.steer = DEVIO_STEER_RSS;
	must_refuse_open(&q, memfd, -EACCES, "--rss");
	q.steer = DEVIO_STEER_USER;
	must_refuse_open(&q, memfd, -EACCES, "--rss");
	q = request_for("lo");
	q.queues = 2;
	must_refuse_open(&q, memfd, -EACCES, "--queues");
	q = request_for("lo");
	must(!ftruncate(memfd, 1 << 20), "a memory");
	must_refuse_open(&q, memfd, -EINVAL, "not a dma-buf");
	must_refuse_open(&q, null, -EINVAL, "not a dma-buf");
	must(!nicd_stop_by(&r, SIGINT), "it ends well");
	close(memfd);
	close(null);
}

/* A dma-buf of this machine, for the cases below; -1: there is none. */
static int a_dmabuf(struct devio_ctx **ctx, struct devio_mem **mem)
{
	static const char *const specs[] = { "udmabuf", "dmaheap" };
	uint64_t off;
	int fd;

	must_zero(devio_ctx_open(NULL, ctx));
	for (int i = 0; i < 2; i++) {
		if (devio_mem_alloc(*ctx, specs[i], 1 << 20, NULL, mem))
			continue;
		must_zero(devio_mem_export(*mem, &fd, &off));
		return fd;
	}
	devio_ctx_close(*ctx);
	return -1;
}

/* The library's own refusal, of the process that has the right, gets to the client as it is. */
static void test_sentence(void **state)
{
	struct dv_nicd_request q = request_for("lo");
	struct devio_ctx *ctx;
	struct devio_mem *mem;
	struct nicd_rig r;
	int dmabuf = a_dmabuf(&ctx, &mem);

	(void)state;
	if (dmabuf < 0)
		must_skip("no dma-buf here: neither /dev/udmabuf nor /dev/dma_heap");
	must(nicd_start(&r, plain), "%s", r.said);
	must_refuse_open(&q, dmabuf, -EOPNOTSUPP, "nic lo: it is a virtual interface: use the NIC itself");
	q.size++;
	must_refuse_open(&q, dmabuf, -ERANGE, "exceed the dma-buf");
	must(!nicd_stop_by(&r, SIGTERM), "it ends well");
	close(dmabuf);
	devio_mem_free(mem);
	devio_ctx_close(ctx);
}

static unsigned int open_fds(pid_t pid)
{
	unsigned int n = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	must(dir, "%s", path);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Clients that send nothing block no other, and are disconnected. */
static void test_silence(void **state)
{
	static const char *const options[] = { "--timeout=1.5", "--clients=40", "lo", NULL };
	struct dv_nicd_request q = request_for("none0");
	int silent[15], memfd = memfd_create("nicd", MFD_CLOEXEC);
	unsigned int before;
	struct dv_nicd_answer a;
	struct nicd_rig r;
	double start;

	(void)state;
	must(nicd_start(&r, options), "%s", r.said);
	before = open_fds(r.pid);
	for (int i = 0; i < 15; i++)
		silent[i] = nicd_dial();
	start = rig_now();
	for (int i = 0; i < 5; i++)
		must_refuse_open(&q, memfd, -EACCES, "none0");
	must(rig_now() - start < 1.4, "the others are served meanwhile: %.1f s", rig_now() - start);
	for (int i = 0; i < 15; i++) {
		must(nicd_heard(silent[i], &a) && a.err == -ETIMEDOUT, "it gets the cause: %s", a.text);
		must(!nicd_heard(silent[i], &a), "and ended");
		close(silent[i]);
	}
	must(rig_now() - start < 10, "in time: %.1f s", rig_now() - start);
	must(open_fds(r.pid) == before, "%u descriptors, and %u before", open_fds(r.pid), before);
	must(!nicd_stop_by(&r, SIGTERM), "it ends well");
	close(memfd);
}

static void test_limits(void **state)
{
	static const char *const options[] = { "--clients=4", "lo", NULL };
	/* Half of the places, or all of them for root. */
	int max = geteuid() ? 2 : 4, open_fd[4], memfd = memfd_create("nicd", MFD_CLOEXEC);
	struct dv_nicd_request q = request_for("none0");
	struct nicd_rig r;
	double end;

	(void)state;
	must(nicd_start(&r, options), "%s", r.said);
	for (int i = 0; i < max; i++)
		open_fd[i] = nicd_dial();
	usleep(200000); /* those are accepted first */
	must_refuse_open(&q, memfd, -EBUSY, "--clients");
	close(open_fd[0]);
	/* It is noticed a little later. */
	for (end = rig_now() + 10;; usleep(20000)) {
		int fd = nicd_dial();
		struct dv_nicd_answer a = { .err = 0 };

		nicd_send(fd, &q, sizeof(q), &memfd, 1);
		must(nicd_heard(fd, &a), "an answer");
		close(fd);
		if (a.err == -EACCES)
			break;
		must(a.err == -EBUSY && rig_now() < end, "room again: %s", a.text);
	}
	for (int i = 1; i < max; i++)
		close(open_fd[i]);
	must(!nicd_stop_by(&r, SIGTERM), "it ends well");
	close(memfd);
}

static void test_users(void **state)
{
	static const char *const others[] = { "--users=64321,64322", "lo", NULL };
	char own[32];
	const char *const me[] = { own, "lo", NULL };
	struct dv_nicd_request q = request_for("none0");
	int memfd = memfd_create("nicd", MFD_CLOEXEC);
	struct stat st;
	struct nicd_rig r;

	(void)state;
	must(nicd_start(&r, others), "%s", r.said);
	must_refuse_open(&q, memfd, -EACCES, "--users");
	must(!stat(nicd_path(), &st) && (st.st_mode & 0777) == 0600, "the socket is 0%o", st.st_mode & 0777);
	must(!nicd_stop_by(&r, SIGTERM), "it ends well");
	snprintf(own, sizeof(own), "--users=64321,%u", (unsigned int)geteuid());
	must(nicd_start(&r, me), "%s", r.said);
	must_refuse_open(&q, memfd, -EACCES, "none0");
	must(!nicd_stop_by(&r, SIGTERM), "it ends well");
	close(memfd);
}

/* A second one, a dead one's socket, a file in its place. */
static void test_socket(void **state)
{
	static const char *const open_to_all[] = { "--mode=666", "lo", NULL };
	struct nicd_rig r, second;
	struct stat st;
	int fd;

	(void)state;
	must(nicd_start(&r, plain), "%s", r.said);
	must(!nicd_start(&second, plain), "a second one");
	must(strstr(second.said, "in use by another process"), "%s", second.said);
	must(WEXITSTATUS(nicd_stop_by(&second, 0)) == 1, "fails");
	must(WTERMSIG(nicd_stop_by(&r, SIGKILL)) == SIGKILL, "a kill");
	must(!stat(nicd_path(), &st) && S_ISSOCK(st.st_mode), "leaves the socket");
	must(nicd_start(&r, open_to_all), "%s", r.said);
	must(!stat(nicd_path(), &st) && (st.st_mode & 0777) == 0666, "the socket is 0%o", st.st_mode & 0777);
	must(!nicd_stop_by(&r, SIGTERM), "it ends well");
	fd = open(nicd_path(), O_CREAT | O_WRONLY, 0600);
	must(fd >= 0, "a file");
	close(fd);
	must(!nicd_start(&r, plain), "a file in its place");
	must(WEXITSTATUS(nicd_stop_by(&r, 0)) == 1, "fails");
	must(!stat(nicd_path(), &st) && S_ISREG(st.st_mode), "and stays");
	unlink(nicd_path());
}

static int listening(int type)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, nicd_path());
	must(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 8), "a socket: %s", strerror(errno));
	return fd;
}

/* A service manager's socket: its mode, its place and its clients that came early stay; one of another kind is refused.
 */
static void test_inherited(void **state)
{
	static const char *const other_path[] = { "--socket=not-used.sock", "--mode=666", "lo", NULL };
	struct dv_nicd_request q = request_for("none0");
	int memfd = memfd_create("nicd", MFD_CLOEXEC), early;
	struct dv_nicd_answer a = { .err = 0 };
	struct nicd_rig r;
	struct stat st;

	(void)state;
	nicd_listener = listening(SOCK_SEQPACKET);
	must(!chmod(nicd_path(), 0640), "chmod");
	early = nicd_dial();
	nicd_send(early, &q, sizeof(q), &memfd, 1);
	must(nicd_start(&r, other_path), "%s", r.said);
	must(nicd_heard(early, &a) && a.err == -EACCES && strstr(a.text, "none0"), "an answer: %s", a.text);
	close(early);
	must_refuse_open(&q, memfd, -EACCES, "none0");
	must(!nicd_stop_by(&r, SIGTERM), "it ends well");
	must(!stat(nicd_path(), &st) && (st.st_mode & 0777) == 0640, "the socket stays: 0%o", st.st_mode & 0777);
	must(access("not-used.sock", F_OK), "there is no other");
	close(nicd_listener);
	unlink(nicd_path());
	nicd_listener = listening(SOCK_STREAM);
	must(!nicd_start(&r, plain) && strstr(r.said, "LISTEN_FDS"), "%s", r.said);
	must(WEXITSTATUS(nicd_stop_by(&r, 0)) == 1, "fails");
	close(nicd_listener);
	nicd_listener = -1;
	unlink(nicd_path());
	close(memfd);
}

/* Its processes end with it, however it ends. */
static void test_killed(void **state)
{
	struct dv_nicd_answer a;
	struct nicd_rig r;
	int fd;

	(void)state;
	for (int i = 0; i < 2; i++) {
		must(nicd_start(&r, plain), "%s", r.said);
		fd = nicd_dial();
		usleep(200000);
		(void)nicd_stop_by(&r, i ? SIGKILL : SIGTERM);
		must(!nicd_heard(fd, &a), "the client sees its end");
		close(fd);
		unlink(nicd_path());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nonsense), cmocka_unit_test(test_refusals), cmocka_unit_test(test_sentence),
		cmocka_unit_test(test_silence), cmocka_unit_test(test_limits), cmocka_unit_test(test_users),
		cmocka_unit_test(test_socket), cmocka_unit_test(test_inherited), cmocka_unit_test(test_killed),
	};

	unsetenv("DEVIO_NICD_SOCKET");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
