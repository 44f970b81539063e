/* SPDX-License-Identifier: MIT */
/*
 * The report at the end of the process, which DEVIO_GDS_REPORT asks for: where the bytes went, by path and by file, and
 * why not better. JSON where the name ends in .json, else a table. Calls no driver.
 */
#include "config.h"
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cufile/gds.h"

static const char *const directions[] = { "read", "write" };

static uint64_t errors_of(const struct dv_usage *u)
{
	return u->errors[0] + u->errors[1];
}

static bool used(const struct dv_usage *u)
{
	return u->ops[0] || u->ops[1];
}

/* The reason that most operations have; 0: none. */
static unsigned int main_reason(const struct dv_usage *u)
{
	unsigned int best = 0;

	for (unsigned int i = 1; i < DEVIO_REASON_MAX; i++)
		if (u->reason_ops[i] && (!best || u->reason_ops[i] > u->reason_ops[best]))
			best = i;
	return best;
}

/* The path that moved most bytes; 0: none. */
static unsigned int main_path(const struct dv_usage *u)
{
	unsigned int best = 0;

	for (unsigned int i = 1; i < DEVIO_PATH_FILE_MAX; i++)
		if (u->path_bytes[0][i] + u->path_bytes[1][i] >
		    (best ? u->path_bytes[0][best] + u->path_bytes[1][best] : 0))
			best = i;
	return best;
}

/* The upper bound of the bucket below which the share of all operations is, in microseconds. */
static uint64_t percentile(double share)
{
	uint64_t all = 0, sum = 0;

	for (int i = 0; i < DV_LATENCIES; i++)
		all += dv_counts.latency[i];
	for (int i = 0; i < DV_LATENCIES; i++) {
		sum += dv_counts.latency[i];
		if (all && (double)sum >= share * (double)all)
			return 1ULL << i;
	}
	return 0;
}

/* Another libcufile in the process, which a program has opened by its own name: its transfers are not counted here. */
static int find_other(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *name = strrchr(info->dlpi_name, '/');
	const ElfW(Addr) here = (ElfW(Addr))(uintptr_t)find_other;

	(void)size;
	if (!name || strncmp(name, "/libcufile.so", 13))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD &&
		    here - info->dlpi_addr - info->dlpi_phdr[i].p_vaddr < info->dlpi_phdr[i].p_memsz)
			return 0;
	*(const char **)arg = info->dlpi_name;
	return 1;
}

static const char *other_library(void)
{
	const char *name = NULL;

	(void)dl_iterate_phdr(find_other, &name);
	return name;
}

static void add(struct json_object *o, const char *name, uint64_t v)
{
	json_object_object_add(o, name, json_object_new_uint64(v));
}

static struct json_object *usage_json(const struct dv_usage *u)
{
	struct json_object *o = json_object_new_object(), *paths = json_object_new_object(), *path;
	struct json_object *reasons = json_object_new_object();

	for (int w = 0; w < 2; w++) {
		path = json_object_new_object();
		add(path, "ops", u->ops[w]);
		add(path, "bytes", u->bytes[w]);
		add(path, "errors", u->errors[w]);
		json_object_object_add(o, directions[w], path);
	}
	for (unsigned int i = 1; i < DEVIO_PATH_FILE_MAX; i++) {
		if (!u->path_ops[0][i] && !u->path_ops[1][i])
			continue;
		path = json_object_new_object();
		add(path, "ops", u->path_ops[0][i] + u->path_ops[1][i]);
		add(path, "read_bytes", u->path_bytes[0][i]);
		add(path, "write_bytes", u->path_bytes[1][i]);
		json_object_object_add(paths, devio_path_name(i), path);
	}
	for (unsigned int i = 1; i < DEVIO_REASON_MAX; i++)
		if (u->reason_ops[i])
			add(reasons, devio_reason_text(i), u->reason_ops[i]);
	json_object_object_add(o, "paths", paths);
	json_object_object_add(o, "reasons", reasons);
	add(o, "copied", u->copied);
	return o;
}

static void write_json(FILE *f)
{
	struct json_object *root = usage_json(&dv_counts.all), *files = json_object_new_array(), *file;
	struct json_object *latency = json_object_new_object();
	uint64_t ops = dv_counts.all.ops[0] + dv_counts.all.ops[1];

	json_object_object_add(root, "devio_version", json_object_new_string(devio_version()));
	json_object_object_add(root, "program", json_object_new_string(program_invocation_short_name));
	json_object_object_add(root, "pid", json_object_new_int(getpid()));
	if (other_library())
		json_object_object_add(root, "other_library", json_object_new_string(other_library()));
	add(latency, "mean", ops ? (dv_counts.all.ns[0] + dv_counts.all.ns[1]) / ops / 1000 : 0);
	add(latency, "p50_below", percentile(0.5));
	add(latency, "p99_below", percentile(0.99));
	add(latency, "max", dv_counts.all.slowest_ns / 1000);
	json_object_object_add(root, "latency_us", latency);
	for (const struct dv_file_usage *u = dv_usage_files(); u; u = u->next) {
		file = usage_json(&u->u);
		json_object_object_add(file, "name", json_object_new_string(u->name ? u->name : ""));
		json_object_array_add(files, file);
	}
	json_object_object_add(root, "files", files);
	fprintf(f, "%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY));
	json_object_put(root);
}

static void table_row(FILE *f, const char *name, const struct dv_usage *u)
{
	unsigned int reason = main_reason(u);

	fprintf(f, "  %-14s %10llu %14llu %14llu %8llu  %s%s%s\n", devio_path_name(main_path(u)),
		(unsigned long long)(u->ops[0] + u->ops[1]), (unsigned long long)u->bytes[0],
		(unsigned long long)u->bytes[1], (unsigned long long)errors_of(u), name, reason ? ": " : "",
		reason ? devio_reason_text(reason) : "");
}

static void write_table(FILE *f)
{
	const struct dv_usage *u = &dv_counts.all;
	uint64_t ops = u->ops[0] + u->ops[1];

	fprintf(f, "devio-gds: %s (%ld): bytes by path, and why no better one\n", program_invocation_short_name,
		(long)getpid());
	fprintf(f, "  %-14s %10s %14s %14s %8s\n", "path", "ops", "read", "written", "errors");
	for (unsigned int i = 1; i < DEVIO_PATH_FILE_MAX; i++)
		if (u->path_ops[0][i] || u->path_ops[1][i])
			fprintf(f, "  %-14s %10llu %14llu %14llu\n", devio_path_name(i),
				(unsigned long long)(u->path_ops[0][i] + u->path_ops[1][i]),
				(unsigned long long)u->path_bytes[0][i], (unsigned long long)u->path_bytes[1][i]);
	for (const struct dv_file_usage *file = dv_usage_files(); file; file = file->next)
		if (used(&file->u))
			table_row(f, file->name ? file->name : "", &file->u);
	fprintf(f, "  copied through host memory: %llu bytes; latency: mean %llu us, 99 %% below %llu us, "
		"longest %llu us\n", (unsigned long long)u->copied,
		(unsigned long long)(ops ? (u->ns[0] + u->ns[1]) / ops / 1000 : 0),
		(unsigned long long)percentile(0.99), (unsigned long long)(u->slowest_ns / 1000));
	if (other_library())
		fprintf(f, "  the program has opened %s, too: its transfers are not counted\n", other_library());
}

/* %p is the process. */
static void expand(const char *name, char *path, size_t size)
{
	size_t n = 0;

	for (; *name && n + 24 < size; name++) {
		if (name[0] == '%' && name[1] == 'p') {
			n += (size_t)snprintf(path + n, size - n, "%ld", (long)getpid());
			name++;
		} else {
			path[n++] = *name;
		}
	}
	path[n] = 0;
}

/* A process that has transferred nothing writes nothing: a program's helpers are loaded with the library, too. */
static void __attribute__((destructor)) report(void)
{
	const char *name = getenv("DEVIO_GDS_REPORT");
	char path[PATH_MAX];
	size_t len;
	FILE *f;

	if (!name || !*name || (!used(&dv_counts.all) && !dv_usage_files()))
		return;
	expand(name, path, sizeof(path));
	len = strlen(path);
	f = fopen(path, strncmp(path, "/dev/", 5) ? "we" : "ae");
	if (!f) {
		dv_note(DV_ERROR, "cannot write the report to %s", path);
		return;
	}
	if (len > 5 && !strcmp(path + len - 5, ".json"))
		write_json(f);
	else
		write_table(f);
	fclose(f);
}
