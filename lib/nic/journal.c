/* SPDX-License-Identifier: MIT */
/* The journal of an interface: its settings before they were changed. */
#include "config.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "nic/journal.h"

#define HEAD "devio-nic 1 "
#define MAX_TEXT (64u << 10)

const char *dv_journal_dir;

static int parse_rss(const char *at, struct dv_nicstate *s)
{
	char *end;
	unsigned long n = strtoul(at, &end, 10);

	if (end == at || !n || n > DV_RSS_MAX)
		return -EBADMSG;
	for (unsigned long i = 0; i < n; i++) {
		at = end;
		s->rss[i] = (uint32_t)strtoul(at, &end, 10);
		if (end == at)
			return -EBADMSG;
	}
	s->rss_size = (unsigned int)n;
	return *end == '\n' ? 0 : -EBADMSG;
}

static int parse_line(const char *at, struct dv_nicstate *s)
{
	struct dv_split split;
	unsigned int rule, queue = DV_QUEUE_UNKNOWN;
	long long thresh;

	if (!strncmp(at, "rss ", 4))
		return parse_rss(at + 4, s);
	if (sscanf(at, "split %d %lld\n", &split.split, &thresh) == 2) {
		s->split = (struct dv_split){ .split = split.split, .thresh = thresh };
		s->has_split = true;
		return split.split >= -1 && split.split <= DV_SPLIT_DEFAULT && thresh >= -1 ? 0 : -EBADMSG;
	}
	/* Recorded, but refused by the NIC: a rule at this location belongs to someone else. */
	if (sscanf(at, "norule %u\n", &rule) == 1 && s->nr_rules && s->rules[s->nr_rules - 1] == rule) {
		s->nr_rules--;
		return 0;
	}
	if (sscanf(at, "rule %u %u\n", &rule, &queue) >= 1 && s->nr_rules < DV_JOURNAL_RULES) {
		s->rule_queue[s->nr_rules] = queue;
		s->rules[s->nr_rules++] = rule;
		return 0;
	}
	return -EBADMSG;
}

int dv_nicstate_parse(const char *text, struct dv_nicstate *s)
{
	const char *end = strchr(text, '\n');
	int rc = 0;

	memset(s, 0, sizeof(*s));
	if (!end)
		return *text && strncmp(text, HEAD, strlen(HEAD)) && strncmp(HEAD, text, strlen(text)) ? -EBADMSG : 0;
	if (sscanf(text, HEAD "%15s %u\n", s->ifname, &s->ifindex) != 2 || !s->ifindex)
		return -EBADMSG;
	while (!rc && (text = end + 1, end = strchr(text, '\n')))
		rc = parse_line(text, s);
	return rc;
}

int dv_nicstate_line_split(const struct dv_split *split, char *buf, size_t size)
{
	return snprintf(buf, size, "split %d %lld\n", split->split, (long long)split->thresh);
}

int dv_nicstate_line_rss(const uint32_t *table, unsigned int n, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, "rss %u", n);

	for (unsigned int i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, " %u", table[i]);
	if (at < size)
		at += (size_t)snprintf(buf + at, size - at, "\n");
	return (int)at;
}

/*
 * Owned by the user and writable by nobody else: the contents of its files are acted upon. Root acts on those of the
 * user to whom root gave /run/devio, who may change interfaces anyway: devio-nicd.
 */
static int open_dir(const char *path, bool given)
{
	struct stat st;
	int fd;

	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? -EPERM : -errno;
	if (!fstat(fd, &st) && !(st.st_mode & 022) && (st.st_uid == geteuid() || (given && !geteuid())))
		return fd;
	close(fd);
	return -EPERM;
}

/* A descriptor, or -errno. */
static int journal_dir(void)
{
	const char *user = secure_getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];
	int fd;

	if (dv_journal_dir)
		return open_dir(dv_journal_dir, false);
	fd = open_dir("/run/devio", true);
	if (fd >= 0 || !user || *user != '/' || snprintf(path, sizeof(path), "%s/devio", user) >= (int)sizeof(path))
		return fd;
	return open_dir(path, false);
}

unsigned long dv_journal_netns(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		cookie = 0;
	if (fd >= 0)
		close(fd);
	return (unsigned long)cookie;
}

#define NAME_SIZE 64
static void journal_name(const char *ifname, unsigned int ifindex, char *buf)
{
	snprintf(buf, NAME_SIZE, "nic-%lu-%u-%.15s", dv_journal_netns(), ifindex, ifname);
}

/* Still the file of that name (it may have been unlinked before it was locked), and of nobody else. */
static int check_file(int dir, int fd, const char *name)
{
	struct stat a, b, d;

	if (fstat(dir, &d) || fstat(fd, &a) || fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW))
		return -EAGAIN;
	if (a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		return -EAGAIN;
	if (!S_ISREG(a.st_mode) || a.st_nlink != 1 || (a.st_uid != d.st_uid && a.st_uid != geteuid()))
		return -EPERM;
	/* The directory's owner has to restore from it. */
	return a.st_uid == d.st_uid || !fchown(fd, d.st_uid, d.st_gid) ? 0 : -errno;
}

static int open_locked(int dir, const char *name)
{
	for (int tries = 0; tries < 100; tries++) {
		int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_APPEND, 0600);
		int rc;

		if (fd < 0)
			return -errno;
		rc = flock(fd, LOCK_EX | LOCK_NB) ? (errno == EWOULDBLOCK ? -EBUSY : -errno) :
		     check_file(dir, fd, name);
		if (!rc)
			return fd;
		close(fd);
		if (rc != -EAGAIN)
			return rc;
	}
	return -EBUSY;
}

static int read_state(int fd, struct dv_nicstate *s)
{
	char *text = malloc(MAX_TEXT);
	ssize_t n = text ? pread(fd, text, MAX_TEXT - 1, 0) : -1;
	int rc = text ? -EIO : -ENOMEM;

	if (n >= 0) {
		text[n] = '\0';
		rc = n == MAX_TEXT - 1 ? -EBADMSG : dv_nicstate_parse(text, s);
	}
	free(text);
	return rc;
}

int dv_journal_open(const char *ifname, unsigned int ifindex, struct dv_nicstate *old)
{
	int rc, fd, dir = journal_dir();
	char name[NAME_SIZE];

	if (dir < 0)
		return dir;
	journal_name(ifname, ifindex, name);
	fd = open_locked(dir, name);
	close(dir);
	if (fd < 0)
		return fd;
	rc = read_state(fd, old);
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

int dv_journal_add(int fd, const char *line)
{
	off_t size = dv_journal_size(fd);
	size_t len = strlen(line);
	ssize_t n;

	if (size < 0)
		return (int)size;
	if ((size_t)size + len >= MAX_TEXT - 1)
		return -ENOSPC;
	n = write(fd, line, len);
	if (n < 0 || (size_t)n == len)
		return n < 0 ? -errno : 0;
	(void)ftruncate(fd, size);
	return -ENOSPC;
}

off_t dv_journal_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -errno : st.st_size;
}

int dv_journal_cut(int fd, off_t size)
{
	return size < 0 ? (int)size : ftruncate(fd, size) ? -errno : 0;
}

int dv_journal_begin(int fd, const char *ifname, unsigned int ifindex)
{
	char line[64];

	if (ftruncate(fd, 0))
		return -errno;
	snprintf(line, sizeof(line), HEAD "%s %u\n", ifname, ifindex);
	return dv_journal_add(fd, line);
}

void dv_journal_end(int fd, const char *ifname, unsigned int ifindex)
{
	int dir = journal_dir();
	char name[NAME_SIZE];

	if (dir >= 0) {
		journal_name(ifname, ifindex, name);
		(void)unlinkat(dir, name, 0);
		close(dir);
	}
	close(fd);
}

void dv_journal_leave(int fd)
{
	close(fd);
}

int dv_journal_each(int (*fn)(void *arg, const char *ifname, unsigned int ifindex), void *arg)
{
	unsigned long ns, here = dv_journal_netns();
	const struct dirent *d;
	unsigned int ifindex;
	char ifname[16];
	int rc = 0, fd = journal_dir();
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		rc = fd < 0 ? fd : -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (!rc && (d = readdir(dir)))
		if (sscanf(d->d_name, "nic-%lu-%u-%15s", &ns, &ifindex, ifname) == 3 && ns == here)
			rc = fn(arg, ifname, ifindex);
	closedir(dir);
	return rc;
}
