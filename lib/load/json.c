/* SPDX-License-Identifier: MIT */
/*
 * None of the libraries that Debian has parses a stream of tokens, is maintained and is strict about duplicate keys; a
 * tree of a small text can take hundreds of times its size. Duplicate keys are for the caller to refuse.
 */
#include "config.h"
#include <string.h>
#include "core/err.h"
#include "load/json.h"

#define DEPTH 32 /* bounds the recursion of dv_json_skip() */

static int json_error(const struct dv_json *j, const char *why)
{
	return dv_err(-EBADMSG, "source %s: invalid JSON at byte %zu: %s: get a new copy of the file", j->path,
		      (size_t)(j->at - j->text), why);
}

static int unexpected(const struct dv_json *j)
{
	return json_error(j, j->at >= j->end ? "unexpected end" : "unexpected character");
}

/* The next character that is not white space; 0 at the end, where the text has its terminator. */
static char peek(struct dv_json *j)
{
	while (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t')
		j->at++;
	return *j->at;
}

static int hex(const char *p, unsigned int *n)
{
	*n = 0;
	for (int i = 0; i < 4; i++) {
		char c = p[i], low = c | 0x20;

		if (c >= '0' && c <= '9')
			*n = *n << 4 | (unsigned int)(c - '0');
		else if (low >= 'a' && low <= 'f')
			*n = *n << 4 | (unsigned int)(low - 'a' + 10);
		else
			return -1;
	}
	return 0;
}

/* The four digits behind "\u", and the second half of a pair of surrogates. */
static int code_point(struct dv_json *j, unsigned int *n)
{
	unsigned int low;

	if (hex(j->at, n))
		return json_error(j, "a bad escape sequence");
	j->at += 4;
	if (*n < 0xd800 || *n > 0xdfff)
		return 0;
	if (*n > 0xdbff || j->at[0] != '\\' || j->at[1] != 'u' || hex(j->at + 2, &low) || low < 0xdc00 || low > 0xdfff)
		return json_error(j, "a lone surrogate");
	j->at += 6;
	*n = 0x10000 + ((*n - 0xd800) << 10) + (low - 0xdc00);
	return 0;
}

/* At most as many bytes as the escape sequence has. */
static char *put_utf8(char *to, unsigned int n)
{
	if (n < 0x80) {
		*to++ = (char)n;
	} else if (n < 0x800) {
		*to++ = (char)(0xc0 | n >> 6);
		*to++ = (char)(0x80 | (n & 0x3f));
	} else if (n < 0x10000) {
		*to++ = (char)(0xe0 | n >> 12);
		*to++ = (char)(0x80 | (n >> 6 & 0x3f));
		*to++ = (char)(0x80 | (n & 0x3f));
	} else {
		*to++ = (char)(0xf0 | n >> 18);
		*to++ = (char)(0x80 | (n >> 12 & 0x3f));
		*to++ = (char)(0x80 | (n >> 6 & 0x3f));
		*to++ = (char)(0x80 | (n & 0x3f));
	}
	return to;
}

/* A sequence behind a backslash. *nul: it was a NUL. */
static int escape(struct dv_json *j, char **to, bool *nul)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *k = *j->at ? strchr(from, *j->at) : NULL;
	unsigned int n;
	int rc;

	if (k) {
		*(*to)++ = into[k - from];
		j->at++;
		return 0;
	}
	if (*j->at != 'u')
		return json_error(j, j->at >= j->end ? "unexpected end" : "a bad escape sequence");
	j->at++;
	rc = code_point(j, &n);
	if (rc)
		return rc;
	*nul |= !n;
	*to = put_utf8(*to, n);
	return 0;
}

/* The length of a character of several bytes, in its shortest form and no surrogate; 0: it is none. */
static unsigned int utf8_length(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char least = 0x80, most = 0xbf;
	unsigned int n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (p[0] == 0xe0)
		least = 0xa0;
	else if (p[0] == 0xed)
		most = 0x9f;
	else if (p[0] == 0xf0)
		least = 0x90;
	else if (p[0] == 0xf4)
		most = 0x8f;
	if (!n || p[1] < least || p[1] > most)
		return 0;
	for (unsigned int i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Takes a string, from its opening quote on. It ends in a NUL where its last byte was, or the closing quote. */
static int string(struct dv_json *j, const char **s, bool *nul)
{
	char *to = ++j->at;
	unsigned int n;
	int rc;

	*s = to;
	for (;;) {
		unsigned char c = *j->at;

		if (c == '"') {
			j->at++;
			*to = '\0';
			return 0;
		}
		if (c == '\\') {
			j->at++;
			rc = escape(j, &to, nul);
			if (rc)
				return rc;
		} else if (c < 0x20) {
			return json_error(j, j->at >= j->end ? "unexpected end" : "a control character in a string");
		} else if (c < 0x80) {
			*to++ = *j->at++;
		} else {
			n = utf8_length(j->at);
			if (!n)
				return json_error(j, "a string is not UTF-8");
			memmove(to, j->at, n);
			to += n;
			j->at += n;
		}
	}
}

static char *digits(char *p)
{
	while (*p >= '0' && *p <= '9')
		p++;
	return p;
}

/* Takes a number: 1 and its value if it is a count, else 0. */
static int number(struct dv_json *j, uint64_t *n)
{
	char *begin = j->at, *p = begin + (*begin == '-'), *whole;

	whole = *p == '0' ? p + 1 : digits(p);
	j->at = whole;
	if (whole == p)
		return unexpected(j);
	if (*j->at == '.') {
		p = digits(++j->at);
		if (p == j->at)
			return unexpected(j);
		j->at = p;
	}
	if ((*j->at | 0x20) == 'e') {
		j->at += j->at[1] == '-' || j->at[1] == '+' ? 2 : 1;
		p = digits(j->at);
		if (p == j->at)
			return unexpected(j);
		j->at = p;
	}
	*n = 0;
	if (j->at != whole || *begin == '-')
		return 0;
	for (p = begin; p < whole; p++)
		if (__builtin_mul_overflow(*n, 10u, n) || __builtin_add_overflow(*n, (uint64_t)(*p - '0'), n))
			return 0;
	return *n <= INT64_MAX;
}

static int word(struct dv_json *j, const char *text)
{
	size_t len = strlen(text);

	if (strncmp(j->at, text, len))
		return unexpected(j);
	j->at += len;
	return 0;
}

static int open_bracket(struct dv_json *j)
{
	if (j->depth == DEPTH)
		return json_error(j, "nested too deeply");
	j->depth++;
	j->at++;
	j->first = true;
	return 0;
}

/* Between members or elements: 1: one follows; 0: the bracket has been closed. */
static int next(struct dv_json *j, char close)
{
	char c = peek(j);
	bool first = j->first;

	j->first = false;
	if (c == close) {
		j->depth--;
		j->at++;
		return 0;
	}
	if (first)
		return 1;
	if (c != ',')
		return unexpected(j);
	j->at++;
	return 1;
}

int dv_json_begin(struct dv_json *j, const char *path, char *text, size_t len)
{
	*j = (struct dv_json){ .path = path, .text = text, .at = text, .end = text + len };
	if (len > DV_JSON_MAX)
		return json_error(j, "larger than 100 MiB");
	if (peek(j) == '{')
		return open_bracket(j);
	return j->at < j->end ? json_error(j, "not an object") : unexpected(j);
}

int dv_json_member(struct dv_json *j, const char **key)
{
	bool nul = false;
	int rc = next(j, '}');

	if (rc <= 0)
		return rc;
	if (peek(j) != '"')
		return unexpected(j);
	rc = string(j, key, &nul);
	if (rc)
		return rc;
	if (nul)
		return json_error(j, "a key with a NUL");
	if (peek(j) != ':')
		return unexpected(j);
	j->at++;
	return 1;
}

int dv_json_element(struct dv_json *j)
{
	return next(j, ']');
}

/* 1: the value begins with c; 0: it does not, and has been skipped. */
static int begins_with(struct dv_json *j, char c)
{
	return peek(j) == c ? 1 : dv_json_skip(j);
}

int dv_json_object(struct dv_json *j)
{
	int rc = begins_with(j, '{');

	if (rc > 0)
		rc = open_bracket(j) ?: 1;
	return rc;
}

int dv_json_array(struct dv_json *j)
{
	int rc = begins_with(j, '[');

	if (rc > 0)
		rc = open_bracket(j) ?: 1;
	return rc;
}

bool dv_json_is_null(struct dv_json *j)
{
	return peek(j) == 'n';
}

int dv_json_string(struct dv_json *j, const char **s)
{
	int rc = begins_with(j, '"');
	bool nul = false;

	if (rc > 0)
		rc = string(j, s, &nul) ?: 1;
	return rc > 0 && nul ? json_error(j, "a string with a NUL") : rc;
}

int dv_json_count(struct dv_json *j, uint64_t *n)
{
	char c = peek(j);

	*n = 0;
	return c >= '0' && c <= '9' ? number(j, n) : dv_json_skip(j);
}

static int skip_all(struct dv_json *j, bool object)
{
	const char *key;
	int rc = open_bracket(j);

	if (rc)
		return rc;
	while ((rc = object ? dv_json_member(j, &key) : dv_json_element(j)) > 0) {
		rc = dv_json_skip(j);
		if (rc)
			return rc;
	}
	return rc;
}

int dv_json_skip(struct dv_json *j)
{
	bool nul = false;
	const char *s;
	uint64_t n;
	int rc;

	switch (peek(j)) {
	case '{':
		return skip_all(j, true);
	case '[':
		return skip_all(j, false);
	case '"':
		return string(j, &s, &nul);
	case 't':
		return word(j, "true");
	case 'f':
		return word(j, "false");
	case 'n':
		return word(j, "null");
	default:
		rc = number(j, &n);
		return rc < 0 ? rc : 0;
	}
}

int dv_json_end(struct dv_json *j)
{
	peek(j);
	return j->at == j->end ? 0 : json_error(j, "trailing characters after the object");
}
