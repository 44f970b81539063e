/* SPDX-License-Identifier: MIT */
/* devio-probe: the machine as JSON. Unknown numbers and tri-states are null. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "probe.h"

/* < 0: null */
static void put_known(struct json_object *o, const char *key, int v)
{
	json_put(o, key, v < 0 ? NULL : json_object_new_int(v));
}

/* 0: null */
static void put_nonzero(struct json_object *o, const char *key, uint64_t v)
{
	json_put(o, key, v ? json_object_new_uint64(v) : NULL);
}

static void put_bdf(const struct probe *p, struct json_object *o, const char *key, int pci)
{
	json_put(o, key, pci < 0 ? NULL : json_string(probe_pci(p, pci).bdf));
}

static void put_hex(struct json_object *o, const char *key, unsigned int v, int digits)
{
	char s[16];

	snprintf(s, sizeof(s), "%0*x", digits, v);
	json_put_text(o, key, s);
}

static struct json_object *json_machine(const struct probe *p)
{
	struct devio_topo_machine m = probe_machine(p);
	struct json_object *o = json_object_new_object(), *c = json_object_new_object();

	json_put_text(o, "release", m.release);
	json_put_text(o, "cpu_vendor", m.cpu_vendor);
	json_put_text(o, "cpu_model", m.cpu_model);
	put_known(o, "cpu_family", m.cpu_family);
	json_put_tri(o, "iommu", m.iommu);
	json_put_text(o, "iommu_type", m.iommu_type);
	put_known(o, "io_uring_disabled", m.io_uring_disabled);
	json_put(o, "memlock", m.memlock == UINT64_MAX ? NULL : json_object_new_uint64(m.memlock));
	json_put_text(c, "from", m.config_from);
	json_put_tri(c, "PCI_P2PDMA", m.config_p2pdma);
	json_put_tri(c, "UDMABUF", m.config_udmabuf);
	json_put_tri(c, "DMABUF_HEAPS", m.config_heaps);
	json_put_tri(c, "VFIO_PCI_DMABUF", m.config_vfio_dmabuf);
	json_put_tri(c, "HSA_AMD_P2P", m.config_hsa_p2p);
	json_put(o, "config", c);
	json_put_tri(o, "udmabuf_usable", m.dev_udmabuf < 0 ? 0 : m.dev_udmabuf);
	json_put_tri(o, "dma_heap_usable", m.dev_heap < 0 ? 0 : m.dev_heap);
	json_put_tri(o, "nvidia_open_modules", m.nvidia_open);
	return o;
}

static struct json_object *json_pci(const struct probe *p, unsigned int i)
{
	struct devio_topo_pci f = probe_pci(p, i);
	struct json_object *o = json_object_new_object(), *bars = json_object_new_array(), *m;

	json_put_text(o, "bdf", f.bdf);
	put_bdf(p, o, "parent", f.parent);
	json_put_text(o, "root", f.root);
	json_put_text(o, "type", devio_pci_type_name(f.type));
	put_hex(o, "class", f.class_code, 6);
	put_hex(o, "vendor", f.vendor, 4);
	put_hex(o, "device", f.device, 4);
	json_put_text(o, "driver", f.driver);
	put_known(o, "numa_node", f.numa_node);
	put_known(o, "iommu_group", f.iommu_group);
	json_put_tri(o, "acs_redirects", f.acs);
	json_put_text(o, "link_speed", f.link_speed);
	json_put_u64(o, "link_width", f.link_width);
	for (int b = 0; b < 6; b++)
		json_object_array_add(bars, json_object_new_uint64(f.bar[b]));
	json_put(o, "bars", bars);
	if (f.p2pmem_size) {
		m = json_object_new_object();
		json_put_u64(m, "size", f.p2pmem_size);
		json_put_u64(m, "available", f.p2pmem_free);
		json_put_tri(m, "published", f.p2pmem_published);
		json_put(o, "p2pmem", m);
	}
	return o;
}

static struct json_object *names_of(const struct probe *p, const int *i, unsigned int n)
{
	struct json_object *a = json_object_new_array();

	for (unsigned int k = 0; k < n; k++)
		json_object_array_add(a, json_string(probe_block(p, i[k]).name));
	return a;
}

static struct json_object *json_block(const struct probe *p, unsigned int i)
{
	struct devio_topo_block b = probe_block(p, i);
	struct json_object *o = json_object_new_object();

	json_put_text(o, "name", b.name);
	json_put_text(o, "kind", devio_block_kind_name(b.kind));
	json_put_text(o, "detail", b.detail);
	json_put_text(o, "controller", b.controller);
	json_put_text(o, "transport", b.transport);
	json_put_u64(o, "major", b.dev_major);
	json_put_u64(o, "minor", b.dev_minor);
	json_put_u64(o, "size", b.size);
	put_nonzero(o, "block_size", b.block_size);
	put_nonzero(o, "dma_align", b.dma_align);
	put_known(o, "numa_node", b.numa_node);
	put_bdf(p, o, "pci", b.pci);
	json_put(o, "made_of", names_of(p, b.lower, b.nr_lower));
	return o;
}

static struct json_object *json_fs(const struct probe *p, unsigned int i)
{
	struct devio_topo_fs f = probe_fs(p, i);
	struct json_object *o = json_object_new_object();
	int d[64], n = f.block < 0 ? 0 : devio_topo_drives(p->topo, f.block, d, 64);

	json_put_text(o, "mount", f.where);
	json_put_text(o, "type", f.type);
	json_put_text(o, "source", f.source);
	json_put_text(o, "options", f.options);
	json_put(o, "block", f.block < 0 ? NULL :
			       json_string(probe_block(p, f.block).name));
	json_put(o, "drives", names_of(p, d, n < 0 ? 0 : n > 64 ? 64 : n));
	json_put_tri(o, "pseudo", f.pseudo);
	return o;
}

static struct json_object *json_gpu(const struct probe *p, unsigned int i)
{
	struct devio_topo_gpu g = probe_gpu(p, i);
	struct json_object *o = json_object_new_object();

	json_put_text(o, "bdf", g.bdf);
	json_put_text(o, "name", g.name);
	json_put_text(o, "driver", g.driver);
	json_put_text(o, "spec", g.spec);
	json_put_text(o, "card", g.card);
	json_put_text(o, "render", g.render);
	put_nonzero(o, "vram", g.vram);
	put_nonzero(o, "bar", g.bar);
	put_nonzero(o, "bar_max", g.bar_max);
	json_put_tri(o, "large_bar", g.large_bar);
	return o;
}

static struct json_object *json_nic(const struct probe *p, unsigned int i)
{
	struct devio_topo_nic n = probe_nic(p, i);
	struct json_object *o = json_object_new_object();

	json_put_text(o, "name", n.name);
	json_put_text(o, "driver", n.driver);
	put_bdf(p, o, "pci", n.pci);
	put_known(o, "speed_mbps", n.speed);
	json_put_u64(o, "rx_queues", n.rx_queues);
	json_put_u64(o, "tx_queues", n.tx_queues);
	put_known(o, "numa_node", n.numa_node);
	return o;
}

static struct json_object *json_note(const struct probe *p, unsigned int i)
{
	return json_string(devio_topo_get_note(p->topo, i));
}

static struct json_object *json_p2p(const struct probe *p)
{
	static const char *const route[] = { "none", "same", "switch", "host-bridge" };
	struct probe_ends from = probe_providers(p), to = probe_clients(p);
	struct json_object *a = json_object_new_array();

	for (unsigned int i = 0; i < from.n * to.n; i++) {
		const struct probe_end *f = &from.end[i / to.n], *c = &to.end[i % to.n];
		struct json_object *o = json_object_new_object();
		struct devio_topo_p2p r = DEVIO_OPTS(r);

		devio_topo_get_p2p(p->topo, f->pci, c->pci, &r);
		json_put_text(o, "memory", f->name);
		put_bdf(p, o, "memory_bdf", f->pci);
		json_put_text(o, "client", c->name);
		put_bdf(p, o, "client_bdf", c->pci);
		json_put_text(o, "can", devio_can_name(r.can));
		json_put_text(o, "route", route[r.route & 3]);
		put_known(o, "distance", r.distance);
		put_bdf(p, o, "via", r.via);
		json_put_text(o, "reason", r.cause);
		json_put_str(o, "fix", r.fix);
		json_object_array_add(a, o);
	}
	free(from.end);
	free(to.end);
	return a;
}

static struct json_object *list(const struct probe *p, enum devio_topo_kind kind,
				struct json_object *(*one)(const struct probe *, unsigned int))
{
	struct json_object *a = json_object_new_array();

	for (unsigned int i = 0; i < devio_topo_count(p->topo, kind); i++)
		json_object_array_add(a, one(p, i));
	return a;
}

static struct json_object *json_support(const struct probe *p)
{
	unsigned int n;
	struct probe_support *all = probe_supports(p, &n);
	struct json_object *a = json_object_new_array();

	for (unsigned int i = 0; i < n; i++) {
		const struct probe_support *s = &all[i];
		struct json_object *o = json_object_new_object();

		json_put_text(o, "name", s->name);
		json_put_str(o, "bdf", s->bdf);
		json_put_tri(o, "supported", s->can == DEVIO_CAN ? 1 : s->can == DEVIO_CAN_UNKNOWN ? -1 : 0);
		json_put_str(o, "how", s->how);
		json_put_str(o, "reason", s->reason);
		json_put_str(o, "fix", s->fix);
		json_object_array_add(a, o);
	}
	free(all);
	return a;
}

struct json_object *probe_json(const struct probe *p)
{
	struct json_object *o = json_object_new_object();

	json_put_text(o, "devio_version", devio_version());
	json_put(o, "machine", json_machine(p));
	json_put(o, "pci", list(p, DEVIO_TOPO_PCI, json_pci));
	json_put(o, "block", list(p, DEVIO_TOPO_BLOCK, json_block));
	json_put(o, "filesystems", list(p, DEVIO_TOPO_FS, json_fs));
	json_put(o, "gpus", list(p, DEVIO_TOPO_GPU, json_gpu));
	json_put(o, "nics", list(p, DEVIO_TOPO_NIC, json_nic));
	json_put(o, "p2p", json_p2p(p));
	json_put(o, "support", json_support(p));
	json_put(o, "notes", list(p, DEVIO_TOPO_NOTE, json_note));
	return o;
}
