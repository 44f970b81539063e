/* SPDX-License-Identifier: MIT */
/* Members of JSON objects. */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "json.h"

void json_put(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add(o, key, value);
}

/* The bytes of one character, 0: not UTF-8 (overlong, a surrogate, past the end). */
static size_t utf8(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 : *s >= 0xe0 && *s < 0xf0 ? 3 :
		   *s >= 0xf0 && *s < 0xf5 ? 4 : 0;
	uint32_t c = n > 1 ? *s & (0x7fu >> n) : *s;

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return n && c >= least[n] && c < 0x110000 && (c < 0xd800 || c > 0xdfff) ? n : 0;
}

/* File names may have any bytes, JSON only UTF-8: what is none becomes U+FFFD. */
struct json_object *json_string(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	char *buf = malloc(3 * strlen(text) + 1);
	struct json_object *o;
	size_t n = 0;

	while (buf && *s) {
		size_t len = utf8(s);

		memcpy(buf + n, len ? (const char *)s : "\xef\xbf\xbd", len ? len : 3);
		n += len ? len : 3;
		s += len ? len : 1;
	}
	o = buf ? json_object_new_string_len(buf, (int)n) : NULL;
	free(buf);
	return o;
}

void json_put_str(struct json_object *o, const char *key, const char *text)
{
	json_put(o, key, text && *text ? json_string(text) : NULL);
}

void json_put_text(struct json_object *o, const char *key, const char *text)
{
	json_put(o, key, json_string(text));
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
