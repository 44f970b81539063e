/* SPDX-License-Identifier: MIT */
/* Settings: an application's call before the environment, that before cufile.json, that before the defaults. */
#include "config.h"
#include <json-c/json.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "cufile/conf.h"

#define DEFAULT_JSON "/etc/cufile.json"
#define MAX_JSON (1 << 20)

enum kind { SIZE, FLAG, TEXT };

/* `used`: it changes something; the rest is accepted and has no effect here. */
static const struct key {
	const char *section, *name, *env;
	enum kind kind;
	int at;
	bool used;
} keys[] = {
	{ "logging", "level", "CUFILE_LOGGING_LEVEL", TEXT, CONF_LOG_LEVEL, true },
	{ "logging", "dir", NULL, TEXT, CONF_LOG_DIR, true },
	{ NULL, NULL, "CUFILE_LOGFILE_PATH", TEXT, CONF_LOG_PATH, true },
	{ "profile", "cufile_stats", NULL, SIZE, CONF_STATS, true },
	{ "profile", "nvtx", "CUFILE_NVTX", FLAG, CONF_NVTX, false },
	{ "execution", "max_io_queue_depth", NULL, SIZE, CONF_QUEUE_DEPTH, false },
	{ "execution", "max_io_threads", NULL, SIZE, CONF_IO_THREADS, false },
	{ "execution", "parallel_io", NULL, FLAG, CONF_PARALLEL_IO, false },
	{ "execution", "min_io_threshold_size_kb", NULL, SIZE, CONF_MIN_IO_KIB, false },
	{ "execution", "max_request_parallelism", NULL, SIZE, CONF_PARALLELISM, false },
	{ "properties", "max_direct_io_size_kb", NULL, SIZE, CONF_DIRECT_IO_KIB, false },
	{ "properties", "max_device_cache_size_kb", NULL, SIZE, CONF_DEVICE_CACHE_KIB, false },
	{ "properties", "per_buffer_cache_size_kb", NULL, SIZE, CONF_PER_BUFFER_KIB, false },
	{ "properties", "max_device_pinned_mem_size_kb", NULL, SIZE, CONF_PINNED_KIB, false },
	{ "properties", "io_batchsize", NULL, SIZE, CONF_BATCH_SIZE, true },
	{ "properties", "batch_io_timeout_ms", NULL, SIZE, CONF_BATCH_TIMEOUT_MS, false },
	{ "properties", "poll_mode_max_size_kb", NULL, SIZE, CONF_POLL_KIB, false },
	{ "properties", "use_poll_mode", NULL, FLAG, CONF_POLL, true },
	{ "properties", "allow_compat_mode", "CUFILE_ALLOW_COMPAT_MODE", FLAG, CONF_COMPAT, true },
	{ "properties", "force_compat_mode", "CUFILE_FORCE_COMPAT_MODE", FLAG, CONF_FORCE_COMPAT, true },
	{ "properties", "allow_system_memory", NULL, FLAG, CONF_SYSTEM_MEMORY, false },
	{ "properties", "use_pci_p2pdma", "CUFILE_USE_PCIP2PDMA", FLAG, CONF_P2PDMA, false },
	{ "properties", "prefer_iouring", NULL, FLAG, CONF_PREFER_URING, true },
	{ "properties", "force_odirect_mode", "CUFILE_FORCE_ODIRECT_MODE", FLAG, CONF_FORCE_DIRECT, true },
	{ "miscellaneous", "api_check_aggressive", NULL, FLAG, CONF_API_CHECK, false },
	{ "miscellaneous", "skip_topology_detection", "CUFILE_SKIP_TOPOLOGY_DETECTION", FLAG, CONF_SKIP_TOPOLOGY,
	  false },
	{ "execution", "stream_memops_bypass", "CUFILE_STREAM_MEMOPS_BYPASS", FLAG, CONF_BYPASS_MEMOPS, true },
};
#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

static void take_size(int at, size_t v, const char *from)
{
	if (v < dv_conf_bounds[at].min || v > dv_conf_bounds[at].max)
		dv_note(DV_WARN, "%s: %zu is out of range: ignored", from, v);
	else if (!dv_conf.size_set[at])
		dv_conf.size[at] = v;
}

static void take_text(const struct key *k, const char *v, const char *from)
{
	char *end;

	if (k->kind == TEXT) {
		if (!dv_conf.text_set[k->at])
			snprintf(dv_conf.text[k->at], CONF_TEXT, "%s", v);
	} else if (k->kind == FLAG) {
		bool yes = !strcasecmp(v, "true") || !strcmp(v, "1");

		if (!yes && strcasecmp(v, "false") && strcmp(v, "0"))
			dv_note(DV_WARN, "%s: '%s' is neither true nor false: ignored", from, v);
		else if (!dv_conf.flag_set[k->at])
			dv_conf.flag[k->at] = yes;
	} else {
		size_t n = strtoul(v, &end, 10);

		if (end != v && !*end)
			take_size(k->at, n, from);
	}
}

static void take_json(const struct key *k, struct json_object *v)
{
	char from[128];

	snprintf(from, sizeof(from), "cufile.json: %s.%s", k->section, k->name);
	if (json_object_is_type(v, json_type_int))
		take_size(k->at, json_object_get_int64(v) < 0 ? SIZE_MAX : (size_t)json_object_get_int64(v), from);
	else
		take_text(k, json_object_get_string(v), from);
	if (!k->used)
		dv_note(DV_INFO, "%s is accepted and has no effect", from);
}

static void take_slabs(struct json_object *sizes, struct json_object *counts)
{
	struct dv_slabs s = { .nr = 0 };

	if (!json_object_is_type(sizes, json_type_array) || !json_object_is_type(counts, json_type_array) ||
	    json_object_array_length(sizes) != json_object_array_length(counts))
		return;
	for (size_t i = 0; i < json_object_array_length(sizes) && i < CONF_SLABS; i++, s.nr++) {
		s.size[i] = (size_t)json_object_get_int64(json_object_array_get_idx(sizes, i));
		s.count[i] = (size_t)json_object_get_int64(json_object_array_get_idx(counts, i));
	}
	if (s.nr)
		dv_conf.posix_slabs = s;
}

static void take_root(struct json_object *root)
{
	struct json_object *section, *sizes, *counts;

	json_object_object_foreach(root, group, values) {
		if (!json_object_is_type(values, json_type_object))
			continue;
		json_object_object_foreach(values, name, v) {
			const struct key *k = keys;

			while (k < keys + NR_KEYS && (!k->name || strcmp(k->name, name) || strcmp(k->section, group)))
				k++;
			if (k < keys + NR_KEYS)
				take_json(k, v);
			else
				dv_note(DV_INFO, "cufile.json: %s.%s has no meaning here", group, name);
		}
	}
	if (json_object_object_get_ex(root, "properties", &section) &&
	    json_object_object_get_ex(section, "posix_pool_slab_size_kb", &sizes) &&
	    json_object_object_get_ex(section, "posix_pool_slab_count", &counts))
		take_slabs(sizes, counts);
}

static void load_json(const char *path, bool named)
{
	struct json_tokener *tok;
	struct json_object *root;
	char *text = malloc(MAX_JSON);
	FILE *f = fopen(path, "re");
	size_t n = f && text ? fread(text, 1, MAX_JSON, f) : 0;

	if (f)
		fclose(f);
	if (!n) {
		dv_note(named ? DV_WARN : DV_INFO, "cannot read %s: the defaults apply", path);
		free(text);
		return;
	}
	/* Comments and trailing commas are allowed by default. */
	tok = json_tokener_new();
	root = tok ? json_tokener_parse_ex(tok, text, (int)n) : NULL;
	if (root && json_object_is_type(root, json_type_object))
		take_root(root);
	else
		dv_note(DV_ERROR, "%s: not valid JSON: %s: the defaults apply", path,
			tok ? json_tokener_error_desc(json_tokener_get_error(tok)) : "out of memory");
	json_object_put(root);
	if (tok)
		json_tokener_free(tok);
	free(text);
}

static void load_env(void)
{
	for (size_t i = 0; i < NR_KEYS; i++) {
		const char *v = keys[i].env ? getenv(keys[i].env) : NULL;

		if (!v || !*v)
			continue;
		take_text(&keys[i], v, keys[i].env);
		if (!keys[i].used)
			dv_note(DV_INFO, "%s is accepted and has no effect", keys[i].env);
	}
}

static void load(void)
{
	const char *path = getenv("CUFILE_ENV_PATH_JSON"), *level = getenv("CUFILE_LOGGING_LEVEL");
	const char *file = getenv("CUFILE_LOGFILE_PATH");

	/* First where to and what to log, for what there is to say about the rest. */
	if (level && !dv_conf.text_set[CONF_LOG_LEVEL])
		snprintf(dv_conf.text[CONF_LOG_LEVEL], CONF_TEXT, "%s", level);
	if (file && !dv_conf.text_set[CONF_LOG_PATH])
		snprintf(dv_conf.text[CONF_LOG_PATH], CONF_TEXT, "%s", file);
	load_json(path && *path ? path : DEFAULT_JSON, path && *path);
	load_env();
}

void dv_conf_load(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
}
