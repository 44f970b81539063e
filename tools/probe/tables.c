/* SPDX-License-Identifier: MIT */
/* devio-probe: the machine and the verdicts as tables to read. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "probe.h"

static const char *tri(int v)
{
	return v > 0 ? "yes" : v < 0 ? "unknown" : "no";
}

static const char *number(int v, char buf[16])
{
	snprintf(buf, 16, "%d", v);
	return v < 0 ? "" : buf;
}

static void print_machine(const struct probe *p, FILE *out)
{
	static const char *const uring[] = { "allowed", "for privileged processes only", "forbidden" };
	struct devio_topo_machine m = probe_machine(p);
	char lock[24];
	int u = m.io_uring_disabled;

	fprintf(out, "Machine\n");
	fprintf(out, "  kernel  Linux %s; io_uring %s; memory that may be locked: %s\n",
		*m.release ? m.release : "?", u >= 0 && u <= 2 ? uring[u] : "unknown",
		m.memlock == UINT64_MAX ? "no limit" : size2(m.memlock, lock));
	fprintf(out, "  config  PCI_P2PDMA %s, UDMABUF %s, DMABUF_HEAPS %s, VFIO_PCI_DMABUF %s%s%s\n",
		tri(m.config_p2pdma), tri(m.config_udmabuf), tri(m.config_heaps), tri(m.config_vfio_dmabuf),
		*m.config_from ? "; from " : "", m.config_from);
	fprintf(out, "  CPU     %s (%s, family %d)\n", *m.cpu_model ? m.cpu_model : "unknown",
		*m.cpu_vendor ? m.cpu_vendor : "?", m.cpu_family);
	fprintf(out, "  IOMMU   %s%s%s\n", m.iommu > 0 ? "on" : m.iommu ? "unknown" : "off",
		*m.iommu_type ? ", domains of type " : "", m.iommu_type);
}

static char *link_of(const struct probe *p, int pci)
{
	struct devio_topo_pci f;
	int n;

	if (pci < 0)
		return text("%s", "");
	f = probe_pci(p, pci);
	/* "16.0 GT/s PCIe" -> "16.0 GT/s" */
	n = strcspn(f.link_speed, "P");
	while (n && f.link_speed[n - 1] == ' ')
		n--;
	return f.link_width && n ? text("%.*s x%u", n, f.link_speed, f.link_width) : text("%s", "");
}

static char *lower_of(const struct probe *p, const struct devio_topo_block *b)
{
	char *s = text("%s", "");

	for (unsigned int i = 0; i < b->nr_lower; i++) {
		struct devio_topo_block l = probe_block(p, b->lower[i]);
		char *t = text("%s%s%s", s, i ? ", " : "", l.name);

		free(s);
		s = t;
	}
	return s;
}

/* An empty loop or ram disk is noise, a partition's place is shown with its disk. */
static bool worth_showing(const struct devio_topo_block *b)
{
	return b->size || b->kind == DEVIO_BLOCK_NVME_PATH;
}

static void print_drives(const struct probe *p, FILE *out)
{
	struct table t = { 0 };

	table_row(&t, 8, "NAME", "KIND", "SIZE", "MADE OF", "PCI", "LINK", "NUMA", "DETAIL");
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_BLOCK); i++) {
		struct devio_topo_block b = probe_block(p, i);
		char size[24], numa[16], *lower, *link;

		if (!worth_showing(&b))
			continue;
		lower = lower_of(p, &b);
		link = b.kind == DEVIO_BLOCK_PARTITION ? text("%s", "") : link_of(p, b.pci);
		table_row(&t, 8, b.name, devio_block_kind_name(b.kind), b.size ? size10(b.size, size) : "", lower,
			  b.pci >= 0 ? probe_pci(p, b.pci).bdf : "", link, number(b.numa_node, numa),
			  *b.detail ? b.detail : b.transport);
		free(lower);
		free(link);
	}
	fprintf(out, "\nDrives\n");
	table_print(&t, out);
}

static char *drives_of(const struct probe *p, int block)
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

/* Another mount came on the same place later. */
static bool is_covered(const struct probe *p, unsigned int i)
{
	const char *where = probe_fs(p, i).where;

	while (++i < devio_topo_count(p->topo, DEVIO_TOPO_FS))
		if (!strcmp(probe_fs(p, i).where, where))
			return true;
	return false;
}

static void print_mounts(const struct probe *p, FILE *out)
{
	struct table t = { 0 };

	table_row(&t, 5, "MOUNT", "TYPE", "SOURCE", "DEVICE", "DRIVES");
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_FS); i++) {
		struct devio_topo_fs f = probe_fs(p, i);
		char *drives;

		if (f.pseudo || is_covered(p, i))
			continue;
		drives = drives_of(p, f.block);
		table_row(&t, 5, f.where, f.type, f.source, f.block >= 0 ? probe_block(p, f.block).name : "", drives);
		free(drives);
	}
	fprintf(out, "\nFile systems\n");
	table_print(&t, out);
}

static void print_gpus(const struct probe *p, FILE *out)
{
	struct table t = { 0 };

	table_row(&t, 8, "PCI", "NAME", "DRIVER", "MEMORY", "BAR", "ALL OF IT FOR PEERS", "NUMA", "SPEC");
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_GPU); i++) {
		struct devio_topo_gpu g = probe_gpu(p, i);
		char vram[24], bar[24], numa[16];

		table_row(&t, 8, g.bdf, g.name, g.driver, g.vram ? size2(g.vram, vram) : "", size2(g.bar, bar),
			  tri(g.large_bar), number(probe_pci(p, g.pci).numa_node, numa), g.spec);
	}
	fprintf(out, "\nGPUs\n");
	table_print(&t, out);
}

static void print_memories(const struct probe *p, FILE *out)
{
	struct table t = { 0 };

	fprintf(out, "\nMemories to name with --mem\n ");
	for (unsigned int i = 0; i < p->nr_mem; i++)
		fprintf(out, " %s", p->mem[i]);
	fputc('\n', out);
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_PCI); i++) {
		struct devio_topo_pci f = probe_pci(p, i);
		char size[24], left[24], *spec;

		if (!f.p2pmem_size)
			continue;
		if (!t.rows)
			table_row(&t, 5, "PEER MEMORY", "SIZE", "FREE", "PUBLISHED", "DRIVER");
		spec = text("p2pmem:%s", f.bdf);
		table_row(&t, 5, spec, size2(f.p2pmem_size, size), size2(f.p2pmem_free, left),
			  tri(f.p2pmem_published), f.driver);
		free(spec);
	}
	table_print(&t, out);
}

static void print_nics(const struct probe *p, FILE *out)
{
	struct table t = { 0 };

	table_row(&t, 6, "NAME", "DRIVER", "PCI", "SPEED", "QUEUES", "NUMA");
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_NIC); i++) {
		struct devio_topo_nic n = probe_nic(p, i);
		char *speed, *queues, numa[16];

		if (n.pci < 0 && !*n.driver)
			continue;
		speed = n.speed >= 1000 ? text("%g Gb/s", n.speed / 1000.0) : n.speed > 0 ? text("%d Mb/s", n.speed) :
			text("%s", "");
		queues = text("%u rx, %u tx", n.rx_queues, n.tx_queues);
		table_row(&t, 6, n.name, n.driver, n.pci >= 0 ? probe_pci(p, n.pci).bdf : "", speed, queues,
			  number(n.numa_node, numa));
		free(speed);
		free(queues);
	}
	fprintf(out, "\nNetwork\n");
	table_print(&t, out);
}

/* The causes of a matrix, numbered as they first appear. */
struct causes {
	char *line[64];
	unsigned int n;
};

static unsigned int cause_number(struct causes *c, const struct devio_topo_p2p *r)
{
	char *line = text("%s%s%s", r->cause, *r->cure ? "; cure: " : "", r->cure);

	for (unsigned int i = 0; i < c->n; i++)
		if (!strcmp(c->line[i], line)) {
			free(line);
			return i + 1;
		}
	if (c->n == 64) {
		free(line);
		return 64;
	}
	c->line[c->n++] = line;
	return c->n;
}

/* One column for each memory: there are fewer of them than of drives. */
static void reach_row(const struct probe *p, const struct probe_ends *from, const struct probe_end *to,
		      struct table *t, struct causes *causes)
{
	table_cell(t, to->name);
	for (unsigned int i = 0; i < from->n; i++) {
		struct devio_topo_p2p r = DEVIO_OPTS(r);
		char *cell;

		devio_topo_get_p2p(p->topo, from->end[i].pci, to->pci, &r);
		cell = text("%s [%u]", devio_can_name(r.can), cause_number(causes, &r));
		table_cell(t, cell);
		free(cell);
	}
}

static void print_reach(const struct probe *p, FILE *out)
{
	struct probe_ends from = probe_providers(p), to = probe_clients(p);
	struct causes causes = { .n = 0 };
	struct table t = { .cols = from.n + 1 };

	table_cell(&t, "PEER TO PEER");
	for (unsigned int i = 0; i < from.n; i++)
		table_cell(&t, from.end[i].name);
	for (unsigned int k = 0; k < to.n && from.n; k++)
		reach_row(p, &from, &to.end[k], &t, &causes);
	fprintf(out, "\nWho reaches whom\n");
	table_print(&t, out);
	for (unsigned int i = 0; i < causes.n; i++) {
		fprintf(out, "  [%u] %s\n", i + 1, causes.line[i]);
		free(causes.line[i]);
	}
	free(from.end);
	free(to.end);
}

void probe_print(const struct probe *p, FILE *out)
{
	print_machine(p, out);
	print_drives(p, out);
	print_mounts(p, out);
	print_gpus(p, out);
	print_memories(p, out);
	print_nics(p, out);
	print_reach(p, out);
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_NOTE); i++)
		fprintf(out, "%s  %s\n", i ? "" : "\nNotes\n", devio_topo_get_note(p->topo, i));
}

static void print_verdict(const char *path, const struct devio_topo_verdict *v, FILE *out)
{
	fprintf(out, "    %-13s  %-7s  %s\n", path, devio_can_name(v->can), v->cause);
	if (*v->cure)
		fprintf(out, "    %-13s  %-7s  cure: %s\n", "", "", v->cure);
}

static void print_verdicts(const struct probe *p, const char *file, const char *spec, FILE *out)
{
	struct devio_topo_verdict v[DEVIO_PATH_FILE_MAX];
	bool same = true;

	fprintf(out, "  memory %s\n", spec);
	for (int path = 1; path < DEVIO_PATH_FILE_MAX; path++) {
		v[path].sz = sizeof(v[path]);
		if (devio_topo_explain(p->topo, file, spec, NULL, path, &v[path])) {
			fprintf(out, "    %s\n", devio_errmsg());
			return;
		}
		same = same && v[path].can == DEVIO_CAN_NOT && !strcmp(v[path].cause, v[1].cause);
	}
	/* A memory or a file that is not there: once is enough. */
	if (same)
		print_verdict("no path", &v[1], out);
	for (int path = 1; path < DEVIO_PATH_FILE_MAX && !same; path++)
		print_verdict(devio_path_name(path), &v[path], out);
}

static void print_place(const struct probe *p, const char *file, FILE *out)
{
	int fs, block;
	char *drives;

	if (devio_topo_find_file(p->topo, file, &fs, &block)) {
		fprintf(out, "%s\n", file);
		return;
	}
	drives = drives_of(p, block);
	fprintf(out, "%s: %s%s%s", file, fs >= 0 ? probe_fs(p, fs).type : "block device", block >= 0 ? " on " : "",
		block >= 0 ? probe_block(p, block).name : "");
	fprintf(out, "%s%s\n", *drives ? ", drives: " : "", drives);
	free(drives);
}

static void print_real(const struct probe *p, const char *file, const char *spec, FILE *out)
{
	char *real = probe_explain(p, file, spec), *save = NULL;

	if (!real)
		return;
	fprintf(out, "    asked the library's path table (no data moved):\n");
	for (char *s = strtok_r(real, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
		fprintf(out, "      %s\n", s);
	free(real);
}

void probe_print_files(const struct probe *p, FILE *out)
{
	for (unsigned int i = 0; i < p->nr_file; i++) {
		fprintf(out, "%s", i ? "\n" : "");
		print_place(p, p->file[i], out);
		for (unsigned int k = 0; k < p->nr_mem; k++) {
			print_verdicts(p, p->file[i], p->mem[k], out);
			print_real(p, p->file[i], p->mem[k], out);
		}
	}
}
