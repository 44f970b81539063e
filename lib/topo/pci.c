/* SPDX-License-Identifier: MIT */
/* The PCI tree: functions, bridges, BARs, ACS, peer memory, IOMMU groups. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kern/sysfs.h"
#include "topo/topo.h"

#define DEV "bus/pci/devices/%s/"

static const char *const type_names[] = {
	[DEVIO_PCI_ENDPOINT] = "endpoint",
	[DEVIO_PCI_HOST_BRIDGE] = "host-bridge",
	[DEVIO_PCI_ROOT_PORT] = "root-port",
	[DEVIO_PCI_SWITCH_UP] = "switch-up",
	[DEVIO_PCI_SWITCH_DOWN] = "switch-down",
	[DEVIO_PCI_BRIDGE] = "bridge",
};

DEVIO_API const char *devio_pci_type_name(int type)
{
	return type >= 0 && type <= DEVIO_PCI_BRIDGE ? type_names[type] : "?";
}

static int find(const struct devio_topo *t, const char *bdf)
{
	for (unsigned int i = 0; i < t->nr_pci; i++)
		if (!strcmp(t->pci[i].bdf, bdf))
			return i;
	return -ENODEV;
}

DEVIO_API int devio_topo_find_pci(const struct devio_topo *t, const char *bdf)
{
	char full[32];
	struct dv_bdf b;

	if (!bdf || dv_parse_bdf(bdf, &b))
		return -EINVAL;
	snprintf(full, sizeof(full), "%04x:%02x:%02x.%x", b.domain, b.bus, b.dev, b.fn);
	return find(t, full);
}

int dv_topo_pci_of_path(const struct devio_topo *t, const char *path)
{
	char copy[PATH_MAX], *save = NULL;
	int last = -1;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *p = strtok_r(copy, "/", &save); p; p = strtok_r(NULL, "/", &save)) {
		int i = devio_topo_find_pci(t, p);

		if (i >= 0)
			last = i;
	}
	return last;
}

static uint64_t read_number(struct devio_topo *t, const char *bdf, const char *attr, uint64_t max, bool required)
{
	uint64_t v = 0;
	int rc = dv_sysfs_u64(t->sys, &v, DEV "%s", bdf, attr);

	if (!rc && v > max)
		rc = -ERANGE;
	if (rc && (required || rc != -ENOENT))
		dv_topo_note(t, "PCI %s: %s is %s: using 0", bdf, attr,
			     rc == -ENOENT ? "missing" : rc == -EACCES ? "not readable" : "not a valid number");
	return rc ? 0 : v;
}

static void read_text(struct devio_topo *t, const char **to, const char *bdf, const char *attr)
{
	char buf[128];

	*to = dv_sysfs_read(t->sys, buf, sizeof(buf), DEV "%s", bdf, attr) > 0 ? dv_topo_text(t, "%s", buf) : "";
}

static void read_bars(struct devio_topo *t, struct devio_topo_pci *p)
{
	char buf[2048];

	if (dv_sysfs_read(t->sys, buf, sizeof(buf), DEV "resource", p->bdf) < 0 ||
	    dv_parse_resource(buf, p->bar) < 0)
		dv_topo_note(t, "PCI %s: cannot read the file resource: the sizes of its BARs are unknown", p->bdf);
}

static void read_p2pmem(struct devio_topo *t, struct devio_topo_pci *p)
{
	if (!dv_sysfs_exists(t->sys, DEV "p2pmem", p->bdf))
		return;
	p->p2pmem_size = read_number(t, p->bdf, "p2pmem/size", UINT64_MAX, true);
	p->p2pmem_free = read_number(t, p->bdf, "p2pmem/available", UINT64_MAX, true);
	p->p2pmem_published = read_number(t, p->bdf, "p2pmem/published", 1, false);
}

/* ACS and port type from the configuration space, of which only root can read more than 64 bytes. */
static void read_config(struct devio_topo *t, struct devio_topo_pci *p)
{
	static const int type_of[16] = {
		[4] = DEVIO_PCI_ROOT_PORT, [5] = DEVIO_PCI_SWITCH_UP, [6] = DEVIO_PCI_SWITCH_DOWN,
		[7] = DEVIO_PCI_BRIDGE, [8] = DEVIO_PCI_BRIDGE,
	};
	uint8_t cfg[4096];
	ssize_t n = dv_sysfs_bytes(t->sys, cfg, sizeof(cfg), DEV "config", p->bdf);
	int port = n > 0 ? dv_parse_port(cfg, n) : -1;

	p->acs = n > 0 ? dv_parse_acs(cfg, n) : -1;
	/* Conventional PCI devices have 256 bytes and no ACS. */
	if (n == 256)
		p->acs = 0;
	if (port >= 0 && type_of[port])
		p->type = type_of[port];
}

static void read_link(struct devio_topo *t, struct devio_topo_pci *p)
{
	int width = 0;

	read_text(t, &p->link_speed, p->bdf, "current_link_speed");
	if (!strncmp(p->link_speed, "Unknown", 7))
		p->link_speed = "";
	/* Absent links read as 255. */
	if (!dv_sysfs_int(t->sys, &width, DEV "current_link_width", p->bdf) && width > 0 && width <= 64)
		p->link_width = width;
}

static void read_function(struct devio_topo *t, const char *bdf)
{
	struct devio_topo_pci *p = dv_topo_add(t, &t->pci, &t->nr_pci, sizeof(*p));
	char buf[256];

	if (!p)
		return;
	p->bdf = dv_topo_text(t, "%s", bdf);
	p->class_code = read_number(t, bdf, "class", 0xffffff, true);
	p->vendor = read_number(t, bdf, "vendor", 0xffff, true);
	p->device = read_number(t, bdf, "device", 0xffff, true);
	p->parent = p->iommu_group = p->numa_node = -1;
	p->driver = p->root = "";
	dv_sysfs_int(t->sys, &p->numa_node, DEV "numa_node", bdf);
	if (!dv_sysfs_base(t->sys, buf, sizeof(buf), DEV "driver", bdf))
		p->driver = dv_topo_text(t, "%s", buf);
	if (!dv_sysfs_base(t->sys, buf, sizeof(buf), DEV "iommu_group", bdf))
		p->iommu_group = atoi(buf);
	read_bars(t, p);
	read_link(t, p);
	read_p2pmem(t, p);
	read_config(t, p);
}

static bool is_bridge(const struct devio_topo_pci *p)
{
	return p->class_code >> 8 == 0x0604;
}

/* The function directly above and the root bus, from the resolved path. */
static void find_parent(struct devio_topo *t, struct devio_topo_pci *p)
{
	char real[PATH_MAX], *save = NULL;
	int above = -1;

	if (dv_sysfs_real(t->sys, real, sizeof(real), "bus/pci/devices/%s", p->bdf)) {
		dv_topo_note(t, "PCI %s: cannot resolve its sysfs path: treated as if on a separate root bus",
			     p->bdf);
		return;
	}
	for (char *s = strtok_r(real, "/", &save); s; s = strtok_r(NULL, "/", &save)) {
		if (!strncmp(s, "pci", 3) && strchr(s, ':')) {
			p->root = dv_topo_text(t, "%s", s);
			above = -1;
		} else if (!strcmp(s, p->bdf)) {
			break;
		} else {
			int i = find(t, s);

			above = i >= 0 ? i : above;
		}
	}
	p->parent = above;
}

/* Only broken captures contain loops; later code need not handle them. */
static void break_loop(struct devio_topo *t, unsigned int i)
{
	int up = t->pci[i].parent;

	for (unsigned int depth = 0; up >= 0; up = t->pci[up].parent, depth++) {
		if (depth < t->nr_pci)
			continue;
		dv_topo_note(t, "PCI %s: the bridges above it form a loop: treated as if on a separate root bus",
			     t->pci[i].bdf);
		t->pci[i].parent = -1;
		return;
	}
}

static int by_address(const void *a, const void *b)
{
	struct dv_bdf x, y;

	/* Cannot fail: only valid names were added. */
	if (dv_parse_bdf(((const struct devio_topo_pci *)a)->bdf, &x) ||
	    dv_parse_bdf(((const struct devio_topo_pci *)b)->bdf, &y))
		return 0;
	if (x.domain != y.domain)
		return x.domain < y.domain ? -1 : 1;
	return (x.bus << 8 | x.dev << 3 | x.fn) - (y.bus << 8 | y.dev << 3 | y.fn);
}

/* Without configuration space, the type of a bridge follows from its position in the tree. */
static void guess_type(struct devio_topo *t, struct devio_topo_pci *p)
{
	struct devio_topo_pci *up = p->parent >= 0 ? &t->pci[p->parent] : NULL;

	if (p->type)
		return;
	if (up && !up->type)
		guess_type(t, up);
	if (p->class_code >> 8 == 0x0600)
		p->type = DEVIO_PCI_HOST_BRIDGE;
	else if (!is_bridge(p))
		p->type = DEVIO_PCI_ENDPOINT;
	else if (!up)
		p->type = DEVIO_PCI_ROOT_PORT;
	else if (up->type == DEVIO_PCI_SWITCH_UP)
		p->type = DEVIO_PCI_SWITCH_DOWN;
	else
		p->type = DEVIO_PCI_SWITCH_UP;
}

void dv_topo_read_pci(struct devio_topo *t)
{
	struct dv_names names;
	struct dv_bdf bdf;
	int rc = dv_sysfs_list(t->sys, &names, "bus/pci/devices");

	if (rc) {
		dv_topo_note(t, "no PCI devices: bus/pci/devices in sysfs is %s",
			     rc == -ENOENT ? "missing" : "not readable");
		return;
	}
	for (size_t i = 0; i < names.n; i++) {
		if (dv_parse_bdf(names.name[i], &bdf))
			dv_topo_note(t, "PCI %s: not a PCI address: skipped", names.name[i]);
		else
			read_function(t, names.name[i]);
	}
	dv_names_free(&names);
	if (t->nr_pci)
		qsort(t->pci, t->nr_pci, sizeof(*t->pci), by_address);
	for (unsigned int i = 0; i < t->nr_pci; i++)
		find_parent(t, &t->pci[i]);
	for (unsigned int i = 0; i < t->nr_pci; i++)
		break_loop(t, i);
	for (unsigned int i = 0; i < t->nr_pci; i++)
		guess_type(t, &t->pci[i]);
}

static void note_acs(struct devio_topo *t)
{
	for (unsigned int i = 0; i < t->nr_pci; i++) {
		if (!is_bridge(&t->pci[i]) || t->pci[i].acs >= 0)
			continue;
		dv_topo_note(t, "only readable as root: whether PCIe switches and root ports redirect peer-to-peer "
			     "traffic (ACS)");
		return;
	}
}

void dv_topo_read_iommu(struct devio_topo *t)
{
	struct devio_topo_machine *m = &t->machine;
	struct dv_names names;
	char type[64];

	m->iommu_type = "";
	note_acs(t);
	if (dv_sysfs_list(t->sys, &names, "kernel/iommu_groups")) {
		/* A kernel without IOMMU support has no such directory, and no group either. */
		m->iommu = dv_sysfs_exists(t->sys, "kernel") ? 0 : -1;
		return;
	}
	m->iommu = names.n > 0;
	for (size_t i = 0; i < names.n && !*m->iommu_type; i++)
		if (dv_sysfs_read(t->sys, type, sizeof(type), "kernel/iommu_groups/%s/type", names.name[i]) > 0)
			m->iommu_type = dv_topo_text(t, "%s", type);
	dv_names_free(&names);
	if (m->iommu && !*m->iommu_type)
		dv_topo_note(t, "only readable as root: the type of the IOMMU domains (translated or passthrough)");
}
