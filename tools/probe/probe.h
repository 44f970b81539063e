/* SPDX-License-Identifier: MIT */
/*
 * The parts of devio-probe:
 *   main.c      options, which memories, the exit status
 *   text.c      text and sizes
 *   ends.c      PCI functions on both sides of peer-to-peer transfers
 *   explain.c   the verdicts on a file and a memory
 *   support.c   the verdicts on each GPU and each NIC
 *   tables.c    the machine as text
 *   json.c      the same as JSON
 *   dot.c       the PCI tree for graphviz
 *   try.c       --try: real transfers
 */
#ifndef TOOLS_PROBE_H
#define TOOLS_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <devio.h>
#include "common/json.h"
#include "common/table.h"
#include "common/term.h"
#include "common/tool.h"

struct probe {
	struct devio_ctx *ctx;
	struct devio_topo *topo;
	const char *root;           /* a captured machine, NULL: this one */
	char **file;
	unsigned int nr_file;
	char **mem;                 /* specs: of --mem, or all of this machine */
	unsigned int nr_mem;
	bool mem_given;
	bool json, dot, try;
	uint64_t size;              /* bytes for --try */
	bool failed;                /* a transfer of --try failed */
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

/* PCI functions at both ends of peer-to-peer transfers, with a short name for each. */
struct probe_end {
	int pci;                    /* -1: not on the PCI bus */
	char kind;                  /* 'g' GPU, 'm' peer memory, 'v' vfio, 'd' NVMe drive, 'n' NIC, 's' another drive */
	char name[96];
};
struct probe_ends {
	struct probe_end *end;
	unsigned int n;
};
struct probe_ends probe_providers(const struct probe *p);
struct probe_ends probe_clients(const struct probe *p);
/* Drives that cannot be clients: no NVMe, or not on the PCI bus. */
struct probe_ends probe_other_drives(const struct probe *p);

/* Names of the drives under a block device; freed by the caller. */
char *probe_drives(const struct probe *p, int block);

/* Text for a cell or a label; freed by the caller. Never NULL. */
char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "1.92 TB", "16 GiB" into buf. */
const char *size10(uint64_t bytes, char buf[24]);
const char *size2(uint64_t bytes, char buf[24]);

/* What devio_file_explain() says of a file and a memory. Freed by the caller, NULL if it cannot be called. */
char *probe_explain(const struct probe *p, const char *file, const char *spec);
void probe_print_files(const struct probe *p, FILE *out);
struct json_object *probe_json_files(const struct probe *p);

/* Whether transfers between this device and a drive or the network can bypass the CPU. */
struct probe_support {
	char name[96];              /* "GPU cuda:0", "NIC eth0" */
	const char *bdf;            /* "" if it is not on the PCI bus */
	int can;                    /* enum devio_can */
	char how[400];              /* of a GPU: the drives; of a NIC: the paths; "" if it cannot */
	char reason[400], fix[240]; /* "" if it can */
};
struct probe_support *probe_supports(const struct probe *p, unsigned int *n); /* freed by the caller */

void probe_print(const struct probe *p, FILE *out);
struct json_object *probe_json(const struct probe *p);
void probe_print_dot(const struct probe *p, FILE *out);
/* Makes the transfers; prints lines to out, or adds objects to list. */
void probe_try(struct probe *p, FILE *out, struct json_object *list);

#endif
