/* SPDX-License-Identifier: MIT */
/*
 * JSON by json-c, which takes more than JSON: of a key that is there twice it
 * keeps the last, a NUL ends a string early, and single quotes are quotes. What
 * two readers could understand differently is refused here.
 */
#include "config.h"
#include <string.h>
#include "core/err.h"
#include "load/json.h"

#define DEPTH 32

/* The text's members, counted by their colons outside strings; -1: not to be taken. */
static int64_t count_members(const char *p, const char *end)
{
	int64_t n = 0;
	bool in = false;

	for (; p < end; p++) {
		if (!*p || (!in && *p == '\''))
			return -1;
		if (*p == '"') {
			in = !in;
		} else if (in && *p == '\\' && end - p > 1) {
			if (end - p > 5 && !memcmp(p + 1, "u0000", 5))
				return -1;
			p++;
		} else if (!in && *p == ':') {
			n++;
		}
	}
	return n;
}

/* As json-c kept them. The depth is bounded by the parser's. */
static int64_t kept_members(struct json_object *o)
{
	int64_t n = 0;

	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, value) {
			(void)key;
			n += 1 + kept_members(value);
		}
	} else if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++)
			n += kept_members(json_object_array_get_idx(o, i));
	}
	return n;
}

static int no_json(const char *path, const char *why)
{
	return dv_err(-EBADMSG, "source %s: its JSON cannot be read: %s: get the file anew", path, why);
}

static int parse(struct json_tokener *tok, const char *path, const char *text, size_t len, struct json_object **out)
{
	struct json_object *o = json_tokener_parse_ex(tok, text, (int)len);
	enum json_tokener_error err = json_tokener_get_error(tok);
	const char *why = NULL;

	if (err == json_tokener_continue)
		why = "it ends too early";
	else if (err != json_tokener_success)
		why = json_tokener_error_desc(err);
	else if (!json_object_is_type(o, json_type_object))
		why = "it is no object";
	else if (strspn(text + json_tokener_get_parse_end(tok), " \t\r\n") < len - json_tokener_get_parse_end(tok))
		why = "something follows behind the object";
	else if (count_members(text, text + len) != kept_members(o))
		why = "a key is there twice, or a string has a NUL or the wrong quotes";
	if (why) {
		json_object_put(o);
		return no_json(path, why);
	}
	*out = o;
	return 0;
}

int dv_json_parse(const char *path, const char *text, size_t len, struct json_object **out)
{
	struct json_tokener *tok;
	int rc;

	if (len > DV_JSON_MAX)
		return no_json(path, "it has more than 100 MiB");
	tok = json_tokener_new_ex(DEPTH);
	if (!tok)
		return dv_err(-ENOMEM, "source %s: no memory to parse its JSON", path);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	rc = parse(tok, path, text, len, out);
	json_tokener_free(tok);
	return rc;
}

bool dv_json_count(struct json_object *o, uint64_t *n)
{
	uint64_t v;

	if (!json_object_is_type(o, json_type_int) || json_object_get_int64(o) < 0)
		return false;
	v = json_object_get_uint64(o);
	if (v > INT64_MAX)
		return false;
	*n = v;
	return true;
}
