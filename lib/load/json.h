/* SPDX-License-Identifier: MIT */
/* Strict parsing of JSON from untrusted files. */
#ifndef DV_JSON_H
#define DV_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>

#define DV_JSON_MAX (100u << 20) /* bytes: the limit of safetensors for a header */

/*
 * Parses len bytes: one object, in UTF-8, without duplicate keys or NULs in
 * strings. 0 and the object in *out (release it by json_object_put()), or -errno
 * with an error message that names `path`.
 */
int dv_json_parse(const char *path, const char *text, size_t len, struct json_object **out);

/* An integer without sign, point or exponent, below 2^63: true and its value in *n. */
bool dv_json_count(struct json_object *o, uint64_t *n);

#endif
