/* SPDX-License-Identifier: MIT */
/* devio-nicd: a user of its own, if root started it. */
#include "config.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "nicd.h"

#define USER "devio-nicd"
/* The range of DynamicUser= of systemd, whose numbers no other program gives to users. */
#define FIRST 61184u
#define LAST 65519u

static int fail(const char *what)
{
	tool_msg("cannot become a user of its own: %s: %s", what, strerror(errno));
	return -1;
}

/* By --user, of the Debian package, or one that nobody has. */
static int find(const char *name, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw = getpwnam(name ? name : USER);

	if (pw) {
		*uid = pw->pw_uid;
		*gid = pw->pw_gid;
		if (*uid && *gid)
			return 0;
		errno = EINVAL;
		return fail("the user or its group is root's");
	}
	errno = ENOENT;
	if (name)
		return fail(name);
	for (*uid = FIRST; *uid <= LAST; (*uid)++)
		if (!getpwuid(*uid) && !getgrgid(*uid)) {
			*gid = *uid;
			return 0;
		}
	return fail("no user number is free");
}

/* The journals in /run/devio, also those of processes that root started, which devio-nicd restores from. */
static int give_journals(uid_t uid, gid_t gid)
{
	int fd = open("/run/devio", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc;
	const struct dirent *e;
	struct stat st;
	DIR *dir;

	if (fd < 0)
		return fail("/run/devio");
	rc = fstat(fd, &st) || st.st_mode & 022 ? (errno = EPERM, -1) : fchown(fd, uid, gid);
	dir = rc ? NULL : fdopendir(fd);
	if (!dir) {
		rc = fail("/run/devio");
		close(fd);
		return rc;
	}
	while ((e = readdir(dir)))
		if (!strncmp(e->d_name, "nic-", 4) && !fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(st.st_mode) && st.st_nlink == 1)
			(void)fchownat(fd, e->d_name, uid, gid, AT_SYMLINK_NOFOLLOW);
	closedir(dir);
	return 0;
}

int nicd_become_user(const char *name)
{
	int death = 0;
	uid_t uid = 0; /* set by find(), which gcc does not see at -O1 */
	gid_t gid = 0;

	if (geteuid())
		return name ? (errno = EPERM, fail("--user: only root can")) : 0;
	if (find(name, &uid, &gid) || give_journals(uid, gid))
		return -1;
	(void)prctl(PR_GET_PDEATHSIG, &death);
	if (setgroups(0, NULL) || setresgid(gid, gid, gid))
		return fail("its group");
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setresuid(uid, uid, uid) || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0))
		return fail("its user");
	/* The kernel forgets it with the user. */
	if (death)
		(void)prctl(PR_SET_PDEATHSIG, death);
	return 0;
}
