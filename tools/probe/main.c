/* SPDX-License-Identifier: MIT */
/* devio-probe: which paths this machine has between drives and device memory, and why no better ones. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "common/args.h"
#include "probe.h"

enum { OPT_ROOT = 256, OPT_TRY, OPT_DOT };

static const struct argp_option options[] = {
	{ "mem", 'm', "SPEC", 0, "Check this memory (repeatable): host, udmabuf, cuda:0, amdgpu:0, "
	  "p2pmem:BDF, vfio:BDF/BAR, ... (all of this machine)", 0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ "dot", OPT_DOT, NULL, 0, "Print the PCI tree and the peer-to-peer reachability for graphviz: "
	  "devio-probe --dot | dot -Tsvg > machine.svg", 0 },
	{ "try", OPT_TRY, NULL, 0, "Make real transfers by each path and compare the bytes: a FILE is only read, "
	  "in a directory a temporary file is written", 0 },
	{ "size", 's', "SIZE", 0, "Bytes of each transfer of --try (64M)", 0 },
	{ "root", OPT_ROOT, "DIR", 0, "Read a captured machine (sys, proc and dev below DIR) instead of this one", 0 },
	{ 0 },
};

static char *add(char ***list, unsigned int *n, const char *s)
{
	char **p;

	for (unsigned int i = 0; i < *n; i++)
		if (!strcmp((*list)[i], s))
			return (*list)[i];
	p = reallocarray(*list, *n + 1, sizeof(*p));
	if (!p)
		return NULL;
	*list = p;
	return p[(*n)++] = text("%s", s);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct probe *p = state->input;

	switch (key) {
	case 'm':
		p->mem_given = true;
		add(&p->mem, &p->nr_mem, arg);
		return 0;
	case 'j': p->json = true; return 0;
	case OPT_DOT: p->dot = true; return 0;
	case OPT_TRY: p->try = true; return 0;
	case 's': p->size = args_size(state, "size", arg, 1, 1ull << 40); return 0;
	case OPT_ROOT: p->root = arg; return 0;
	case ARGP_KEY_ARG: add(&p->file, &p->nr_file, arg); return 0;
	case ARGP_KEY_END:
		if (p->try && !p->nr_file)
			argp_error(state, "--try needs a file to read or a directory to write to");
		if (p->try && p->root)
			argp_error(state, "--try and --root exclude each other");
		if (p->dot && (p->json || p->try))
			argp_error(state, "--dot excludes --json and --try");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int take_spec(void *arg, const char *spec)
{
	struct probe *p = arg;

	return add(&p->mem, &p->nr_mem, spec) ? 0 : -ENOMEM;
}

/* All memories of this machine: what can be opened now, then what the topology knows. */
static void find_memories(struct probe *p)
{
	struct probe_ends from = probe_providers(p);
	char *spec;

	if (!p->root)
		devio_mem_list(p->ctx, take_spec, p);
	for (unsigned int i = 0; i < from.n; i++)
		if (from.end[i].kind == 'm' || (from.end[i].kind == 'g' && strchr(from.end[i].name, ':') &&
						strcmp(probe_pci(p, from.end[i].pci).bdf, from.end[i].name)))
			take_spec(p, from.end[i].name);
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_PCI); i++) {
		struct devio_topo_pci f = probe_pci(p, i);

		for (int b = 0; b < 6 && !strncmp(f.driver, "vfio", 4); b++)
			if (f.bar[b] >= 1 << 20) {
				spec = text("vfio:%s/%d", f.bdf, b);
				take_spec(p, spec);
				free(spec);
			}
	}
	take_spec(p, "udmabuf");
	take_spec(p, "host");
	free(from.end);
}

static void print_json(struct probe *p)
{
	struct json_object *o = probe_json(p), *tries;

	if (p->nr_file)
		json_put(o, "verdicts", probe_json_files(p));
	if (p->try) {
		tries = json_object_new_array();
		probe_try(p, stdout, tries);
		json_put(o, "tries", tries);
	}
	json_print(stdout, o);
}

static void print(struct probe *p)
{
	if (p->dot) {
		probe_print_dot(p, stdout);
	} else if (p->json) {
		print_json(p);
	} else if (!p->nr_file) {
		probe_print(p, stdout);
	} else {
		probe_print_files(p, stdout);
		if (p->try)
			probe_try(p, stdout, NULL);
	}
}

static int complain(int status)
{
	tool_msg("%s", devio_errmsg());
	return status;
}

/* A file that does not exist or a malformed spec is reported before the long output. */
static int check_args(const struct probe *p)
{
	struct devio_topo_verdict v = DEVIO_OPTS(v);
	int fs, block, status = TOOL_OK;

	for (unsigned int i = 0; i < p->nr_file; i++)
		if (devio_topo_find_file(p->topo, p->file[i], &fs, &block))
			status = complain(TOOL_FAILED);
	for (unsigned int i = 0; i < p->nr_mem && !status && p->nr_file; i++)
		if (devio_topo_explain(p->topo, p->file[0], p->mem[i], NULL, DEVIO_PATH_FILE_BUFFERED, &v))
			status = complain(TOOL_USAGE);
	return status;
}

static void free_list(char **list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static int run(struct probe *p)
{
	struct devio_topo_opts opts = DEVIO_OPTS(opts);
	int status;

	opts.root = p->root;
	if (devio_ctx_open(NULL, &p->ctx) || devio_topo_open(p->ctx, &opts, &p->topo))
		return complain(TOOL_FAILED);
	status = check_args(p);
	if (status)
		return status;
	if (!p->nr_mem)
		find_memories(p);
	print(p);
	return tool_flush(p->failed ? TOOL_FAILED : TOOL_OK);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[FILE...]",
		.doc = "Shows drives, file systems, GPUs and NICs, the peer-to-peer reachability between them, and a "
		       "verdict on "
		       "each GPU and NIC. For FILEs (or directories) and memories it shows which paths the bytes can "
		       "take, why "
		       "not a better one, and how to fix it.\v" ARGS_SIZE_DOC "\n\n"
		       "Exit status: 0 success; 1 failed: a transfer of --try, or a file that does not exist; 2 wrong "
		       "usage.",
	};
	struct probe p = { .size = 64 << 20 };
	int status;

	tool_name = "devio-probe";
	args_parse(&argp, argc, argv, &p);
	status = run(&p);
	devio_topo_close(p.topo);
	devio_ctx_close(p.ctx);
	free_list(p.mem, p.nr_mem);
	free_list(p.file, p.nr_file);
	return status;
}
