/* SPDX-License-Identifier: MIT */
/*
 * A pull parser of JSON from untrusted files. It allocates nothing: strings are
 * decoded in place, and what the caller does not want is skipped. It takes only what
 * every parser understands in the same way: RFC 8259, in UTF-8 without lone surrogates.
 */
#ifndef DV_JSON_H
#define DV_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DV_JSON_MAX (100u << 20) /* bytes: the limit of safetensors for a header */

struct dv_json {
	const char *path;    /* for error messages */
	char *text, *at, *end;
	unsigned int depth;
	bool first;          /* the last token opened an object or array */
};

/*
 * Begins with the object that the text is. text[len] is 0; the text is modified and
 * must outlive the strings. 0, or -errno with an error message, as in all of these.
 */
int dv_json_begin(struct dv_json *j, const char *path, char *text, size_t len);

/* The next member of the object: 1 and its key, then take its value; 0: the object has ended. */
int dv_json_member(struct dv_json *j, const char **key);

/* The next element of the array: 1, then take it; 0: the array has ended. */
int dv_json_element(struct dv_json *j);

/* Each takes a value: 1, or 0 if it is of another type and has been skipped. */
int dv_json_object(struct dv_json *j);
int dv_json_array(struct dv_json *j);
/* -EBADMSG also for a string with a NUL. */
int dv_json_string(struct dv_json *j, const char **s);
/* An integer without sign, point or exponent, below 2^63. */
int dv_json_count(struct dv_json *j, uint64_t *n);

/* Whether the value is null, which is not taken. */
bool dv_json_is_null(struct dv_json *j);

/* Skips a value. */
int dv_json_skip(struct dv_json *j);

/* After the end of the first object: nothing else follows. */
int dv_json_end(struct dv_json *j);

#endif
