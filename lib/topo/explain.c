/* SPDX-License-Identifier: MIT */
/* What each path can do for a file and a memory, why not, and what would fix it. */
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

/* What a file system does with O_DIRECT where statx does not tell. */
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
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_NO_DIRECT, "put the file on ext4 or xfs on an NVMe drive",
			  "%s keeps files in the page cache: no O_DIRECT", type);
	else if (s->dio == DEVIO_CAN_NOT)
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_NO_DIRECT,
			  "see whether data=journal, verity, encryption or inline data is on for it",
			  "this file on %s does no O_DIRECT", type);
	else if (s->dio == DEVIO_CAN_UNKNOWN)
		dv_doubt(v, DEVIO_REASON_NO_DIRECT, "try it: devio-probe --try",
			 "%s does not say whether it does O_DIRECT", type);
	else if (s->fs >= 0 && !strcmp(type, "btrfs") && strstr(t->fs[s->fs].options, "compress"))
		dv_doubt(v, DEVIO_REASON_NO_DIRECT, "mount without compress, or set chattr +m on the file",
			 "btrfs reads compressed extents through the page cache");
}

static void need_uring(const struct devio_topo *t, struct devio_topo_verdict *v)
{
	if (t->machine.io_uring_disabled == 2)
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_NO_URING, "sysctl kernel.io_uring_disabled=0",
			  "io_uring is forbidden (kernel.io_uring_disabled=2)");
	else if (t->machine.io_uring_disabled == 1 && (t->captured || geteuid()))
		dv_doubt(v, DEVIO_REASON_NO_URING, "be root or in the group kernel.io_uring_group",
			 "io_uring is for privileged processes only (kernel.io_uring_disabled=1)");
}

/* What came into the kernel between two releases: no before, yes from, unknown in between. */
static void need_kernel(const struct devio_topo *t, unsigned int no, unsigned int yes, const char *what,
			struct devio_topo_verdict *v)
{
	char cure[64];

	snprintf(cure, sizeof(cure), "use Linux %u.%u or newer", yes >> 16, yes >> 8 & 0xff);
	if (!t->machine.kernel || (t->machine.kernel > no && t->machine.kernel < yes))
		dv_doubt(v, DEVIO_REASON_TARGET, cure, "whether %s passes peer memory in this kernel is not known", what);
	else if (t->machine.kernel <= no)
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, cure, "%s passes no peer memory in Linux %s", what,
			  t->machine.release);
}

static bool md_passes(const char *level)
{
	return !strcmp(level, "raid0") || !strcmp(level, "raid1") || !strcmp(level, "raid10");
}

/* Whether bios with peer memory get through a block device, from the file's down to the drives. */
static void need_passing(const struct devio_topo *t, int block, int depth, struct devio_topo_verdict *v)
{
	const struct devio_topo_block *b = &t->block[block];
	char what[80];

	if (depth > 16)
		return;
	snprintf(what, sizeof(what), "%s (%s)", b->name, b->kind == DEVIO_BLOCK_NVME_HEAD ? "NVMe multipath" : b->detail);
	if (b->kind == DEVIO_BLOCK_DM)
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "take a partition or a drive without LVM, crypt or dm-multipath",
			  "the device mapper (%s: %.60s) passes no peer memory", b->name, b->detail);
	else if (b->kind == DEVIO_BLOCK_LOOP)
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "read the backing file itself",
			  "%s is a loop device: it passes no peer memory", b->name);
	else if (b->kind == DEVIO_BLOCK_MD && !md_passes(b->detail))
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "use raid0, raid1 or raid10, or single drives",
			  "%s is md %s: it computes on the data and passes no peer memory", b->name, b->detail);
	else if (b->kind == DEVIO_BLOCK_MD || b->kind == DEVIO_BLOCK_NVME_HEAD)
		need_kernel(t, DV_KERNEL(7, 1), DV_KERNEL(7, 3), what, v);
	for (unsigned int i = 0; i < b->nr_lower; i++)
		need_passing(t, b->lower[i], depth + 1, v);
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
		dv_doubt(v, DEVIO_REASON_MAP, "name the PCI address of the memory",
			 "where the memory is on the PCI bus is not known");
		return;
	}
	if (devio_topo_get_p2p(t, o->pci, t->block[drive].pci, &p) || p.can == DEVIO_CAN)
		return;
	if (p.can == DEVIO_CAN_NOT)
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_MAP, p.cure, "%s to %s: %.180s", t->block[drive].name,
			  t->pci[o->pci].bdf, p.cause);
	else
		dv_doubt(v, DEVIO_REASON_MAP, p.cure, "%s to %s: %.180s", t->block[drive].name, t->pci[o->pci].bdf, p.cause);
}

static int find_drives(const struct devio_topo *t, const struct dv_subject *s, int *drives,
		       struct devio_topo_verdict *v)
{
	int n = s->block >= 0 ? devio_topo_drives(t, s->block, drives, MAX_DRIVES) : 0;

	if (n <= 0 && s->fs >= 0 && !strcmp(t->fs[s->fs].type, "overlay"))
		dv_doubt(v, DEVIO_REASON_TARGET, "name the file by its path below the overlay's upper or lower directory",
			 "overlay hides on which drive the file lies");
	else if (n <= 0)
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "put the file on ext4 or xfs on an NVMe drive",
			  "%s has no drive of this machine under it", type_of(t, s));
	return n > MAX_DRIVES ? MAX_DRIVES : n;
}

/* The drives take the memory: all NVMe on PCIe, and each with a route to it. */
static void need_drives(const struct devio_topo *t, const struct dv_subject *s, const struct dv_object *o,
			struct devio_topo_verdict *v)
{
	int drives[MAX_DRIVES], n = find_drives(t, s, drives, v);

	for (int i = 0; i < n; i++) {
		const struct devio_topo_block *b = &t->block[drives[i]];

		if (!is_pcie_nvme(b))
			dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "put the file on an NVMe drive on PCIe",
				  "%s (%s%s%s) is no NVMe drive on PCIe", b->name, devio_block_kind_name(b->kind),
				  *b->transport ? ", " : "", b->transport);
		else if (dv_object_is_peer(t, o))
			need_route(t, o, drives[i], v);
	}
}

/* io_uring's dma-buf buffers: in 7.4 for NVMe block devices; files need the file systems' part. */
static void need_dmabuf_target(const struct devio_topo *t, const struct dv_subject *s,
			       struct devio_topo_verdict *v)
{
	const struct devio_topo_block *b = s->block >= 0 ? &t->block[s->block] : NULL;
	const char *type = type_of(t, s);

	if (b && b->kind == DEVIO_BLOCK_PARTITION && b->nr_lower)
		b = &t->block[b->lower[0]];
	if (b && b->kind != DEVIO_BLOCK_NVME)
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "take a namespace or a partition of an NVMe drive",
			  "%s (%s) takes no dma-buf: only plain NVMe does", b->name, devio_block_kind_name(b->kind));
	if (s->fs >= 0 && strcmp(type, "ext4") && strcmp(type, "xfs"))
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_TARGET, "use ext4 or xfs with the series in kernel/, or the block device",
			  "%s takes no dma-buf", type);
	else if (s->fs >= 0)
		dv_doubt(v, DEVIO_REASON_TARGET, "use the series in kernel/, or read the block device; devio_file_explain() tries it",
			 "Linux 7.4 takes dma-bufs for block devices, for files on %s only with further patches", type);
}

static void judge_dmabuf(const struct devio_topo *t, const struct dv_subject *s, const struct dv_object *o,
			 struct devio_topo_verdict *v)
{
	const char *cure = "use Linux 7.4, or 7.3 with the series in kernel/";

	dv_object_export(t, o, v);
	if (t->machine.kernel && t->machine.kernel < DV_KERNEL(7, 3))
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_NO_DMABUF_IO, cure, "Linux %s has no dma-buf fixed buffers",
			  t->machine.release);
	need_direct(t, s, v);
	need_uring(t, v);
	need_dmabuf_target(t, s, v);
	need_drives(t, s, o, v);
	if (t->machine.kernel < DV_KERNEL(7, 4))
		dv_doubt(v, DEVIO_REASON_NO_DMABUF_IO, cure, "Linux 7.3 has dma-buf fixed buffers only with the series in kernel/");
}

static void judge_p2p(const struct devio_topo *t, const struct dv_subject *s, const struct dv_object *o,
		      struct devio_topo_verdict *v)
{
	if (o->kind != DV_P2PMEM)
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_NO_P2P_PAGES, "take p2pmem:BDF of a drive with a CMB",
			  "%s is not made of P2PDMA pages", o->spec);
	if (t->machine.kernel && t->machine.kernel < DV_KERNEL(6, 2))
		dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_NO_P2P_PAGES, "use Linux 6.2 or newer",
			  "Linux %s gives no P2PDMA pages to programs", t->machine.release);
	need_direct(t, s, v);
	if (s->block >= 0)
		need_passing(t, s->block, 0, v);
	need_drives(t, s, o, v);
	if (s->fs >= 0 && !strcmp(t->fs[s->fs].type, "btrfs"))
		dv_doubt(v, DEVIO_REASON_REFUSED, "try it: devio-probe --try", "btrfs computes checksums over the memory with the CPU");
}

static void judge(const struct devio_topo *t, const struct dv_subject *s, const struct dv_object *o, int path,
		  struct devio_topo_verdict *v)
{
	if (!s->readable)
		dv_refuse(v, -EACCES, DEVIO_REASON_IO, "get read permission, or run as root", "no permission to read the file");
	dv_object_present(t, o, v);
	switch (path) {
	case DEVIO_PATH_FILE_DMABUF:
		judge_dmabuf(t, s, o, v);
		break;
	case DEVIO_PATH_FILE_P2P:
		judge_p2p(t, s, o, v);
		break;
	case DEVIO_PATH_FILE_HOST:
		/* A udmabuf's memory file is mapped: pages like any other. */
		if (o->kind != DV_HOST && o->kind != DV_UDMABUF)
			dv_refuse(v, -EOPNOTSUPP, DEVIO_REASON_NOT_HOST, "",
				  "%s is not made of ordinary pages of host memory", o->spec);
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
		return dv_err(-EINVAL, "topo: %d is no path to explain", path);
	rc = dv_object_parse(t, spec, bdf, &o);
	if (!rc)
		rc = describe(t, file, &s);
	if (rc)
		return rc;
	judge(t, &s, &o, path, &v);
	if (v.can == DEVIO_CAN)
		snprintf(v.cause, sizeof(v.cause), "%s", devio_reason_text(DEVIO_REASON_NONE));
	return dv_info_copy(info, &v, sizeof(v), "devio_topo_verdict");
}
