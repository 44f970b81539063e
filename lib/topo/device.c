/* SPDX-License-Identifier: MIT */
/* GPUs and network interfaces. */
#include "config.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kern/sysfs.h"
#include "topo/topo.h"

#define DEV "bus/pci/devices/%s/"

static bool is_gpu(const struct devio_topo_pci *p)
{
	unsigned int base = p->class_code >> 16;

	/* Display controllers and processing accelerators. */
	return base == 0x03 || p->class_code >> 8 == 0x1200;
}

static const char *vendor_name(uint16_t vendor)
{
	switch (vendor) {
	case 0x10de: return "NVIDIA";
	case 0x1002: return "AMD";
	case 0x8086: return "Intel";
	case 0x1da3: return "Habana";
	case 0x1a03: return "ASPEED";
	case 0x102b: return "Matrox";
	case 0x1af4: return "virtio";
	case 0x1234: return "QEMU";
	}
	return "";
}

static void read_name(struct devio_topo *t, struct devio_topo_gpu *g, const struct devio_topo_pci *p)
{
	const char *vendor = vendor_name(p->vendor);
	char text[4096], model[128];

	if (dv_sysfs_read(t->root, text, sizeof(text), "proc/driver/nvidia/gpus/%s/information", g->bdf) > 0 &&
	    !dv_parse_colon(text, "Model", model, sizeof(model)))
		g->name = dv_topo_text(t, "%s", model);
	else if (dv_sysfs_read(t->sys, model, sizeof(model), DEV "product_name", g->bdf) > 0)
		g->name = dv_topo_text(t, "%s", model);
	else if (*vendor)
		g->name = dv_topo_text(t, "%s %04x", vendor, p->device);
	else
		g->name = dv_topo_text(t, "%04x:%04x", p->vendor, p->device);
}

static void read_nodes(struct devio_topo *t, struct devio_topo_gpu *g)
{
	struct dv_names names;

	g->card = g->render = "";
	if (dv_sysfs_list(t->sys, &names, DEV "drm", g->bdf))
		return;
	for (size_t i = 0; i < names.n; i++) {
		if (!strncmp(names.name[i], "card", 4) && !strchr(names.name[i], '-'))
			g->card = dv_topo_text(t, "/dev/dri/%s", names.name[i]);
		if (!strncmp(names.name[i], "renderD", 7))
			g->render = dv_topo_text(t, "/dev/dri/%s", names.name[i]);
	}
	dv_names_free(&names);
}

/* resourceN_resize: a set bit n means that a size of 2^n MiB is supported. */
static uint64_t bar_max(struct devio_topo *t, const char *bdf, int bar)
{
	char text[64], *end;
	uint64_t bits;

	if (dv_sysfs_read(t->sys, text, sizeof(text), DEV "resource%d_resize", bdf, bar) <= 0)
		return 0;
	errno = 0;
	bits = strtoull(text, &end, 16);
	if (errno || *end || !bits)
		return 0;
	bits = 63 - __builtin_clzll(bits);
	return bits < 43 ? 1ULL << (bits + 20) : 0;
}

static void read_memory(struct devio_topo *t, struct devio_topo_gpu *g, const struct devio_topo_pci *p)
{
	uint64_t visible = 0;
	int best = 0;

	for (int i = 1; i < 6; i++)
		if (p->bar[i] > p->bar[best])
			best = i;
	g->bar = p->bar[best];
	g->bar_max = bar_max(t, g->bdf, best);
	dv_sysfs_u64(t->sys, &g->vram, DEV "mem_info_vram_total", g->bdf);
	dv_sysfs_u64(t->sys, &visible, DEV "mem_info_vis_vram_total", g->bdf);
	g->large_bar = -1;
	if (g->vram && visible)
		g->large_bar = visible >= g->vram;
	else if (g->vram)
		g->large_bar = g->bar >= g->vram;
	else if (g->bar_max)
		g->large_bar = g->bar >= g->bar_max;
	else if (g->bar && g->bar <= 256 << 20)
		g->large_bar = 0;
	else if (g->bar >= 8ULL << 30)
		/* Data center GPUs have no resizable BAR: theirs covers all memory. */
		g->large_bar = 1;
}

/* Kernel drivers and the provider that allocates their GPUs' memory. */
static const struct {
	const char *driver, *provider;
} providers[] = {
	{ "nvidia", "cuda" }, { "amdgpu", "amdgpu" }, { "xe", "ze" }, { "i915", "ze" },
};

static void number_specs(struct devio_topo *t)
{
	for (unsigned int k = 0; k < sizeof(providers) / sizeof(providers[0]); k++) {
		unsigned int n = 0;

		for (unsigned int i = 0; i < t->nr_gpu; i++)
			if (!strcmp(t->gpu[i].driver, providers[k].driver))
				t->gpu[i].spec = dv_topo_text(t, "%s:%u", providers[k].provider, n++);
	}
	for (unsigned int i = 0; i < t->nr_gpu; i++)
		if (!*t->gpu[i].spec && *t->gpu[i].card)
			t->gpu[i].spec = dv_topo_text(t, "drm:%s", t->gpu[i].card);
}

void dv_topo_read_gpus(struct devio_topo *t)
{
	for (unsigned int i = 0; i < t->nr_pci; i++) {
		struct devio_topo_gpu *g;

		if (!is_gpu(&t->pci[i]))
			continue;
		g = dv_topo_add(t, &t->gpu, &t->nr_gpu, sizeof(*g));
		if (!g)
			return;
		g->pci = i;
		g->bdf = t->pci[i].bdf;
		g->driver = t->pci[i].driver;
		g->spec = "";
		read_name(t, g, &t->pci[i]);
		read_nodes(t, g);
		read_memory(t, g, &t->pci[i]);
		if (!*g->driver)
			dv_topo_note(t, "GPU %s (%s): no driver is bound", g->bdf, g->name);
	}
	number_specs(t);
}

static void count_queues(struct devio_topo *t, struct devio_topo_nic *n)
{
	struct dv_names names;

	if (dv_sysfs_list(t->sys, &names, "class/net/%s/queues", n->name))
		return;
	for (size_t i = 0; i < names.n; i++) {
		n->rx_queues += !strncmp(names.name[i], "rx-", 3);
		n->tx_queues += !strncmp(names.name[i], "tx-", 3);
	}
	dv_names_free(&names);
}

static void read_nic(struct devio_topo *t, const char *name)
{
	struct devio_topo_nic *n = dv_topo_add(t, &t->nic, &t->nr_nic, sizeof(*n));
	char real[PATH_MAX], driver[128];

	if (!n)
		return;
	n->name = dv_topo_text(t, "%s", name);
	n->driver = "";
	n->pci = n->numa_node = n->speed = -1;
	if (!dv_sysfs_real(t->sys, real, sizeof(real), "class/net/%s", name))
		n->pci = dv_topo_pci_of_path(t, real);
	if (n->pci >= 0)
		n->numa_node = t->pci[n->pci].numa_node;
	if (!dv_sysfs_base(t->sys, driver, sizeof(driver), "class/net/%s/device/driver", name))
		n->driver = dv_topo_text(t, "%s", driver);
	/* Fails with -EINVAL while the link is down. */
	dv_sysfs_int(t->sys, &n->speed, "class/net/%s/speed", name);
	count_queues(t, n);
}

void dv_topo_read_nics(struct devio_topo *t)
{
	struct dv_names names;

	if (dv_sysfs_list(t->sys, &names, "class/net"))
		return;
	for (size_t i = 0; i < names.n; i++)
		if (dv_sysfs_exists(t->sys, "class/net/%s/mtu", names.name[i]))
			read_nic(t, names.name[i]);
	dv_names_free(&names);
}
