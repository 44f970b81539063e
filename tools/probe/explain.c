/* SPDX-License-Identifier: MIT */
/* devio-probe FILE: the verdict of each path for a file and a memory, as text and JSON. */
#include "config.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "probe.h"

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

static void print_verdict(const char *path, const struct devio_topo_verdict *v, FILE *out)
{
	char head[64];

	snprintf(head, sizeof(head), "    %-13s  %-7s  ", path, devio_can_name(v->can));
	term_wrap(out, head, v->cause);
	snprintf(head, sizeof(head), "    %-13s  %-7s  fix: ", "", "");
	if (*v->fix)
		term_wrap(out, head, v->fix);
}

static void print_verdicts(const struct probe *p, const char *file, const char *spec, FILE *out)
{
	struct devio_topo_verdict v[DEVIO_PATH_FILE_MAX];
	bool same = true;

	fprintf(out, "  memory %s\n", spec);
	for (int path = 1; path < DEVIO_PATH_FILE_MAX; path++) {
		v[path].sz = sizeof(v[path]);
		if (devio_topo_explain(p->topo, file, spec, NULL, path, &v[path])) {
			term_wrap(out, "    ", devio_errmsg());
			return;
		}
		same = same && v[path].can == DEVIO_CAN_NOT && !strcmp(v[path].cause, v[1].cause);
	}
	/* The same for all paths, such as a memory that does not exist: print it once. */
	if (same)
		print_verdict("no path", &v[1], out);
	for (int path = 1; path < DEVIO_PATH_FILE_MAX && !same; path++)
		print_verdict(devio_path_name(path), &v[path], out);
}

static void print_place(const struct probe *p, const char *file, FILE *out)
{
	int fs, block;
	char *drives, *head, *place;

	if (devio_topo_find_file(p->topo, file, &fs, &block)) {
		fprintf(out, "%s\n", file);
		return;
	}
	drives = probe_drives(p, block);
	head = text("%s: ", file);
	place = text("%s%s%s%s%s", fs >= 0 ? probe_fs(p, fs).type : "block device", block >= 0 ? " on " : "",
		     block >= 0 ? probe_block(p, block).name : "", *drives ? ", drives: " : "", drives);
	term_wrap(out, head, place);
	free(place);
	free(head);
	free(drives);
}

/* "file-host     yes: taken": the text is wrapped behind the colon. */
static void print_line(const char *line, FILE *out)
{
	const char *colon = strstr(line, ": ");
	char *head = colon && colon - line < 32 ? text("      %.*s: ", (int)(colon - line), line) : text("      ");

	term_wrap(out, head, colon && colon - line < 32 ? colon + 2 : line);
	free(head);
}

static void print_real(const struct probe *p, const char *file, const char *spec, FILE *out)
{
	char *real = probe_explain(p, file, spec), *save = NULL;

	if (!real)
		return;
	fprintf(out, "    library's path table (no data moved):\n");
	for (char *s = strtok_r(real, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
		print_line(s, out);
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

static struct json_object *json_path(const struct probe *p, const char *file, const char *spec, int path)
{
	struct devio_topo_verdict v = DEVIO_OPTS(v);
	struct json_object *o = json_object_new_object();

	json_put_str(o, "path", devio_path_name(path));
	if (devio_topo_explain(p->topo, file, spec, NULL, path, &v)) {
		json_put_str(o, "error", devio_errmsg());
		return o;
	}
	json_put_str(o, "can", devio_can_name(v.can));
	json_put_int(o, "errno", -v.err);
	json_put_str(o, "reason", v.can == DEVIO_CAN ? NULL : v.cause);
	json_put_u64(o, "reason_code", v.reason);
	json_put_str(o, "fix", v.fix);
	return o;
}

static struct json_object *json_verdict(const struct probe *p, const char *file, const char *spec)
{
	struct json_object *o = json_object_new_object(), *a = json_object_new_array();
	char *real = probe_explain(p, file, spec), *save = NULL;

	json_put_str(o, "file", file);
	json_put_str(o, "memory", spec);
	for (int path = 1; path < DEVIO_PATH_FILE_MAX; path++)
		json_object_array_add(a, json_path(p, file, spec, path));
	json_put(o, "paths", a);
	if (real) {
		a = json_object_new_array();
		for (char *s = strtok_r(real, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
			json_object_array_add(a, json_string(s));
		json_put(o, "explain", a);
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
