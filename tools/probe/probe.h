/* SPDX-License-Identifier: MIT */
/* What the parts of devio-probe share. */
#ifndef TOOLS_PROBE_H
#define TOOLS_PROBE_H

#include <stdbool.h>
#include <stdio.h>
#include <devio.h>
#include <json-c/json.h>

struct probe {
	struct devio_ctx *ctx;
	struct devio_topo *topo;
	const char *root;           /* a captured machine, NULL: this one */
	char **file;
	unsigned int nr_file;
	char **mem;                 /* specs, the caller's or all that are here */
	unsigned int nr_mem;
	bool mem_given;
	bool json, dot, try;
	uint64_t size;              /* bytes for a try */
	int failed;                 /* a try went wrong */
};

/* Getters that cannot fail for a valid index. */
#define PROBE_GET(kind)									\
static inline struct devio_topo_##kind probe_##kind(const struct probe *p, unsigned int i)	\
{											\
	struct devio_topo_##kind x = DEVIO_OPTS(x);					\
											\
	devio_topo_get_##kind(p->topo, i, &x);						\
	return x;									\
}
PROBE_GET(pci)
PROBE_GET(block)
PROBE_GET(fs)
PROBE_GET(gpu)
PROBE_GET(nic)

static inline struct devio_topo_machine probe_machine(const struct probe *p)
{
	struct devio_topo_machine m = DEVIO_OPTS(m);

	devio_topo_get_machine(p->topo, &m);
	return m;
}

/* PCI functions at the two ends of peer to peer, with a short name for each. */
struct probe_end {
	int pci;
	char kind;                  /* 'g' GPU, 'm' peer memory, 'v' vfio, 'd' drive, 'n' NIC */
	char name[96];
};
struct probe_ends {
	struct probe_end *end;
	unsigned int n;
};
struct probe_ends probe_providers(const struct probe *p);
struct probe_ends probe_clients(const struct probe *p);

/* A table that is laid out when all its cells are known. */
struct table {
	unsigned int cols, rows;
	unsigned int filled;        /* cells of the row in the making */
	char **cell;
};
void table_cell(struct table *t, const char *s); /* set cols first */
void table_row(struct table *t, unsigned int cols, ...);
void table_print(struct table *t, FILE *out); /* and clears it */
void table_clear(struct table *t);
/* Text for a cell or a label; freed by the caller. Never NULL. */
char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "1.92 TB", "16 GiB" into buf. */
const char *size10(uint64_t bytes, char buf[24]);
const char *size2(uint64_t bytes, char buf[24]);

/* A file and a memory, asked for real: the path table's own lines. Freed by the caller, NULL if not possible. */
char *probe_explain(const struct probe *p, const char *file, const char *spec);

void probe_print(const struct probe *p, FILE *out);
void probe_print_files(const struct probe *p, FILE *out);
struct json_object *probe_json(const struct probe *p);
struct json_object *probe_json_files(const struct probe *p);
void probe_print_dot(const struct probe *p, FILE *out);
/* Makes the transfers; prints lines to out, or adds objects to list. */
void probe_try(struct probe *p, FILE *out, struct json_object *list);

#endif
