/* SPDX-License-Identifier: MIT */
/* Members of JSON objects. */
#include "config.h"
#include "json.h"

void json_put(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add(o, key, value);
}

void json_put_str(struct json_object *o, const char *key, const char *text)
{
	json_put(o, key, text && *text ? json_object_new_string(text) : NULL);
}

void json_put_text(struct json_object *o, const char *key, const char *text)
{
	json_put(o, key, json_object_new_string(text));
}

void json_put_bool(struct json_object *o, const char *key, bool value)
{
	json_put(o, key, json_object_new_boolean(value));
}

void json_put_tri(struct json_object *o, const char *key, int value)
{
	json_put(o, key, value < 0 ? NULL : json_object_new_boolean(value));
}

void json_put_int(struct json_object *o, const char *key, int64_t n)
{
	json_put(o, key, json_object_new_int64(n));
}

void json_put_u64(struct json_object *o, const char *key, uint64_t n)
{
	json_put(o, key, json_object_new_uint64(n));
}

void json_put_num(struct json_object *o, const char *key, double d)
{
	char text[352];

	snprintf(text, sizeof(text), "%.6f", d);
	json_put(o, key, json_object_new_double_s(d, text));
}

int json_print(FILE *out, struct json_object *o)
{
	int rc = fprintf(out, "%s\n",
			 json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(o);
	return rc < 0 ? -1 : 0;
}
