/* SPDX-License-Identifier: MIT */
/* devio-probe: PCI functions on both sides of peer-to-peer transfers, and the other drives. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "probe.h"

static struct probe_end *add_end(struct probe_ends *e, int pci, char kind)
{
	struct probe_end *x;

	e->end = must(reallocarray(e->end, e->n + 1, sizeof(*e->end)));
	x = &e->end[e->n++];
	*x = (struct probe_end){ .pci = pci, .kind = kind };
	return x;
}

static bool has_memory(const struct devio_topo_pci *f)
{
	for (int i = 0; i < 6; i++)
		if (f->bar[i] >= 1 << 20)
			return true;
	return false;
}

struct probe_ends probe_providers(const struct probe *p)
{
	struct probe_ends e = { 0 };
	struct probe_end *x;

	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_GPU); i++) {
		struct devio_topo_gpu g = probe_gpu(p, i);

		x = add_end(&e, g.pci, 'g');
		snprintf(x->name, sizeof(x->name), "%.70s", *g.spec ? g.spec : g.bdf);
	}
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_PCI); i++) {
		struct devio_topo_pci f = probe_pci(p, i);
		bool vfio = !strncmp(f.driver, "vfio", 4) && has_memory(&f);

		if (!f.p2pmem_size && !vfio)
			continue;
		x = add_end(&e, i, vfio ? 'v' : 'm');
		snprintf(x->name, sizeof(x->name), "%s:%s", vfio ? "vfio" : "p2pmem", f.bdf);
	}
	return e;
}

static struct probe_end *find_end(struct probe_ends *e, int pci)
{
	for (unsigned int i = 0; i < e->n; i++)
		if (e->end[i].pci == pci)
			return &e->end[i];
	return NULL;
}

static void add_client(struct probe_ends *e, int pci, char kind, const char *name)
{
	struct probe_end *x = pci < 0 ? NULL : find_end(e, pci);
	size_t n;

	/* Namespaces and ports of one function share a row. */
	if (!x)
		x = add_end(e, pci, kind);
	n = strlen(x->name);
	snprintf(x->name + n, sizeof(x->name) - n, "%s%s", n ? "+" : "", name);
}

static bool is_nvme(const struct devio_topo_block *b)
{
	return b->kind == DEVIO_BLOCK_NVME || b->kind == DEVIO_BLOCK_NVME_PATH;
}

struct probe_ends probe_clients(const struct probe *p)
{
	struct probe_ends e = { 0 };

	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_BLOCK); i++) {
		struct devio_topo_block b = probe_block(p, i);

		if (b.pci >= 0 && is_nvme(&b))
			add_client(&e, b.pci, 'd', b.name);
	}
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_NIC); i++) {
		struct devio_topo_nic n = probe_nic(p, i);

		if (n.pci >= 0)
			add_client(&e, n.pci, 'n', n.name);
	}
	return e;
}

struct probe_ends probe_other_drives(const struct probe *p)
{
	struct probe_ends e = { 0 };

	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_BLOCK); i++) {
		struct devio_topo_block b = probe_block(p, i);

		if (b.kind == DEVIO_BLOCK_DISK || (is_nvme(&b) && b.pci < 0))
			add_client(&e, b.pci, 's', b.name);
	}
	return e;
}

char *probe_drives(const struct probe *p, int block)
{
	int d[64], n = block < 0 ? 0 : devio_topo_drives(p->topo, block, d, 64);
	char *s = text("%s", "");

	for (int i = 0; i < n && i < 64; i++) {
		char *t = text("%s%s%s", s, i ? ", " : "", probe_block(p, d[i]).name);

		free(s);
		s = t;
	}
	return s;
}
