/* SPDX-License-Identifier: MIT */
/* devio-probe --dot: the PCI tree with memories, drives and NICs, and the peer-to-peer reachability. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "probe.h"

/* More lines would hide the tree: the table below it has all pairs. */
#define MANY_PAIRS 4
#define MANY_SWITCHED 16

#define INK "#24292f"
#define YES "#1a7f37"
#define NO "#cf222e"
#define MAYBE "#9a6700"

struct drawing {
	const struct probe *p;
	FILE *out;
	struct probe_ends from, to, other;
	unsigned int lines;         /* pairs that could be drawn as lines */
	bool *draw;                 /* PCI functions on the way to an end */
};

static void put_escaped(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		fputc(*s, out);
	}
}

static void mark_up(struct drawing *d, const struct probe_ends *e)
{
	for (unsigned int i = 0; i < e->n; i++)
		for (int k = e->end[i].pci; k >= 0; k = probe_pci(d->p, k).parent)
			d->draw[k] = true;
}

static const struct probe_end *end_at(const struct probe_ends *e, int pci)
{
	for (unsigned int i = 0; i < e->n; i++)
		if (e->end[i].pci == pci)
			return &e->end[i];
	return NULL;
}

static char *gpu_text(const struct drawing *d, int pci)
{
	char vram[24], bar[24];

	for (unsigned int i = 0; i < devio_topo_count(d->p->topo, DEVIO_TOPO_GPU); i++) {
		struct devio_topo_gpu g = probe_gpu(d->p, i);

		if (g.pci == pci)
			return text("%s\n%s%s%s BAR%s", g.name, g.vram ? size2(g.vram, vram) : "",
				    g.vram ? ", " : "", size2(g.bar, bar), g.large_bar == 0 ? " (small)" : "");
	}
	return text("%s", "");
}

static char *drive_text(const struct drawing *d, int pci)
{
	char size[24];

	for (unsigned int i = 0; i < devio_topo_count(d->p->topo, DEVIO_TOPO_BLOCK); i++) {
		struct devio_topo_block b = probe_block(d->p, i);

		if (b.pci == pci && (b.kind == DEVIO_BLOCK_NVME || b.kind == DEVIO_BLOCK_NVME_PATH ||
				     b.kind == DEVIO_BLOCK_DISK))
			return text("%s%s%s", *b.detail ? b.detail : b.transport, b.size ? "\n" : "",
				    b.size ? size10(b.size, size) : "");
	}
	return text("%s", "");
}

static char *nic_text(const struct drawing *d, int pci)
{
	for (unsigned int i = 0; i < devio_topo_count(d->p->topo, DEVIO_TOPO_NIC); i++) {
		struct devio_topo_nic n = probe_nic(d->p, i);

		if (n.pci == pci && n.speed > 0)
			return text("%s, %g Gb/s", n.driver, n.speed / 1000.0);
		if (n.pci == pci)
			return text("%s", n.driver);
	}
	return text("%s", "");
}

static void put_node(struct drawing *d, const struct devio_topo_pci *f, const char *title, const char *more,
		     const char *style)
{
	/* The top of a cylinder covers the first line. */
	fprintf(d->out, "\t\t\"%s\" [%s, label=\"%s", f->bdf, style, strstr(style, "cylinder") ? "\\n" : "");
	put_escaped(d->out, title);
	for (const char *s = more; *s; s += *s == '\n') {
		int n = strcspn(s, "\n");
		char *line = text("%.*s", n, s);

		fputs("\\n", d->out);
		put_escaped(d->out, line);
		free(line);
		s += n;
	}
	fprintf(d->out, "\\n%s\"];\n", f->bdf);
}

#define OTHER_DRIVE "shape=cylinder, style=filled, fillcolor=\"#eaeef2\", color=\"#57606a\""

static void put_end(struct drawing *d, int pci, const struct devio_topo_pci *f)
{
	const struct probe_end *m = end_at(&d->from, pci), *c = end_at(&d->to, pci), *o = end_at(&d->other, pci);
	char *more, *title;

	if (m && m->kind == 'g') {
		more = gpu_text(d, pci);
		put_node(d, f, m->name, more,
			 "shape=box, style=\"filled,rounded\", fillcolor=\"#ddf4e4\", color=\"#1a7f37\"");
	} else if (c && c->kind == 'd') {
		more = drive_text(d, pci);
		title = m ? text("%s with peer memory", c->name) : text("%s", c->name);
		put_node(d, f, title, more, "shape=cylinder, style=filled, fillcolor=\"#ddecfd\", color=\"#0969da\"");
		free(title);
	} else if (c) {
		more = nic_text(d, pci);
		put_node(d, f, c->name, more, "shape=box, style=filled, fillcolor=\"#fff3d6\", color=\"#9a6700\"");
	} else if (o) {
		more = drive_text(d, pci);
		put_node(d, f, o->name, more, OTHER_DRIVE);
	} else {
		more = text("%s", "");
		put_node(d, f, m && m->kind == 'v' ? "vfio" : "peer memory", more,
			 "shape=box, style=\"filled,dashed\", fillcolor=\"#f3e8fd\", color=\"#8250df\"");
	}
	free(more);
}

static void put_function(struct drawing *d, int i)
{
	struct devio_topo_pci f = probe_pci(d->p, i);
	char *acs;

	if (end_at(&d->from, i) || end_at(&d->to, i) || end_at(&d->other, i)) {
		put_end(d, i, &f);
		return;
	}
	acs = text("%s", f.acs == 1 ? "ACS redirects" : "");
	put_node(d, &f, devio_pci_type_name(f.type), acs,
		 f.acs == 1 ? "shape=box, style=filled, fillcolor=\"#ffebe9\", color=\"#8c959f\", fontsize=9" :
		 "shape=box, style=filled, fillcolor=\"#f6f8fa\", color=\"#8c959f\", fontsize=9");
	free(acs);
}

static void put_link(struct drawing *d, int i)
{
	struct devio_topo_pci f = probe_pci(d->p, i);
	int n = strcspn(f.link_speed, " ");

	if (f.parent >= 0)
		fprintf(d->out, "\t\t\"%s\" -> ", probe_pci(d->p, f.parent).bdf);
	else
		fprintf(d->out, "\t\t\"%s\" -> ", f.root);
	fprintf(d->out, "\"%s\" [color=\"#8c959f\", arrowhead=none, penwidth=%g", f.bdf,
		1 + f.link_width / 6.0);
	if (f.link_width && n)
		fprintf(d->out, ", label=\" %.*s GT/s x%u\", fontsize=8, fontcolor=\"#57606a\"", n, f.link_speed,
			f.link_width);
	fprintf(d->out, "];\n");
}

/* A root bus with all functions below it, as a box. */
static void put_root(struct drawing *d, const char *root, unsigned int first)
{
	int numa = probe_pci(d->p, first).numa_node;

	fprintf(d->out, "\tsubgraph \"cluster_%s\" {\n\t\tlabel=\"root complex %s", root, root + 3);
	if (numa >= 0)
		fprintf(d->out, ", NUMA node %d", numa);
	fprintf(d->out, "\"; style=\"rounded,filled\"; fillcolor=\"#ffffff\"; color=\"#8c959f\"; fontsize=11;\n");
	fprintf(d->out, "\t\t\"%s\" [shape=box, style=\"filled,rounded\", fillcolor=\"#eaeef2\", "
		"color=\"#57606a\", label=\"host bridge\"];\n", root);
	for (unsigned int i = first; i < devio_topo_count(d->p->topo, DEVIO_TOPO_PCI); i++)
		if (d->draw[i] && !strcmp(probe_pci(d->p, i).root, root)) {
			put_function(d, i);
			put_link(d, i);
		}
	fprintf(d->out, "\t}\n");
}

static bool root_seen(const struct drawing *d, const char *root, unsigned int before)
{
	for (unsigned int i = 0; i < before; i++)
		if (d->draw[i] && !strcmp(probe_pci(d->p, i).root, root))
			return true;
	return false;
}

static const char *color_of(int can)
{
	return can == DEVIO_CAN ? YES : can == DEVIO_CAN_UNKNOWN ? MAYBE : NO;
}

static void put_pair(struct drawing *d, const struct probe_end *m, const struct probe_end *c)
{
	struct devio_topo_p2p r = DEVIO_OPTS(r);
	const char *style;

	/* Not a drive and its own memory. */
	if (m->pci == c->pci || devio_topo_get_p2p(d->p->topo, m->pci, c->pci, &r))
		return;
	if (d->lines > MANY_PAIRS && (r.can != DEVIO_CAN || r.route != DEVIO_P2P_SWITCH))
		return;
	style = r.can == DEVIO_CAN_NOT ? "dotted" : r.can == DEVIO_CAN_UNKNOWN ? "dashed" :
		r.route == DEVIO_P2P_SWITCH ? "bold" : "solid";
	/* No labels: they would cover those of the links, and the table has them. */
	fprintf(d->out, "\t\"%s\" -> \"%s\" [dir=both, constraint=false, color=\"%s\", style=%s, "
		"arrowsize=0.6, tooltip=\"", probe_pci(d->p, c->pci).bdf, probe_pci(d->p, m->pci).bdf,
		color_of(r.can), style);
	put_escaped(d->out, r.cause);
	fprintf(d->out, "\"];\n");
}

static void put_html(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '<' || *s == '>' || *s == '&' || *s == '"')
			fprintf(out, "&#%d;", *s);
		else
			fputc(*s, out);
	}
}

static void put_cell(struct drawing *d, const struct probe_end *m, const struct probe_end *c)
{
	static const char *const how[] = { "no", "same", "switch", "host bridge" };
	struct devio_topo_p2p r = DEVIO_OPTS(r);
	const char *bg;

	devio_topo_get_p2p(d->p->topo, m->pci, c->pci, &r);
	bg = r.can == DEVIO_CAN ? "#b4ecc4" : r.can == DEVIO_CAN_UNKNOWN ? "#fff3d6" : "#ffebe9";
	if (r.can == DEVIO_CAN && r.route == DEVIO_P2P_HOST_BRIDGE)
		bg = "#e6f6eb";
	fprintf(d->out, "<td bgcolor=\"%s\"><font color=\"%s\">%s</font></td>", bg, color_of(r.can),
		r.can == DEVIO_CAN_UNKNOWN ? "unknown" : how[r.route & 3]);
}

/* All pairs: a column for each memory, a row for each drive or NIC. */
static void put_matrix(struct drawing *d)
{
	fprintf(d->out, "<tr><td>peer to peer</td>");
	for (unsigned int i = 0; i < d->from.n; i++) {
		fprintf(d->out, "<td><b>");
		put_html(d->out, d->from.end[i].name);
		fprintf(d->out, "</b></td>");
	}
	fprintf(d->out, "</tr>");
	for (unsigned int k = 0; k < d->to.n; k++) {
		fprintf(d->out, "<tr><td align=\"left\"><b>");
		put_html(d->out, d->to.end[k].name);
		fprintf(d->out, "</b></td>");
		for (unsigned int i = 0; i < d->from.n; i++)
			put_cell(d, &d->from.end[i], &d->to.end[k]);
		fprintf(d->out, "</tr>");
	}
}

/* What the colors of nodes, lines and cells mean. */
static void put_legend(struct drawing *d)
{
	static const struct { const char *color, *text; } nodes[] = {
		{ "#ddf4e4", "GPU" }, { "#f3e8fd", "peer memory, vfio" }, { "#ddecfd", "NVMe drive" },
		{ "#eaeef2", "other drive" }, { "#fff3d6", "NIC" }, { "#ffebe9", "port: ACS redirects" },
	};
	static const struct { const char *color, *text; } lines[] = {
		{ YES, "bold: by a switch" }, { YES, "solid: by the host bridge" }, { MAYBE, "dashed: unknown" },
		{ NO, "dotted: not possible" },
	};

	fprintf(d->out, "<tr><td border=\"0\" align=\"left\" colspan=\"%u\"><table border=\"0\" cellborder=\"1\" "
		"cellspacing=\"0\" cellpadding=\"3\"><tr><td border=\"0\">legend</td>", d->from.n + 1);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		fprintf(d->out, "<td bgcolor=\"%s\">%s</td>", nodes[i].color, nodes[i].text);
	fprintf(d->out, "</tr><tr><td border=\"0\">peer to peer</td>");
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		fprintf(d->out, "<td><font color=\"%s\">%s</font></td>", lines[i].color, lines[i].text);
	fprintf(d->out, "</tr></table></td></tr>");
}

/* The machine, the table of pairs and the legend, below the tree. */
static void put_caption(struct drawing *d)
{
	struct devio_topo_machine m = probe_machine(d->p);

	fprintf(d->out, "\tlabel=<<table border=\"0\" cellborder=\"1\" cellspacing=\"0\" cellpadding=\"4\" "
		"color=\"#d0d7de\"><tr><td border=\"0\" colspan=\"%u\">Linux ", d->from.n + 1);
	put_html(d->out, m.release);
	fprintf(d->out, ", ");
	put_html(d->out, m.cpu_model);
	fprintf(d->out, ", IOMMU %s</td></tr>", m.iommu > 0 ? "on" : m.iommu ? "unknown" : "off");
	if (d->from.n && d->to.n)
		put_matrix(d);
	put_legend(d);
	fprintf(d->out, "</table>>;\n");
}

/* Drives on no PCI bus, such as those of microvms and NVMe over fabrics. */
static void put_off_pci(struct drawing *d)
{
	bool begun = false;

	for (unsigned int i = 0; i < d->other.n; i++) {
		if (d->other.end[i].pci >= 0)
			continue;
		if (!begun)
			fprintf(d->out,
				"\tsubgraph cluster_off_pci {\n\t\tlabel=\"not on the PCI bus\"; style=rounded; "
				"color=\"#8c959f\"; fontsize=11;\n");
		begun = true;
		fprintf(d->out, "\t\t\"drive %u\" [%s, label=\"\\n", i, OTHER_DRIVE);
		put_escaped(d->out, d->other.end[i].name);
		fprintf(d->out, "\"];\n");
	}
	if (begun)
		fprintf(d->out, "\t}\n");
}

static void draw(struct drawing *d)
{
	unsigned int n = devio_topo_count(d->p->topo, DEVIO_TOPO_PCI);

	d->lines = d->from.n * d->to.n;
	mark_up(d, &d->from);
	mark_up(d, &d->to);
	mark_up(d, &d->other);
	fprintf(d->out, "digraph devio {\n\tgraph [fontname=\"Helvetica\", fontcolor=\"%s\", nodesep=0.5, "
		"ranksep=0.55, labelloc=b, fontsize=10, bgcolor=\"#ffffff\", pad=0.3];\n", INK);
	fprintf(d->out, "\tnode [fontname=\"Helvetica\", fontsize=10, fontcolor=\"%s\", margin=\"0.14,0.07\"];\n", INK);
	fprintf(d->out, "\tedge [fontname=\"Helvetica\"];\n");
	put_caption(d);
	for (unsigned int i = 0; i < n; i++)
		if (d->draw[i] && !root_seen(d, probe_pci(d->p, i).root, i))
			put_root(d, probe_pci(d->p, i).root, i);
	for (unsigned int i = 0; i < d->from.n; i++)
		for (unsigned int k = 0; k < d->to.n && d->lines <= MANY_SWITCHED; k++)
			put_pair(d, &d->from.end[i], &d->to.end[k]);
	put_off_pci(d);
	if (!d->from.n && !d->to.n && !d->other.n)
		fprintf(d->out, "\t\"no GPU, drive or NIC\" [shape=plaintext];\n");
	fprintf(d->out, "}\n");
}

void probe_print_dot(const struct probe *p, FILE *out)
{
	struct drawing d = { .p = p, .out = out, .from = probe_providers(p), .to = probe_clients(p),
			     .other = probe_other_drives(p) };

	d.draw = calloc(devio_topo_count(p->topo, DEVIO_TOPO_PCI) + 1, sizeof(*d.draw));
	if (d.draw)
		draw(&d);
	free(d.draw);
	free(d.from.end);
	free(d.to.end);
	free(d.other.end);
}
