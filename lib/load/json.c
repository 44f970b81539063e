/* SPDX-License-Identifier: MIT */
/*
 * JSON, parsed by json-c, which accepts more than JSON: of duplicate keys it keeps
 * the last, a NUL ends a string, and strings may have single quotes. Whatever two
 * parsers could understand differently is rejected here.
 */
#include "config.h"
#include <string.h>
#include "core/err.h"
#include "load/json.h"

#define DEPTH 32

/* The number of members in the text, which is the number of colons outside strings; -1: rejected. */
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

/* The number of members after parsing. The parser limits the depth of the recursion. */
static int64_t parsed_members(struct json_object *o)
{
	int64_t n = 0;

	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, value) {
			(void)key;
			n += 1 + parsed_members(value);
		}
	} else if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++)
			n += parsed_members(json_object_array_get_idx(o, i));
	}
	return n;
}

static int json_error(const char *path, const char *why)
{
	return dv_err(-EBADMSG, "source %s: invalid JSON: %s: get a new copy of the file", path, why);
}

static int parse(struct json_tokener *tok, const char *path, const char *text, size_t len, struct json_object **out)
{
	struct json_object *o = json_tokener_parse_ex(tok, text, (int)len);
	enum json_tokener_error err = json_tokener_get_error(tok);
	const char *why = NULL;

	if (err == json_tokener_continue)
		why = "unexpected end";
	else if (err != json_tokener_success)
		why = json_tokener_error_desc(err);
	else if (!json_object_is_type(o, json_type_object))
		why = "not an object";
	else if (strspn(text + json_tokener_get_parse_end(tok), " \t\r\n") < len - json_tokener_get_parse_end(tok))
		why = "trailing characters after the object";
	else if (count_members(text, text + len) != parsed_members(o))
		why = "a duplicate key, or a string with a NUL or single quotes";
	if (why) {
		json_object_put(o);
		return json_error(path, why);
	}
	*out = o;
	return 0;
}

int dv_json_parse(const char *path, const char *text, size_t len, struct json_object **out)
{
	struct json_tokener *tok;
	int rc;

	if (len > DV_JSON_MAX)
		return json_error(path, "larger than 100 MiB");
	tok = json_tokener_new_ex(DEPTH);
	if (!tok)
		return dv_err(-ENOMEM, "source %s: cannot allocate the JSON parser", path);
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
