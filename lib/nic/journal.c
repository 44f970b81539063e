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
	long long thresh;
	unsigned int rule;

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
	if (sscanf(at, "rule %u\n", &rule) == 1 && s->nr_rules < DV_JOURNAL_RULES) {
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

/* Owned by the user and writable by nobody else: the contents of its files are acted upon. */
static int make_dir(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	if (lstat(dir, &st))
		return -errno;
	return !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022 ? -EPERM : 0;
}

static int journal_dir(char *buf, size_t size)
{
	const char *user = secure_getenv("XDG_RUNTIME_DIR");
	int rc;

	if (dv_journal_dir) {
		snprintf(buf, size, "%s", dv_journal_dir);
		return make_dir(buf);
	}
	snprintf(buf, size, "/run/devio");
	rc = make_dir(buf);
	if (!rc || !user || *user != '/')
		return rc;
	snprintf(buf, size, "%s/devio", user);
	return make_dir(buf);
}

unsigned long dv_journal_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : (unsigned long)st.st_ino;
}

static int journal_path(const char *ifname, unsigned int ifindex, char *buf, size_t size)
{
	int n, rc = journal_dir(buf, size);
	size_t at = strlen(buf);

	if (rc)
		return rc;
	n = snprintf(buf + at, size - at, "/nic-%lu-%u-%s", dv_journal_netns(), ifindex, ifname);
	return n >= (int)(size - at) ? -ENAMETOOLONG : 0;
}

/* The file may have been unlinked before it was locked. */
static bool is_same(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static int open_locked(const char *path)
{
	for (int tries = 0; tries < 100; tries++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_APPEND, 0600);

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			int err = errno;

			close(fd);
			return err == EWOULDBLOCK ? -EBUSY : -err;
		}
		if (is_same(fd, path))
			return fd;
		close(fd);
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
	char path[PATH_MAX];
	int fd, rc = journal_path(ifname, ifindex, path, sizeof(path));

	fd = rc ? rc : open_locked(path);
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
	size_t len = strlen(line);
	ssize_t n = write(fd, line, len);

	return n < 0 ? -errno : (size_t)n < len ? -ENOSPC : 0;
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
	char path[PATH_MAX];

	if (!journal_path(ifname, ifindex, path, sizeof(path)))
		(void)unlink(path);
	close(fd);
}

void dv_journal_leave(int fd)
{
	close(fd);
}

int dv_journal_each(int (*fn)(void *arg, const char *ifname, unsigned int ifindex), void *arg)
{
	unsigned long ns, here = dv_journal_netns();
	char path[PATH_MAX], ifname[16];
	unsigned int ifindex;
	const struct dirent *d;
	int rc = journal_dir(path, sizeof(path));
	DIR *dir = rc ? NULL : opendir(path);

	if (!dir)
		return rc ? rc : -errno;
	while (!rc && (d = readdir(dir)))
		if (sscanf(d->d_name, "nic-%lu-%u-%15s", &ns, &ifindex, ifname) == 3 && ns == here)
			rc = fn(arg, ifname, ifindex);
	closedir(dir);
	return rc;
}
