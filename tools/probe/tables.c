/* SPDX-License-Identifier: MIT */
/* devio-probe: the machine as text. */
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

/* Wrapped to the terminal; frees the text. */
static void put_line(FILE *out, const char *head, char *line)
{
	term_wrap(out, head, line);
	free(line);
}

static void print_machine(const struct probe *p, FILE *out)
{
	static const char *const uring[] = { "allowed", "for privileged processes only", "disabled" };
	struct devio_topo_machine m = probe_machine(p);
	char lock[24], *line;
	int u = m.io_uring_disabled;

	fprintf(out, "Machine\n");
	line = text("Linux %s; io_uring %s; locked memory (RLIMIT_MEMLOCK): %s", *m.release ? m.release : "?",
		    u >= 0 && u <= 2 ? uring[u] : "unknown",
		    m.memlock == UINT64_MAX ? "no limit" : size2(m.memlock, lock));
	put_line(out, "  kernel  ", line);
	line = text("PCI_P2PDMA %s, UDMABUF %s, DMABUF_HEAPS %s, VFIO_PCI_DMABUF %s%s%s", tri(m.config_p2pdma),
		    tri(m.config_udmabuf), tri(m.config_heaps), tri(m.config_vfio_dmabuf),
		    *m.config_from ? "; from " : "", m.config_from);
	put_line(out, "  config  ", line);
	line = text("%s (%s, family %d)", *m.cpu_model ? m.cpu_model : "unknown", *m.cpu_vendor ? m.cpu_vendor : "?",
		    m.cpu_family);
	put_line(out, "  CPU     ", line);
	line = text("%s%s%s", m.iommu > 0 ? "on" : m.iommu ? "unknown" : "off",
		    *m.iommu_type ? ", domains of type " : "", m.iommu_type);
	put_line(out, "  IOMMU   ", line);
}

/* A table with a title; "none" if it has only its head. */
static void put_table(FILE *out, const char *title, struct table *t)
{
	fprintf(out, "\n%s\n", title);
	if (t->rows > 1) {
		table_print(t, out);
		return;
	}
	fprintf(out, "  none\n");
	table_clear(t);
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

/* Not empty loop devices and ram disks. */
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
	put_table(out, "Drives", &t);
}

/* Another file system was mounted over it later. */
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
		drives = probe_drives(p, f.block);
		table_row(&t, 5, f.where, f.type, f.source, f.block >= 0 ? probe_block(p, f.block).name : "", drives);
		free(drives);
	}
	put_table(out, "File systems", &t);
}

static void print_gpus(const struct probe *p, FILE *out)
{
	struct table t = { 0 };

	table_row(&t, 8, "PCI", "NAME", "DRIVER", "MEMORY", "BAR", "PEERS REACH ALL", "NUMA", "SPEC");
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_GPU); i++) {
		struct devio_topo_gpu g = probe_gpu(p, i);
		char vram[24], bar[24], numa[16];

		table_row(&t, 8, g.bdf, g.name, g.driver, g.vram ? size2(g.vram, vram) : "", size2(g.bar, bar),
			  tri(g.large_bar), number(probe_pci(p, g.pci).numa_node, numa), g.spec);
	}
	put_table(out, "GPUs", &t);
}

static void print_memories(const struct probe *p, FILE *out)
{
	struct table t = { 0 };
	char *list = text("%s", "");

	for (unsigned int i = 0; i < p->nr_mem; i++) {
		char *more = text("%s%s%s", list, i ? " " : "", p->mem[i]);

		free(list);
		list = more;
	}
	fprintf(out, "\nMemories for --mem\n");
	put_line(out, "  ", list);
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
	put_table(out, "Network", &t);
}

/* The reasons of a matrix, numbered as they first appear. */
struct reasons {
	char *line[64];
	unsigned int n;
};

static unsigned int reason_number(struct reasons *c, const struct devio_topo_p2p *r)
{
	char *line = text("%s%s%s", r->cause, *r->fix ? "; fix: " : "", r->fix);

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

static void put_cell(const struct probe *p, const struct probe_end *from, const struct probe_end *to, struct table *t,
		     struct reasons *reasons)
{
	struct devio_topo_p2p r = DEVIO_OPTS(r);
	char *cell;

	devio_topo_get_p2p(p->topo, from->pci, to->pci, &r);
	cell = text("%s [%u]", devio_can_name(r.can), reason_number(reasons, &r));
	table_cell(t, cell);
	free(cell);
}

/* How many of the memories, from the first on, fit as columns into the width. */
static unsigned int fitting(const struct probe_ends *from, unsigned int first, const struct probe_ends *to, FILE *out)
{
	unsigned int used = 2 + strlen("TO"), n = 0;

	for (unsigned int k = 0; k < to->n; k++)
		used = 2 + term_columns(to->end[k].name) > used ? 2 + term_columns(to->end[k].name) : used;
	for (unsigned int i = first; i < from->n; i++, n++) {
		unsigned int own = term_columns(from->end[i].name);

		used += 2 + (own > 12 ? own : 12);
		if (used > term_width(out))
			break;
	}
	return n ? n : 1;
}

/* One column for each memory, one row for each drive or NIC; as many tables as the width needs. */
static void put_matrix(const struct probe *p, const struct probe_ends *from, const struct probe_ends *to,
		       struct reasons *reasons, FILE *out)
{
	for (unsigned int first = 0, n; first < from->n; first += n) {
		struct table t = { 0 };

		n = fitting(from, first, to, out);
		t.cols = n + 1;
		table_cell(&t, "TO");
		for (unsigned int i = 0; i < n; i++)
			table_cell(&t, from->end[first + i].name);
		for (unsigned int k = 0; k < to->n; k++) {
			table_cell(&t, to->end[k].name);
			for (unsigned int i = 0; i < n; i++)
				put_cell(p, &from->end[first + i], &to->end[k], &t, reasons);
		}
		if (first)
			fputc('\n', out);
		table_print(&t, out);
	}
}

static void print_reach(const struct probe *p, FILE *out)
{
	struct probe_ends from = probe_providers(p), to = probe_clients(p);
	struct reasons reasons = { .n = 0 };

	fprintf(out, "\nPeer-to-peer reachability\n");
	if (!from.n || !to.n) {
		fprintf(out, "  none\n");
	} else {
		put_matrix(p, &from, &to, &reasons, out);
		term_wrap(out, "  legend: ",
			  "columns are memories, rows are drives and NICs; yes: DMA between the two works "
			  "without host memory, no: it does not, unknown: devio-probe --try shows it; [n]: the reason");
	}
	for (unsigned int i = 0; i < reasons.n; i++) {
		char *head = text("  [%u] ", i + 1);

		put_line(out, head, reasons.line[i]);
		free(head);
	}
	free(from.end);
	free(to.end);
}

static void print_support(const struct probe *p, FILE *out)
{
	unsigned int n;
	struct probe_support *all = probe_supports(p, &n);

	fprintf(out, "\nVerdict\n");
	for (unsigned int i = 0; i < n; i++) {
		const struct probe_support *s = &all[i];
		char *line = text("%s%s%s: %s: %s%s%s%s", s->name, *s->bdf ? " at " : "", s->bdf,
				  s->can == DEVIO_CAN ? "supported" : s->can == DEVIO_CAN_UNKNOWN ? "unknown" :
				  "not supported", s->how, s->reason, *s->fix ? "; fix: " : "", s->fix);

		term_hang(out, line);
		free(line);
	}
	if (!n)
		fprintf(out, "  no GPU and no NIC\n");
	free(all);
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
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_NOTE); i++) {
		if (!i)
			fprintf(out, "\nNotes\n");
		term_wrap(out, "  ", devio_topo_get_note(p->topo, i));
	}
	print_support(p, out);
}
