/* SPDX-License-Identifier: MIT */
/* Members of JSON objects. */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <json-c/json.h>

/* A string in which what is not UTF-8 is U+FFFD. */
struct json_object *json_string(const char *text);
void json_put(struct json_object *o, const char *key, struct json_object *value);
void json_put_str(struct json_object *o, const char *key, const char *text);   /* NULL and "": null */
void json_put_text(struct json_object *o, const char *key, const char *text);  /* "" stays "" */
void json_put_bool(struct json_object *o, const char *key, bool value);
void json_put_tri(struct json_object *o, const char *key, int value);          /* < 0: null */
void json_put_int(struct json_object *o, const char *key, int64_t n);
void json_put_u64(struct json_object *o, const char *key, uint64_t n);
void json_put_num(struct json_object *o, const char *key, double d);           /* six decimals */
/* Prints o, indented, and frees it. 0 or -1. */
int json_print(FILE *out, struct json_object *o);

#endif
