/* SPDX-License-Identifier: MIT */
/* Parsers for text files and PCI configuration space from the kernel, on buffers. */
#include "config.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "topo/parse.h"

/* Parses a number of 1 to max digits and advances *s past it. */
static int digits(const char **s, int base, int max, unsigned long *val)
{
	const char *p = *s;
	unsigned long v = 0;

	for (; p - *s < max && isxdigit((unsigned char)*p); p++) {
		int d = *p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10;

		if (d >= base)
			break;
		v = v * base + d;
	}
	if (p == *s)
		return -EINVAL;
	*s = p;
	*val = v;
	return 0;
}

int dv_parse_bdf(const char *text, struct dv_bdf *bdf)
{
	unsigned long a, b, c = 0, fn;
	const char *s = text;
	bool domain;

	if (digits(&s, 16, 8, &a) || *s++ != ':' || digits(&s, 16, 2, &b))
		return -EINVAL;
	domain = *s == ':';
	if (domain && (s++, digits(&s, 16, 2, &c)))
		return -EINVAL;
	if (*s++ != '.' || digits(&s, 8, 1, &fn) || *s)
		return -EINVAL;
	if (!domain) {
		c = b;
		b = a;
		a = 0;
	}
	if (b > 255 || c > 31)
		return -EINVAL;
	*bdf = (struct dv_bdf){ .domain = a, .bus = b, .dev = c, .fn = fn };
	return 0;
}

char *dv_parse_line(char **text)
{
	char *line = *text, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	if (end)
		*end = 0;
	*text = end ? end + 1 : NULL;
	return line;
}

/* The kernel writes space, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0');
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

static int parse_dev(const char *s, uint32_t *major, uint32_t *minor)
{
	unsigned long a, b;

	if (digits(&s, 10, 9, &a) || *s++ != ':' || digits(&s, 10, 9, &b) || *s)
		return -EINVAL;
	*major = a;
	*minor = b;
	return 0;
}

int dv_parse_mount(char *line, struct dv_mount *m)
{
	char *field[6], *save = NULL, *f;
	unsigned long id;
	const char *s;

	for (int i = 0; i < 6; i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return -EINVAL;
	}
	/* Optional fields up to a lone dash. */
	while ((f = strtok_r(NULL, " ", &save)) && strcmp(f, "-"))
		;
	s = field[0];
	if (!f || digits(&s, 10, 9, &id) || *s || parse_dev(field[2], &m->dev_major, &m->dev_minor))
		return -EINVAL;
	m->id = id;
	m->root = field[3];
	m->where = field[4];
	m->options = field[5];
	m->type = strtok_r(NULL, " ", &save);
	m->source = strtok_r(NULL, " ", &save);
	m->super = strtok_r(NULL, " ", &save);
	if (!m->type || !m->source)
		return -EINVAL;
	/* With an empty source there is one field less. */
	if (!m->super) {
		m->super = m->source;
		m->source = m->type + strlen(m->type);
	}
	unescape(m->root);
	unescape(m->where);
	unescape(m->source);
	return 0;
}

int dv_parse_resource(const char *text, uint64_t size[6])
{
	int n = 0;

	memset(size, 0, 6 * sizeof(size[0]));
	for (; n < 6 && *text; n++) {
		unsigned long long start, end, flags;
		const char *eol = strchr(text, '\n');

		if (sscanf(text, "%18llx %18llx %18llx", &start, &end, &flags) != 3 || end < start)
			return n ? n : -EINVAL;
		/* An unused BAR is three zeros, others have at least one byte. */
		if (end && end - start < UINT64_MAX)
			size[n] = end - start + 1;
		if (!eol) {
			n++;
			break;
		}
		text = eol + 1;
	}
	return n ? n : -EINVAL;
}

int dv_parse_colon(const char *text, const char *key, char *value, size_t size)
{
	size_t n = strlen(key);

	while (text && *text) {
		const char *eol = strchr(text, '\n'), *v;
		size_t len = eol ? (size_t)(eol - text) : strlen(text);

		if (len > n && !strncmp(text, key, n)) {
			v = text + n;
			while (v < text + len && (*v == ' ' || *v == '\t'))
				v++;
			if (v < text + len && *v == ':') {
				for (v++; v < text + len && (*v == ' ' || *v == '\t'); v++)
					;
				snprintf(value, size, "%.*s", (int)(text + len - v), v);
				return 0;
			}
		}
		text = eol ? eol + 1 : NULL;
	}
	return -ENOENT;
}

int dv_parse_memlock(const char *text, uint64_t *bytes)
{
	static const char key[] = "Max locked memory";
	const char *s = strstr(text, key);
	unsigned long v;

	if (!s)
		return -ENOENT;
	s += sizeof(key) - 1;
	while (*s == ' ')
		s++;
	if (!strncmp(s, "unlimited", 9)) {
		*bytes = UINT64_MAX;
		return 0;
	}
	if (digits(&s, 10, 18, &v) || (*s && *s != ' ' && *s != '\n'))
		return -EINVAL;
	*bytes = v;
	return 0;
}

unsigned int dv_parse_release(const char *text)
{
	unsigned long a, b, c = 0;

	if (digits(&text, 10, 3, &a) || *text++ != '.' || digits(&text, 10, 3, &b))
		return 0;
	if (*text == '.') {
		text++;
		if (digits(&text, 10, 3, &c))
			c = 0;
	}
	return a << 16 | (b > 255 ? 255 : b) << 8 | (c > 255 ? 255 : c);
}

int dv_parse_config(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = text; (s = strstr(s, name)); s += n) {
		if (s < text + 7 || strncmp(s - 7, "CONFIG_", 7))
			continue;
		if (s[n] == '=' && s == text + 7)
			return s[n + 1] == 'y' || s[n + 1] == 'm';
		if (s[n] == '=' && s[-8] == '\n')
			return s[n + 1] == 'y' || s[n + 1] == 'm';
		if (!strncmp(s + n, " is not set", 11))
			return 0;
	}
	return -1;
}

static uint16_t le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

enum { EXT_CAP_ACS = 0x000d, ACS_RR = 0x04, ACS_CR = 0x08, ACS_EC = 0x20, CAP_PCIE = 0x10 };

int dv_parse_acs(const uint8_t *cfg, size_t len)
{
	size_t pos = 0x100;

	if (len < 0x104)
		return -1;
	/* At most 960 headers fit: the limit ends cyclic lists. */
	for (int i = 0; i < 960; i++) {
		uint32_t head;

		if (pos < 0x100 || pos + 4 > len)
			return 0;
		head = le32(cfg + pos);
		if (!head || head == UINT32_MAX)
			return 0;
		if ((head & 0xffff) == EXT_CAP_ACS)
			return pos + 8 <= len ? !!(le16(cfg + pos + 6) & (ACS_RR | ACS_CR | ACS_EC)) : -1;
		pos = head >> 20 & 0xffc;
	}
	return 0;
}

int dv_parse_port(const uint8_t *cfg, size_t len)
{
	size_t pos;

	if (len < 0x80)
		return -1;
	pos = cfg[0x34] & 0xfc;
	for (int i = 0; i < 48 && pos >= 0x40 && pos + 4 <= len; i++) {
		if (cfg[pos] == CAP_PCIE)
			return le16(cfg + pos + 2) >> 4 & 0xf;
		pos = cfg[pos + 1] & 0xfc;
	}
	return -1;
}
