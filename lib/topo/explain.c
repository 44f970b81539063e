/* SPDX-License-Identifier: MIT */
/* Whether each path works for a file and a memory, why not, and how to fix it. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/err.h"
#include "topo/verdict.h"

#define MAX_DRIVES 64

/* O_DIRECT support by file system type, where statx() does not report it. */
static int dio_of_type(const struct devio_topo_fs *f)
{
	static const char *const yes[] = {
		"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat", "exfat", "ntfs3", "nfs", "nfs4", "bcachefs",
	};
	static const char *const no[] = { "tmpfs", "ramfs", "squashfs", "devtmpfs", "iso9660" };

	if (strstr(f->options, "data=journal"))
		return DEVIO_CAN_NOT;
	for (unsigned int i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!strcmp(f->type, yes[i]))
			return DEVIO_CAN;
	for (unsigned int i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (!strcmp(f->type, no[i]))
			return DEVIO_CAN_NOT;
	return DEVIO_CAN_UNKNOWN;
}

static int dio_of(const struct devio_topo *t, const struct dv_subject *s)
{
#if HAVE_DECL_STATX_DIOALIGN
	struct statx st;

	if (!t->captured && !statx(AT_FDCWD, s->file, 0, STATX_DIOALIGN, &st) && st.stx_mask & STATX_DIOALIGN)
		return st.stx_dio_offset_align ? DEVIO_CAN : DEVIO_CAN_NOT;
#endif
	if (s->fs < 0)
		return s->block >= 0 ? DEVIO_CAN : DEVIO_CAN_UNKNOWN;
	return dio_of_type(&t->fs[s->fs]);
}

static int describe(const struct devio_topo *t, const char *file, struct dv_subject *s)
{
	int rc = devio_topo_find_file(t, file, &s->fs, &s->block);

	if (rc)
		return rc;
	s->file = file;
	s->readable = t->captured || !access(file, R_OK);
	s->dio = dio_of(t, s);
	return 0;
}

static const char *type_of(const struct devio_topo *t, const struct dv_subject *s)
{
	return s->fs >= 0 ? t->fs[s->fs].type : s->block >= 0 ? "block device" : "unknown file system";
}

static void need_direct(const struct devio_topo *t, const struct dv_subject *s, struct devio_topo_verdict *v)
{
	const char *type = type_of(t, s);

	if (s->dio == DEVIO_CAN_NOT && s->block < 0)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NO_DIRECT, "put the file on ext4 or xfs on an NVMe drive",
			      "%s keeps files in the page cache: O_DIRECT is not supported", type);
	else if (s->dio == DEVIO_CAN_NOT)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NO_DIRECT,
			      "check whether data=journal, fs-verity, encryption or inline data is enabled for it",
			      "this file on %s does not support O_DIRECT", type);
	else if (s->dio == DEVIO_CAN_UNKNOWN)
		dv_verdict_maybe(v, DEVIO_REASON_NO_DIRECT, "try it: devio-probe --try",
				 "whether %s supports O_DIRECT is unknown", type);
	else if (s->fs >= 0 && !strcmp(type, "btrfs") && strstr(t->fs[s->fs].options, "compress"))
		dv_verdict_maybe(v, DEVIO_REASON_NO_DIRECT, "mount without compress, or run chattr +m on the file",
				 "btrfs reads compressed extents through the page cache");
}

static void need_uring(const struct devio_topo *t, struct devio_topo_verdict *v)
{
	if (t->machine.io_uring_disabled == 2)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NO_URING, "sysctl kernel.io_uring_disabled=0",
			      "io_uring is disabled (kernel.io_uring_disabled=2)");
	else if (t->machine.io_uring_disabled == 1 && (t->captured || geteuid()))
		dv_verdict_maybe(v, DEVIO_REASON_NO_URING, "run as root or join the group set in kernel.io_uring_group",
				 "io_uring is restricted to privileged processes (kernel.io_uring_disabled=1)");
}

/* A feature added between two releases: missing up to `no`, present from `yes`, unknown in between. */
static void need_kernel(const struct devio_topo *t, unsigned int no, unsigned int yes, const char *what,
			struct devio_topo_verdict *v)
{
	char fix[64];

	snprintf(fix, sizeof(fix), "use Linux %u.%u or newer", yes >> 16, yes >> 8 & 0xff);
	if (!t->machine.kernel || (t->machine.kernel > no && t->machine.kernel < yes))
		dv_verdict_maybe(v, DEVIO_REASON_TARGET, fix,
				 "whether %s supports peer memory in this kernel is unknown", what);
	else if (t->machine.kernel <= no)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, fix, "%s does not support peer memory in Linux %s",
			      what, t->machine.release);
}

static bool md_supports_peer(const char *level)
{
	return !strcmp(level, "raid0") || !strcmp(level, "raid1") || !strcmp(level, "raid10");
}

/* Whether the stack of block devices, from the file's down to the drives, supports bios with peer memory. */
static void need_peer_bios(const struct devio_topo *t, int block, int depth, struct devio_topo_verdict *v)
{
	const struct devio_topo_block *b = &t->block[block];
	char what[80];

	if (depth > 16)
		return;
	snprintf(what, sizeof(what), "%s (%s)", b->name,
		 b->kind == DEVIO_BLOCK_NVME_HEAD ? "NVMe multipath" : b->detail);
	if (b->kind == DEVIO_BLOCK_DM)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_TARGET,
			      "use a partition or a drive without LVM, dm-crypt or dm-multipath",
			      "device mapper (%s: %.60s) does not support peer memory", b->name, b->detail);
	else if (b->kind == DEVIO_BLOCK_LOOP)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "use the backing file directly",
			      "%s is a loop device, which does not support peer memory", b->name);
	else if (b->kind == DEVIO_BLOCK_MD && !md_supports_peer(b->detail))
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "use raid0, raid1 or raid10, or single drives",
			      "%s is md %s, which processes the data with the CPU and does not support peer memory",
			      b->name, b->detail);
	else if (b->kind == DEVIO_BLOCK_MD || b->kind == DEVIO_BLOCK_NVME_HEAD)
		need_kernel(t, DV_KERNEL(7, 1), DV_KERNEL(7, 3), what, v);
	for (unsigned int i = 0; i < b->nr_lower; i++)
		need_peer_bios(t, b->lower[i], depth + 1, v);
}

static bool is_pcie_nvme(const struct devio_topo_block *b)
{
	return (b->kind == DEVIO_BLOCK_NVME || b->kind == DEVIO_BLOCK_NVME_PATH) && b->pci >= 0 &&
	       !strcmp(b->transport, "pcie");
}

static void need_route(const struct devio_topo *t, const struct dv_object *o, int drive,
		       struct devio_topo_verdict *v)
{
	struct devio_topo_p2p p = DEVIO_OPTS(p);

	if (o->pci < 0) {
		dv_verdict_maybe(v, DEVIO_REASON_MAP, "specify the PCI address of the memory",
				 "the PCI address of the memory is unknown");
		return;
	}
	if (devio_topo_get_p2p(t, o->pci, t->block[drive].pci, &p) || p.can == DEVIO_CAN)
		return;
	if (p.can == DEVIO_CAN_NOT)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_MAP, p.fix, "%s to %s: %.180s", t->block[drive].name,
			      t->pci[o->pci].bdf, p.cause);
	else
		dv_verdict_maybe(v, DEVIO_REASON_MAP, p.fix, "%s to %s: %.180s", t->block[drive].name,
				 t->pci[o->pci].bdf, p.cause);
}

static int find_drives(const struct devio_topo *t, const struct dv_subject *s, int *drives,
		       struct devio_topo_verdict *v)
{
	int n = s->block >= 0 ? devio_topo_drives(t, s->block, drives, MAX_DRIVES) : 0;

	if (n <= 0 && s->fs >= 0 && !strcmp(t->fs[s->fs].type, "overlay"))
		dv_verdict_maybe(v, DEVIO_REASON_TARGET,
				 "use the file's path below the overlay's upper or lower directory",
				 "overlayfs hides which drive the file is on");
	else if (n <= 0)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "put the file on ext4 or xfs on an NVMe drive",
			      "%s is not on a drive of this machine", type_of(t, s));
	return n > MAX_DRIVES ? MAX_DRIVES : n;
}

/* Whether the drives can access the memory: all are NVMe over PCIe and have a peer-to-peer route to it. */
static void need_drives(const struct devio_topo *t, const struct dv_subject *s, const struct dv_object *o,
			struct devio_topo_verdict *v)
{
	int drives[MAX_DRIVES], n = find_drives(t, s, drives, v);

	for (int i = 0; i < n; i++) {
		const struct devio_topo_block *b = &t->block[drives[i]];

		if (!is_pcie_nvme(b))
			dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "put the file on a PCIe NVMe drive",
				      "%s (%s%s%s) is not a PCIe NVMe drive", b->name, devio_block_kind_name(b->kind),
				      *b->transport ? ", " : "", b->transport);
		else if (dv_object_is_peer(t, o))
			need_route(t, o, drives[i], v);
	}
}

/* io_uring's dma-buf buffers: upstream's patches support NVMe block devices; files need file system support. */
static void need_dmabuf_target(const struct devio_topo *t, const struct dv_subject *s,
			       struct devio_topo_verdict *v)
{
	const struct devio_topo_block *b = s->block >= 0 ? &t->block[s->block] : NULL;
	const char *type = type_of(t, s);

	if (b && b->kind == DEVIO_BLOCK_PARTITION && b->nr_lower)
		b = &t->block[b->lower[0]];
	if (b && b->kind != DEVIO_BLOCK_NVME)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "use a namespace or a partition of an NVMe drive",
			      "%s (%s) does not support dma-buf I/O: only plain NVMe does", b->name,
			      devio_block_kind_name(b->kind));
	if (s->fs >= 0 && strcmp(type, "ext4") && strcmp(type, "xfs"))
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_TARGET,
			      "use ext4 or xfs with the patches in kernel/, or the block device",
			      "%s does not support dma-buf I/O", type);
	else if (s->fs >= 0)
		dv_verdict_maybe(v, DEVIO_REASON_TARGET,
				 "use the patches in kernel/, or the block device; devio_file_explain() tries it",
				 "the patches expected in Linux 7.4 support dma-buf I/O for block devices, not "
				 "for files on %s", type);
}

static void check_dmabuf(const struct devio_topo *t, const struct dv_subject *s, const struct dv_object *o,
			 struct devio_topo_verdict *v)
{
	const char *fix = "use Linux 7.3 with the patches in kernel/ (posted upstream, expected in Linux 7.4)";

	dv_object_export(t, o, v);
	if (t->machine.kernel && t->machine.kernel < DV_KERNEL(7, 3))
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NO_DMABUF_IO, fix,
			      "Linux %s does not support dma-buf fixed buffers", t->machine.release);
	need_direct(t, s, v);
	need_uring(t, v);
	need_dmabuf_target(t, s, v);
	need_drives(t, s, o, v);
	if (t->machine.kernel < DV_KERNEL(7, 4))
		dv_verdict_maybe(v, DEVIO_REASON_NO_DMABUF_IO, fix,
				 "Linux 7.3 supports dma-buf fixed buffers only with the patches in kernel/");
}

static void check_p2p(const struct devio_topo *t, const struct dv_subject *s, const struct dv_object *o,
		      struct devio_topo_verdict *v)
{
	if (o->kind != DV_P2PMEM)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NO_P2P_PAGES, "use p2pmem:BDF of a drive with a CMB",
			      "%s is not backed by P2PDMA pages", o->spec);
	if (t->machine.kernel && t->machine.kernel < DV_KERNEL(6, 2))
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NO_P2P_PAGES, "use Linux 6.2 or newer",
			      "Linux %s does not support P2PDMA pages in user space", t->machine.release);
	need_direct(t, s, v);
	if (s->block >= 0)
		need_peer_bios(t, s->block, 0, v);
	need_drives(t, s, o, v);
	if (s->fs >= 0 && !strcmp(t->fs[s->fs].type, "btrfs"))
		dv_verdict_maybe(v, DEVIO_REASON_REFUSED, "try it: devio-probe --try",
				 "btrfs computes checksums over the memory with the CPU");
}

static void check_path(const struct devio_topo *t, const struct dv_subject *s, const struct dv_object *o, int path,
		       struct devio_topo_verdict *v)
{
	if (!s->readable)
		dv_verdict_no(v, -EACCES, DEVIO_REASON_IO, "obtain read permission, or run as root",
			      "no permission to read the file");
	dv_object_present(t, o, v);
	switch (path) {
	case DEVIO_PATH_FILE_DMABUF:
		check_dmabuf(t, s, o, v);
		break;
	case DEVIO_PATH_FILE_P2P:
		check_p2p(t, s, o, v);
		break;
	case DEVIO_PATH_FILE_HOST:
		/* A udmabuf is mapped through its memfd: ordinary pages. */
		if (o->kind != DV_HOST && o->kind != DV_UDMABUF)
			dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NOT_HOST, "",
				      "%s is not backed by ordinary host pages", o->spec);
		need_direct(t, s, v);
		break;
	case DEVIO_PATH_FILE_BOUNCE:
		need_direct(t, s, v);
		break;
	default:
		break;
	}
}

DEVIO_API int devio_topo_explain(const struct devio_topo *t, const char *file, const char *spec, const char *bdf,
				 int path, struct devio_topo_verdict *info)
{
	struct devio_topo_verdict v = { .can = DEVIO_CAN };
	struct dv_subject s = { .file = file };
	struct dv_object o;
	int rc;

	if (path <= DEVIO_PATH_AUTO || path >= DEVIO_PATH_FILE_MAX)
		return dv_err(-EINVAL, "topo: %d is not a file path: use DEVIO_PATH_FILE_*", path);
	rc = dv_object_parse(t, spec, bdf, &o);
	if (!rc)
		rc = describe(t, file, &s);
	if (rc)
		return rc;
	check_path(t, &s, &o, path, &v);
	if (v.can == DEVIO_CAN)
		snprintf(v.cause, sizeof(v.cause), "%s", devio_reason_text(DEVIO_REASON_NONE));
	return dv_info_copy(info, &v, sizeof(v), "devio_topo_verdict");
}
