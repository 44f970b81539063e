/* SPDX-License-Identifier: MIT */
/* devio-probe: all of it as JSON. Unknown numbers and tri-states are null. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "probe.h"

static void add_str(struct json_object *o, const char *key, const char *s)
{
	json_object_object_add(o, key, json_object_new_string(s));
}

static void add_num(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

/* -1: null */
static void add_int(struct json_object *o, const char *key, int v)
{
	json_object_object_add(o, key, v < 0 ? NULL : json_object_new_int(v));
}

static void add_tri(struct json_object *o, const char *key, int v)
{
	json_object_object_add(o, key, v < 0 ? NULL : json_object_new_boolean(v));
}

/* 0: null */
static void add_some(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, v ? json_object_new_uint64(v) : NULL);
}

static void add_bdf(const struct probe *p, struct json_object *o, const char *key, int pci)
{
	json_object_object_add(o, key, pci < 0 ? NULL : json_object_new_string(probe_pci(p, pci).bdf));
}

static void add_hex(struct json_object *o, const char *key, unsigned int v, int digits)
{
	char s[16];

	snprintf(s, sizeof(s), "%0*x", digits, v);
	add_str(o, key, s);
}

static struct json_object *json_machine(const struct probe *p)
{
	struct devio_topo_machine m = probe_machine(p);
	struct json_object *o = json_object_new_object(), *c = json_object_new_object();

	add_str(o, "release", m.release);
	add_str(o, "cpu_vendor", m.cpu_vendor);
	add_str(o, "cpu_model", m.cpu_model);
	add_int(o, "cpu_family", m.cpu_family);
	add_tri(o, "iommu", m.iommu);
	add_str(o, "iommu_type", m.iommu_type);
	add_int(o, "io_uring_disabled", m.io_uring_disabled);
	json_object_object_add(o, "memlock", m.memlock == UINT64_MAX ? NULL : json_object_new_uint64(m.memlock));
	add_str(c, "from", m.config_from);
	add_tri(c, "PCI_P2PDMA", m.config_p2pdma);
	add_tri(c, "UDMABUF", m.config_udmabuf);
	add_tri(c, "DMABUF_HEAPS", m.config_heaps);
	add_tri(c, "VFIO_PCI_DMABUF", m.config_vfio_dmabuf);
	add_tri(c, "HSA_AMD_P2P", m.config_hsa_p2p);
	json_object_object_add(o, "config", c);
	add_tri(o, "udmabuf_usable", m.dev_udmabuf < 0 ? 0 : m.dev_udmabuf);
	add_tri(o, "dma_heap_usable", m.dev_heap < 0 ? 0 : m.dev_heap);
	add_tri(o, "nvidia_open_modules", m.nvidia_open);
	return o;
}

static struct json_object *json_pci(const struct probe *p, unsigned int i)
{
	struct devio_topo_pci f = probe_pci(p, i);
	struct json_object *o = json_object_new_object(), *bars = json_object_new_array(), *m;

	add_str(o, "bdf", f.bdf);
	add_bdf(p, o, "parent", f.parent);
	add_str(o, "root", f.root);
	add_str(o, "type", devio_pci_type_name(f.type));
	add_hex(o, "class", f.class_code, 6);
	add_hex(o, "vendor", f.vendor, 4);
	add_hex(o, "device", f.device, 4);
	add_str(o, "driver", f.driver);
	add_int(o, "numa_node", f.numa_node);
	add_int(o, "iommu_group", f.iommu_group);
	add_tri(o, "acs_redirects", f.acs);
	add_str(o, "link_speed", f.link_speed);
	add_num(o, "link_width", f.link_width);
	for (int b = 0; b < 6; b++)
		json_object_array_add(bars, json_object_new_uint64(f.bar[b]));
	json_object_object_add(o, "bars", bars);
	if (f.p2pmem_size) {
		m = json_object_new_object();
		add_num(m, "size", f.p2pmem_size);
		add_num(m, "available", f.p2pmem_free);
		add_tri(m, "published", f.p2pmem_published);
		json_object_object_add(o, "p2pmem", m);
	}
	return o;
}

static struct json_object *names_of(const struct probe *p, const int *i, unsigned int n)
{
	struct json_object *a = json_object_new_array();

	for (unsigned int k = 0; k < n; k++)
		json_object_array_add(a, json_object_new_string(probe_block(p, i[k]).name));
	return a;
}

static struct json_object *json_block(const struct probe *p, unsigned int i)
{
	struct devio_topo_block b = probe_block(p, i);
	struct json_object *o = json_object_new_object();

	add_str(o, "name", b.name);
	add_str(o, "kind", devio_block_kind_name(b.kind));
	add_str(o, "detail", b.detail);
	add_str(o, "controller", b.controller);
	add_str(o, "transport", b.transport);
	add_num(o, "major", b.dev_major);
	add_num(o, "minor", b.dev_minor);
	add_num(o, "size", b.size);
	add_some(o, "block_size", b.block_size);
	add_some(o, "dma_align", b.dma_align);
	add_int(o, "numa_node", b.numa_node);
	add_bdf(p, o, "pci", b.pci);
	json_object_object_add(o, "made_of", names_of(p, b.lower, b.nr_lower));
	return o;
}

static struct json_object *json_fs(const struct probe *p, unsigned int i)
{
	struct devio_topo_fs f = probe_fs(p, i);
	struct json_object *o = json_object_new_object();
	int d[64], n = f.block < 0 ? 0 : devio_topo_drives(p->topo, f.block, d, 64);

	add_str(o, "mount", f.where);
	add_str(o, "type", f.type);
	add_str(o, "source", f.source);
	add_str(o, "options", f.options);
	json_object_object_add(o, "block", f.block < 0 ? NULL :
			       json_object_new_string(probe_block(p, f.block).name));
	json_object_object_add(o, "drives", names_of(p, d, n < 0 ? 0 : n > 64 ? 64 : n));
	add_tri(o, "pseudo", f.pseudo);
	return o;
}

static struct json_object *json_gpu(const struct probe *p, unsigned int i)
{
	struct devio_topo_gpu g = probe_gpu(p, i);
	struct json_object *o = json_object_new_object();

	add_str(o, "bdf", g.bdf);
	add_str(o, "name", g.name);
	add_str(o, "driver", g.driver);
	add_str(o, "spec", g.spec);
	add_str(o, "card", g.card);
	add_str(o, "render", g.render);
	add_some(o, "vram", g.vram);
	add_some(o, "bar", g.bar);
	add_some(o, "bar_max", g.bar_max);
	add_tri(o, "large_bar", g.large_bar);
	return o;
}

static struct json_object *json_nic(const struct probe *p, unsigned int i)
{
	struct devio_topo_nic n = probe_nic(p, i);
	struct json_object *o = json_object_new_object();

	add_str(o, "name", n.name);
	add_str(o, "driver", n.driver);
	add_bdf(p, o, "pci", n.pci);
	add_int(o, "speed_mbps", n.speed);
	add_num(o, "rx_queues", n.rx_queues);
	add_num(o, "tx_queues", n.tx_queues);
	add_int(o, "numa_node", n.numa_node);
	return o;
}

static struct json_object *json_note(const struct probe *p, unsigned int i)
{
	return json_object_new_string(devio_topo_get_note(p->topo, i));
}

static struct json_object *json_reach(const struct probe *p)
{
	static const char *const route[] = { "none", "same", "switch", "host-bridge" };
	struct probe_ends from = probe_providers(p), to = probe_clients(p);
	struct json_object *a = json_object_new_array();

	for (unsigned int i = 0; i < from.n * to.n; i++) {
		const struct probe_end *f = &from.end[i / to.n], *c = &to.end[i % to.n];
		struct json_object *o = json_object_new_object();
		struct devio_topo_p2p r = DEVIO_OPTS(r);

		devio_topo_get_p2p(p->topo, f->pci, c->pci, &r);
		add_str(o, "memory", f->name);
		add_bdf(p, o, "memory_bdf", f->pci);
		add_str(o, "client", c->name);
		add_bdf(p, o, "client_bdf", c->pci);
		add_str(o, "can", devio_can_name(r.can));
		add_str(o, "route", route[r.route & 3]);
		add_int(o, "distance", r.distance);
		add_bdf(p, o, "via", r.via);
		add_str(o, "cause", r.cause);
		add_str(o, "cure", r.cure);
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

struct json_object *probe_json(const struct probe *p)
{
	struct json_object *o = json_object_new_object();

	add_str(o, "devio", devio_version());
	json_object_object_add(o, "machine", json_machine(p));
	json_object_object_add(o, "pci", list(p, DEVIO_TOPO_PCI, json_pci));
	json_object_object_add(o, "block", list(p, DEVIO_TOPO_BLOCK, json_block));
	json_object_object_add(o, "filesystems", list(p, DEVIO_TOPO_FS, json_fs));
	json_object_object_add(o, "gpus", list(p, DEVIO_TOPO_GPU, json_gpu));
	json_object_object_add(o, "nics", list(p, DEVIO_TOPO_NIC, json_nic));
	json_object_object_add(o, "reach", json_reach(p));
	json_object_object_add(o, "notes", list(p, DEVIO_TOPO_NOTE, json_note));
	return o;
}

static struct json_object *json_path(const struct probe *p, const char *file, const char *spec, int path)
{
	struct devio_topo_verdict v = DEVIO_OPTS(v);
	struct json_object *o = json_object_new_object();

	add_str(o, "path", devio_path_name(path));
	if (devio_topo_explain(p->topo, file, spec, NULL, path, &v)) {
		add_str(o, "error", devio_errmsg());
		return o;
	}
	add_str(o, "can", devio_can_name(v.can));
	add_int(o, "errno", -v.err);
	add_str(o, "cause", v.cause);
	add_str(o, "cure", v.cure);
	return o;
}

static struct json_object *json_verdict(const struct probe *p, const char *file, const char *spec)
{
	struct json_object *o = json_object_new_object(), *a = json_object_new_array();
	char *real = probe_explain(p, file, spec), *save = NULL;

	add_str(o, "file", file);
	add_str(o, "memory", spec);
	for (int path = 1; path < DEVIO_PATH_FILE_MAX; path++)
		json_object_array_add(a, json_path(p, file, spec, path));
	json_object_object_add(o, "paths", a);
	if (real) {
		a = json_object_new_array();
		for (char *s = strtok_r(real, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
			json_object_array_add(a, json_object_new_string(s));
		json_object_object_add(o, "explain", a);
		free(real);
	}
	return o;
}

struct json_object *probe_json_files(const struct probe *p)
{
	struct json_object *a = json_object_new_array();

	for (unsigned int i = 0; i < p->nr_file; i++)
		for (unsigned int k = 0; k < p->nr_mem; k++)
			json_object_array_add(a, json_verdict(p, p->file[i], p->mem[k]));
	return a;
}
