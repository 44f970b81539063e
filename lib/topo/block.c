/* SPDX-License-Identifier: MIT */
/* Block devices and the devices that they are stacked on. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "kern/sysfs.h"
#include "topo/topo.h"

#define BLK "class/block/%s/"

static const char *const kind_names[] = {
	[DEVIO_BLOCK_OTHER] = "other", [DEVIO_BLOCK_NVME] = "nvme", [DEVIO_BLOCK_NVME_HEAD] = "nvme-head",
	[DEVIO_BLOCK_NVME_PATH] = "nvme-path", [DEVIO_BLOCK_DISK] = "disk",
	[DEVIO_BLOCK_PARTITION] = "partition", [DEVIO_BLOCK_DM] = "dm", [DEVIO_BLOCK_MD] = "md",
	[DEVIO_BLOCK_LOOP] = "loop", [DEVIO_BLOCK_RAM] = "ram",
};

DEVIO_API const char *devio_block_kind_name(int kind)
{
	return kind >= 0 && kind <= DEVIO_BLOCK_RAM ? kind_names[kind] : "?";
}

int dv_topo_find_block(const struct devio_topo *t, const char *name)
{
	for (unsigned int i = 0; i < t->nr_block; i++)
		if (!strcmp(t->block[i].name, name))
			return i;
	return -1;
}

int dv_topo_find_devt(const struct devio_topo *t, uint32_t major, uint32_t minor)
{
	for (unsigned int i = 0; major && i < t->nr_block; i++)
		if (t->block[i].dev_major == major && t->block[i].dev_minor == minor)
			return i;
	return -1;
}

int dv_topo_find_node(const struct devio_topo *t, const char *node)
{
	char real[PATH_MAX];
	int i = -1;

	if (strncmp(node, "/dev/", 5))
		return -1;
	if (!strncmp(node + 5, "mapper/", 7)) {
		for (unsigned int k = 0; k < t->nr_block; k++)
			if (t->block[k].kind == DEVIO_BLOCK_DM && !strcmp(t->block[k].detail, node + 12))
				return k;
	}
	if (!strchr(node + 5, '/'))
		i = dv_topo_find_block(t, node + 5);
	/* /dev/disk/by-uuid/..., /dev/vg/lv: symbolic links to the node. */
	if (i < 0 && !dv_sysfs_real(t->root[0] ? t->root : "/", real, sizeof(real), "%s", node + 1) &&
	    !strncmp(real, "dev/", 4))
		i = dv_topo_find_block(t, real + 4);
	return i;
}

static int has_prefix(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return !strncmp(name, prefix, n) && name[n] >= '0' && name[n] <= '9';
}

/* 1: "nvmeXnY", 2: "nvmeXcYnZ", 0: neither. */
static int nvme_form(const char *name)
{
	int a, b, c, n = 0;

	if (sscanf(name, "nvme%dn%d%n", &a, &b, &n) == 2 && !name[n])
		return 1;
	n = 0;
	return sscanf(name, "nvme%dc%dn%d%n", &a, &b, &c, &n) == 3 && !name[n] ? 2 : 0;
}

static int kind_of(struct devio_topo *t, const char *name, const char *real)
{
	if (dv_sysfs_exists(t->sys, BLK "partition", name))
		return DEVIO_BLOCK_PARTITION;
	if (dv_sysfs_exists(t->sys, BLK "dm", name))
		return DEVIO_BLOCK_DM;
	if (dv_sysfs_exists(t->sys, BLK "md", name))
		return DEVIO_BLOCK_MD;
	if (has_prefix(name, "loop"))
		return DEVIO_BLOCK_LOOP;
	if (has_prefix(name, "zram") || has_prefix(name, "ram"))
		return DEVIO_BLOCK_RAM;
	if (nvme_form(name) == 2)
		return DEVIO_BLOCK_NVME_PATH;
	if (nvme_form(name) == 1)
		return strstr(real, "nvme-subsystem/") ? DEVIO_BLOCK_NVME_HEAD : DEVIO_BLOCK_NVME;
	return strstr(real, "/virtual/") ? DEVIO_BLOCK_OTHER : DEVIO_BLOCK_DISK;
}

static void read_detail(struct devio_topo *t, struct devio_topo_block *b)
{
	static const char *const attr[DEVIO_BLOCK_RAM + 1] = {
		[DEVIO_BLOCK_NVME] = "device/model", [DEVIO_BLOCK_NVME_PATH] = "device/model",
		[DEVIO_BLOCK_NVME_HEAD] = "device/model", [DEVIO_BLOCK_DISK] = "device/model",
		[DEVIO_BLOCK_DM] = "dm/name", [DEVIO_BLOCK_MD] = "md/level",
		[DEVIO_BLOCK_LOOP] = "loop/backing_file",
	};
	char buf[PATH_MAX];

	b->detail = "";
	if (attr[b->kind] && dv_sysfs_read(t->sys, buf, sizeof(buf), BLK "%s", b->name, attr[b->kind]) > 0)
		b->detail = dv_topo_text(t, "%s", buf);
}

/* Multipath head: devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1; namespace: .../nvme/nvme0/nvme0n1. */
static void read_controller(struct devio_topo *t, struct devio_topo_block *b, const char *real)
{
	const char *s = strstr(real, "/nvme/nvme");
	char buf[64];

	b->controller = b->transport = "";
	if (s && b->kind != DEVIO_BLOCK_PARTITION) {
		b->controller = dv_topo_text(t, "%.*s", (int)strcspn(s + 6, "/"), s + 6);
		if (dv_sysfs_read(t->sys, buf, sizeof(buf), "class/nvme/%s/transport", b->controller) > 0)
			b->transport = dv_topo_text(t, "%s", buf);
		else if (b->pci >= 0)
			b->transport = "pcie";
		return;
	}
	s = strstr(real, "/virtio");
	if (s && b->kind == DEVIO_BLOCK_DISK) {
		b->controller = dv_topo_text(t, "%.*s", (int)strcspn(s + 1, "/"), s + 1);
		b->transport = "virtio";
	}
}

static void read_size(struct devio_topo *t, struct devio_topo_block *b)
{
	const char *up = b->kind == DEVIO_BLOCK_PARTITION ? "../" : "";
	uint64_t v = 0;

	if (dv_sysfs_u64(t->sys, &v, BLK "size", b->name) || v > UINT64_MAX / 512)
		dv_topo_note(t, "block %s: cannot read its size", b->name);
	else
		b->size = v * 512;
	v = 0;
	if (!dv_sysfs_u64(t->sys, &v, BLK "%squeue/logical_block_size", b->name, up) && v <= 1 << 20)
		b->block_size = v;
	v = 0;
	if (!dv_sysfs_u64(t->sys, &v, BLK "%squeue/dma_alignment", b->name, up) && v < 1 << 20)
		b->dma_align = v + 1;
}

static void read_block(struct devio_topo *t, const char *name)
{
	struct devio_topo_block *b = dv_topo_add(t, &t->block, &t->nr_block, sizeof(*b));
	char real[PATH_MAX], dev[64];

	if (!b)
		return;
	if (dv_sysfs_real(t->sys, real, sizeof(real), "class/block/%s", name)) {
		dv_topo_note(t, "block %s: cannot resolve its sysfs path", name);
		real[0] = 0;
	}
	b->name = dv_topo_text(t, "%s", name);
	b->kind = kind_of(t, name, real);
	b->pci = dv_topo_pci_of_path(t, real);
	b->numa_node = b->pci >= 0 ? t->pci[b->pci].numa_node : -1;
	/* Hidden multipath paths have no device number. */
	if (dv_sysfs_read(t->sys, dev, sizeof(dev), BLK "dev", name) > 0 &&
	    sscanf(dev, "%9u:%9u", &b->dev_major, &b->dev_minor) != 2)
		dv_topo_note(t, "block %s: invalid device number '%s'", name, dev);
	read_detail(t, b);
	read_controller(t, b, real);
	read_size(t, b);
}

void dv_topo_add_lower(struct devio_topo *t, struct devio_topo_block *b, int i)
{
	int *p;

	if (i < 0 || &t->block[i] == b)
		return;
	p = dv_topo_alloc(t, (b->nr_lower + 1) * sizeof(*p));
	if (!p)
		return;
	if (b->nr_lower)
		memcpy(p, b->lower, b->nr_lower * sizeof(*p));
	p[b->nr_lower++] = i;
	b->lower = p;
}

static void link_slaves(struct devio_topo *t, struct devio_topo_block *b)
{
	struct dv_names names;

	if (dv_sysfs_list(t->sys, &names, BLK "slaves", b->name))
		return;
	for (size_t i = 0; i < names.n; i++) {
		int k = dv_topo_find_block(t, names.name[i]);

		if (k < 0)
			dv_topo_note(t, "block %s: the underlying device %s does not exist", b->name, names.name[i]);
		dv_topo_add_lower(t, b, k);
	}
	dv_names_free(&names);
}

/* The multipath head nvmeXnZ and its paths nvmeXcYnZ have X and Z in common. */
static void link_paths(struct devio_topo *t, struct devio_topo_block *b)
{
	int x, z, px, py, pz;

	if (sscanf(b->name, "nvme%dn%d", &x, &z) != 2)
		return;
	for (unsigned int i = 0; i < t->nr_block; i++)
		if (t->block[i].kind == DEVIO_BLOCK_NVME_PATH &&
		    sscanf(t->block[i].name, "nvme%dc%dn%d", &px, &py, &pz) == 3 && px == x && pz == z)
			dv_topo_add_lower(t, b, i);
}

/* A partition's parent directory is its disk. */
static void link_partition(struct devio_topo *t, struct devio_topo_block *b)
{
	char real[PATH_MAX];
	const char *base;

	if (dv_sysfs_real(t->sys, real, sizeof(real), BLK "..", b->name))
		return;
	base = strrchr(real, '/');
	dv_topo_add_lower(t, b, dv_topo_find_block(t, base ? base + 1 : real));
}

void dv_topo_read_block(struct devio_topo *t)
{
	struct dv_names names;
	int rc = dv_sysfs_list(t->sys, &names, "class/block");

	if (rc) {
		dv_topo_note(t, "no block devices: class/block in sysfs is %s",
			     rc == -ENOENT ? "missing" : "not readable");
		return;
	}
	for (size_t i = 0; i < names.n; i++)
		read_block(t, names.name[i]);
	dv_names_free(&names);
	for (unsigned int i = 0; i < t->nr_block; i++) {
		struct devio_topo_block *b = &t->block[i];

		if (b->kind == DEVIO_BLOCK_PARTITION)
			link_partition(t, b);
		else if (b->kind == DEVIO_BLOCK_NVME_HEAD)
			link_paths(t, b);
		else
			link_slaves(t, b);
	}
}

struct walk {
	const struct devio_topo *t;
	unsigned char *seen;    /* a broken tree may contain cycles */
	int *drives;
	unsigned int n, max;
};

static void walk_down(struct walk *w, unsigned int i, int depth)
{
	const struct devio_topo_block *b = &w->t->block[i];

	if (w->seen[i] || depth > 32)
		return;
	w->seen[i] = 1;
	for (unsigned int k = 0; k < b->nr_lower; k++)
		walk_down(w, b->lower[k], depth + 1);
	if (b->nr_lower)
		return;
	if (w->n < w->max)
		w->drives[w->n] = i;
	w->n++;
}

DEVIO_API int devio_topo_drives(const struct devio_topo *t, unsigned int block, int *drives, unsigned int max)
{
	struct walk w = { .t = t, .drives = drives, .max = max };

	if (block >= t->nr_block)
		return dv_err(-ERANGE, "topo: block device index %u is out of range: there are %u", block, t->nr_block);
	w.seen = calloc(1, t->nr_block);
	if (!w.seen)
		return dv_err(-ENOMEM, "topo: cannot allocate memory to list the drives of %s", t->block[block].name);
	walk_down(&w, block, 0);
	free(w.seen);
	return w.n;
}
