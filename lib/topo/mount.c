/* SPDX-License-Identifier: MIT */
/* Mounts, and finding a file's mount. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "core/err.h"
#include "kern/sysfs.h"
#include "topo/topo.h"

static const char *const pseudo_types[] = {
	"proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "securityfs", "pstore", "efivarfs", "bpf",
	"debugfs", "tracefs", "configfs", "mqueue", "hugetlbfs", "autofs", "fusectl", "binfmt_misc",
	"rpc_pipefs", "nsfs", "selinuxfs", "fuse.gvfsd-fuse", "fuse.portal", "nfsd",
};

static int is_pseudo(const char *type)
{
	for (unsigned int i = 0; i < sizeof(pseudo_types) / sizeof(pseudo_types[0]); i++)
		if (!strcmp(type, pseudo_types[i]))
			return 1;
	return 0;
}

/* By device number, or by source for file systems with anonymous device numbers (btrfs, ...). */
static int find_device(struct devio_topo *t, const struct dv_mount *m)
{
	int i = dv_topo_find_devt(t, m->dev_major, m->dev_minor);

	return i >= 0 ? i : dv_topo_find_node(t, m->source);
}

static void add_mount(struct devio_topo *t, const struct dv_mount *m)
{
	struct devio_topo_fs *f = dv_topo_add(t, &t->fs, &t->nr_fs, sizeof(*f));

	if (!f)
		return;
	f->id = m->id;
	f->dev_major = m->dev_major;
	f->dev_minor = m->dev_minor;
	f->where = dv_topo_text(t, "%s", m->where);
	f->type = dv_topo_text(t, "%s", m->type);
	f->source = dv_topo_text(t, "%s", m->source);
	f->options = dv_topo_text(t, "%s,%s", m->options, m->super);
	f->block = find_device(t, m);
	f->pseudo = is_pseudo(m->type) || !strncmp(m->where, "/sys/", 5) || !strncmp(m->where, "/proc/", 6);
}

void dv_topo_read_mounts(struct devio_topo *t)
{
	char *text, *rest, *line;
	struct dv_mount m;
	unsigned int bad = 0;
	ssize_t n = dv_sysfs_slurp(t->root, &text, 16 << 20, "proc/self/mountinfo");

	if (n < 0) {
		dv_topo_note(t, "no file systems: cannot read proc/self/mountinfo (%s)", dv_errno_name(n));
		return;
	}
	rest = text;
	while ((line = dv_parse_line(&rest))) {
		if (dv_parse_mount(line, &m))
			bad++;
		else
			add_mount(t, &m);
	}
	free(text);
	if (bad)
		dv_topo_note(t, "skipped %u invalid lines of mountinfo", bad);
}

static int is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (n && dir[n - 1] == '/')
		n--;
	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

int dv_topo_find_mount(const struct devio_topo *t, const char *path)
{
	size_t best = 0;
	int found = -1;

	/* The last mount on a mount point hides the others. */
	for (unsigned int i = 0; i < t->nr_fs; i++) {
		size_t n = strlen(t->fs[i].where);

		if (n >= best && is_below(path, t->fs[i].where)) {
			best = n;
			found = i;
		}
	}
	return found;
}

static int by_name(const struct devio_topo *t, const char *file, int *fs, int *block)
{
	if (file[0] != '/')
		return dv_err(-EINVAL, "topo: %s: files of a captured machine need an absolute path", file);
	*block = dv_topo_find_node(t, file);
	*fs = -1;
	if (*block >= 0)
		return 0;
	*fs = dv_topo_find_mount(t, file);
	if (*fs >= 0 && !strncmp(file, "/dev/", 5) && !strcmp(t->fs[*fs].where, "/dev"))
		return dv_err(-ENOENT, "topo: %s: the captured machine has no such device", file);
	*block = *fs >= 0 ? t->fs[*fs].block : -1;
	return 0;
}

static int by_mount_id(const struct devio_topo *t, const struct statx *st)
{
#ifdef STATX_MNT_ID
	for (unsigned int i = 0; st->stx_mask & STATX_MNT_ID && i < t->nr_fs; i++)
		if ((uint64_t)t->fs[i].id == st->stx_mnt_id)
			return i;
#endif
	for (unsigned int i = 0; i < t->nr_fs; i++)
		if (t->fs[i].dev_major == st->stx_dev_major && t->fs[i].dev_minor == st->stx_dev_minor)
			return i;
	return -1;
}

static int wrong_type(const char *file, unsigned int mode)
{
	/* A directory represents the files in it. */
	if (!S_ISREG(mode) && !S_ISBLK(mode) && !S_ISDIR(mode))
		return dv_err(-ESPIPE, "topo: %s: not a regular file, block device or directory", file);
	return 0;
}

DEVIO_API int devio_topo_find_file(const struct devio_topo *t, const char *file, int *fs, int *block)
{
	struct statx st;
	unsigned int mask = STATX_TYPE;
	int rc;

#ifdef STATX_MNT_ID
	mask |= STATX_MNT_ID;
#endif
	if (!file || !*file)
		return dv_err(-EINVAL, "topo: file name is NULL or empty");
	if (t->captured)
		return by_name(t, file, fs, block);
	if (statx(AT_FDCWD, file, 0, mask, &st))
		return dv_err(-errno, "topo: cannot stat %s", file);
	rc = wrong_type(file, st.stx_mode);
	if (rc)
		return rc;
	if (S_ISBLK(st.stx_mode)) {
		*fs = -1;
		*block = dv_topo_find_devt(t, st.stx_rdev_major, st.stx_rdev_minor);
		return 0;
	}
	*fs = by_mount_id(t, &st);
	*block = *fs >= 0 ? t->fs[*fs].block : -1;
	return 0;
}
