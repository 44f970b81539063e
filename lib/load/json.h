/* SPDX-License-Identifier: MIT */
/* JSON of files that nobody vouches for. */
#ifndef DV_JSON_H
#define DV_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>

#define DV_JSON_MAX (100u << 20) /* bytes: what safetensors allows to a header */

/*
 * Parses len bytes, strictly: one object, UTF-8, no key twice, no NUL in a
 * string. 0 and the object in *out (json_object_put() it), or -errno with a
 * sentence that names `path`.
 */
int dv_json_parse(const char *path, const char *text, size_t len, struct json_object **out);

/* A number without sign, point and exponent, below 2^63: true and the number in *n. */
bool dv_json_count(struct json_object *o, uint64_t *n);

#endif
