/* SPDX-License-Identifier: MIT */
/* devio-probe: what this machine can do between drives and device memory, and why not more. */
#include "config.h"
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "probe.h"

enum { OPT_ROOT = 256, OPT_TRY, OPT_DOT };

static const struct argp_option options[] = {
	{ "mem", 'm', "SPEC", 0, "Judge this memory (repeatable): host, udmabuf, cuda:0, amdgpu:0, "
	  "p2pmem:BDF, vfio:BDF/BAR, ...; default: all that are here", 0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ "dot", OPT_DOT, NULL, 0, "Print the PCI tree and who reaches whom for graphviz: "
	  "devio-probe --dot | dot -Tsvg > machine.svg", 0 },
	{ "try", OPT_TRY, NULL, 0, "Make real transfers by each path and compare the bytes: a FILE is only read, "
	  "in a directory a temporary file is written", 0 },
	{ "size", 's', "BYTES", 0, "Bytes for --try, with k, M or G; default 64M", 0 },
	{ "root", OPT_ROOT, "DIR", 0, "Look at a captured machine (sys, proc, dev below DIR), not at this one", 0 },
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

static uint64_t parse_size(struct argp_state *state, const char *arg)
{
	unsigned long long v;
	int shift = 0;
	char *end;

	errno = 0;
	v = strtoull(arg, &end, 10);
	switch (*end) {
	case 'k': case 'K': shift = 10; break;
	case 'm': case 'M': shift = 20; break;
	case 'g': case 'G': shift = 30; break;
	}
	if (shift)
		end++;
	if (errno || end == arg || *end || *arg == '-' || !v || v > (1ULL << 40 >> shift))
		argp_error(state, "--size=%s: this is no size: 64M, 1G, ...", arg);
	return v << shift;
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
	case 's': p->size = parse_size(state, arg); return 0;
	case OPT_ROOT: p->root = arg; return 0;
	case ARGP_KEY_ARG: add(&p->file, &p->nr_file, arg); return 0;
	case ARGP_KEY_END:
		if (p->try && !p->nr_file)
			argp_error(state, "--try needs a file to read or a directory to write in");
		if (p->try && p->root)
			argp_error(state, "--try works on this machine, not on a captured one");
		if (p->dot && (p->json || p->try))
			argp_error(state, "--dot goes with neither --json nor --try");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void version(FILE *out, struct argp_state *state)
{
	(void)state;
	fprintf(out, "devio-probe %s\n", devio_version());
}

static int take_spec(void *arg, const char *spec)
{
	struct probe *p = arg;

	return add(&p->mem, &p->nr_mem, spec) ? 0 : -ENOMEM;
}

/* All memories that are here: what can be opened now, then what the topology knows of. */
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

char *probe_explain(const struct probe *p, const char *file, const char *spec)
{
	struct devio_completion verdict;
	struct devio_file *f = NULL;
	struct devio_mem *m = NULL;
	char buf[4096] = "";
	struct stat st;

	if (p->root || stat(file, &st) || S_ISDIR(st.st_mode))
		return NULL;
	if (devio_file_open(p->ctx, file, O_RDONLY, NULL, &f) ||
	    devio_mem_alloc(p->ctx, spec, 1 << 20, NULL, &m))
		snprintf(buf, sizeof(buf), "%s", devio_errmsg());
	else if (devio_file_explain(f, m, 0, 1 << 20, 0, 0, &verdict, buf, sizeof(buf)) && !*buf)
		snprintf(buf, sizeof(buf), "%s", devio_errmsg());
	devio_mem_free(m);
	devio_file_close(f);
	return text("%s", buf);
}

static void print_json(struct probe *p)
{
	struct json_object *o = probe_json(p), *tries;

	if (p->nr_file)
		json_object_object_add(o, "verdicts", probe_json_files(p));
	if (p->try) {
		tries = json_object_new_array();
		probe_try(p, stdout, tries);
		json_object_object_add(o, "tries", tries);
	}
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
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

static int complain(void)
{
	fprintf(stderr, "devio-probe: %s\n", devio_errmsg());
	return 2;
}

/* A file that is not there, a spec that is none: the caller's mistake, told before the long output. */
static int check_args(const struct probe *p)
{
	struct devio_topo_verdict v = DEVIO_OPTS(v);
	int fs, block, bad = 0;

	for (unsigned int i = 0; i < p->nr_file; i++)
		if (devio_topo_find_file(p->topo, p->file[i], &fs, &block))
			bad = complain();
	for (unsigned int i = 0; i < p->nr_mem && !bad && p->nr_file; i++)
		if (devio_topo_explain(p->topo, p->file[0], p->mem[i], NULL, DEVIO_PATH_FILE_BUFFERED, &v))
			bad = complain();
	return bad;
}

static void free_list(char **list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static int work(struct probe *p)
{
	struct devio_topo_opts opts = DEVIO_OPTS(opts);
	int rc;

	opts.root = p->root;
	if (devio_ctx_open(NULL, &p->ctx) || devio_topo_open(p->ctx, &opts, &p->topo))
		return complain();
	rc = check_args(p);
	if (rc)
		return rc;
	if (!p->nr_mem)
		find_memories(p);
	print(p);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "devio-probe: the output cannot be written: %s\n", strerror(errno));
		return 1;
	}
	return p->failed;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "[FILE...]",
		.doc = "Shows drives, file systems, GPUs and NICs, who reaches whom peer to peer, and for FILEs "
		       "(or directories) and memories which path the bytes can take, why not a better one, and "
		       "what to do about it.\vExit status: 0 fine, 1 a --try failed, 2 wrong usage.",
	};
	struct probe p = { .size = 64 << 20 };
	int rc;

	argp_program_version_hook = version;
	argp_err_exit_status = 2;
	rc = argp_parse(&argp, argc, argv, 0, NULL, &p);
	if (!rc)
		rc = work(&p);
	devio_topo_close(p.topo);
	devio_ctx_close(p.ctx);
	free_list(p.mem, p.nr_mem);
	free_list(p.file, p.nr_file);
	return rc;
}
