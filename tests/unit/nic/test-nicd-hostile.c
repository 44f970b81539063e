/* SPDX-License-Identifier: MIT */
/* devio-nicd and clients that want to stop it, or to get its rights. */
#include "config.h"
#include <dirent.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <devio.h>
#include "nicdrig.h"

static const char *const plain[] = { "lo", NULL };

/* A connection whose last close(2) waits a day: its peer reads nothing. */
static int lingering(int *peer)
{
	const struct linger l = { 1, 86400 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(a);
	static char buf[65536];

	must(!bind(listener, (struct sockaddr *)&a, sizeof(a)) && !listen(listener, 1), "a listener");
	must(!getsockname(listener, (struct sockaddr *)&a, &len), "its port");
	must(!connect(fd, (struct sockaddr *)&a, len), "connect");
	*peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	must(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), "SO_LINGER");
	while (send(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* A process that sends a socket whose last close(2) blocks; it may block itself, if devio-nicd is faster. */
static pid_t attacker(bool leaves)
{
	int peer, fd, conn;
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = lingering(&peer);
	conn = nicd_dial();
	(void)nicd_send(conn, "x", 1, &fd, 1);
	close(fd);
	if (leaves)
		close(conn);
	for (;;)
		pause();
}

/* Messages whose sockets block whoever closes them last, by a user who is served and by one who is not. */
static void test_linger(void **state)
{
	static const char *const others[] = { "--users=64321", "--timeout=1", "lo", NULL };
	static const char *const all[] = { "--timeout=1", "lo", NULL };
	struct dv_nicd_request q = request_for("none0");
	int memfd = memfd_create("nicd", MFD_CLOEXEC);
	struct nicd_rig r;
	pid_t pid[8];
	double start;

	(void)state;
	for (int served = 0; served < 2; served++) {
		must(nicd_start(&r, served ? all : others), "%s", r.said);
		for (int i = 0; i < 8; i++)
			pid[i] = attacker(i & 1);
		usleep(500000);
		start = rig_now();
		must_refuse_open(&q, memfd, -EACCES, served ? "none0" : "--users");
		must(rig_now() - start < 1, "others are served: %.1f s", rig_now() - start);
		start = rig_now();
		must(!nicd_stop_by(&r, SIGTERM) && rig_now() - start < 3, "it ends: %.1f s", rig_now() - start);
		for (int i = 0; i < 8; i++) {
			kill(pid[i], SIGKILL);
			must(waitpid(pid[i], NULL, 0) == pid[i], "the attacker's end");
		}
	}
	close(memfd);
}

/* One user's connections in a minute; root may have more. */
static void test_rate(void **state)
{
	static const char *const options[] = { "--rate=5", "lo", NULL };
	struct dv_nicd_request q = request_for("none0");
	int memfd = memfd_create("nicd", MFD_CLOEXEC), refused = 0;
	struct dv_nicd_answer a;
	struct nicd_rig r;

	(void)state;
	must(nicd_start(&r, options), "%s", r.said);
	must(!chmod(nicd_path(), 0666), "chmod");
	if (!geteuid())
		must(!seteuid(65534), "seteuid");
	for (int i = 0; i < 12; i++) {
		int fd = nicd_dial();

		nicd_send(fd, &q, sizeof(q), &memfd, 1);
		must(nicd_heard(fd, &a), "an answer");
		must(a.err == (i < 5 ? -EACCES : -EAGAIN), "%d: %s", i, a.text);
		refused += !!strstr(a.text, "--rate");
		close(fd);
	}
	must(refused == 7, "%d refused", refused);
	if (!getuid())
		must(!seteuid(0), "seteuid");
	must(!nicd_stop_by(&r, SIGTERM), "it ends well");
	close(memfd);
}

/* The value of a field of /proc/PID/status. */
static unsigned long long status_of(pid_t pid, const char *field, int base)
{
	char path[64], line[512];
	unsigned long long value = ~0ull;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)) && line[strlen(field)] == ':')
			value = strtoull(line + strlen(field) + 1, NULL, base);
	if (f)
		fclose(f);
	return value;
}

static void must_be_confined(pid_t pid, unsigned long long caps)
{
	unsigned long long kept = status_of(pid, "CapPrm", 16);

	must(!(kept & ~caps) && status_of(pid, "CapEff", 16) == kept, "its capabilities: %llx", kept);
	must(!status_of(pid, "CapInh", 16) && !status_of(pid, "CapAmb", 16), "and those of programs that it starts");
	must(status_of(pid, "Uid", 10) && status_of(pid, "Gid", 10), "it is not root");
	must(status_of(pid, "Seccomp", 10) == 2 && status_of(pid, "NoNewPrivs", 10) == 1, "it is confined");
}

/* A user of its own, CAP_NET_ADMIN alone, and none for the process that a client can attack. */
static void test_rights(void **state)
{
	static const char *const as_nobody[] = { "--run-as=no-such-user", "lo", NULL };
	const unsigned long long net_admin = 1ull << 12;
	struct nicd_rig r;
	struct dirent *e;
	int fd, children = 0, without = 0;
	DIR *proc;

	(void)state;
	must(nicd_start(&r, plain), "%s", r.said);
	must_be_confined(r.pid, net_admin);
	fd = nicd_dial();
	usleep(300000);
	proc = opendir("/proc");
	while (proc && (e = readdir(proc))) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid <= 0 || status_of(pid, "PPid", 10) != (unsigned long long)r.pid)
			continue;
		must_be_confined(pid, net_admin);
		children++;
		without += !status_of(pid, "CapPrm", 16);
	}
	if (proc)
		closedir(proc);
	must(children == 2 && without >= 1, "%d processes for a client, %d without rights", children, without);
	close(fd);
	must(!nicd_stop_by(&r, SIGTERM), "it ends well");
	if (!geteuid()) {
		must(!nicd_start(&r, as_nobody), "it does not start");
		must(strstr(r.said, "cannot become a user of its own"), "%s", r.said);
		must(WEXITSTATUS(nicd_stop_by(&r, 0)) == 1, "fails");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linger), cmocka_unit_test(test_rate), cmocka_unit_test(test_rights),
	};

	unsetenv("DEVIO_NICD_SOCKET");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
