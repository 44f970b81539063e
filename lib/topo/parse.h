/* SPDX-License-Identifier: MIT */
/*
 * Parsers for text files and PCI configuration space from the kernel. They work on
 * buffers, have no side effects and accept arbitrary input.
 */
#ifndef DV_TOPO_PARSE_H
#define DV_TOPO_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A PCI address; the domain may exceed 16 bits (VMD). */
struct dv_bdf {
	uint32_t domain;
	uint8_t bus, dev, fn;
};

/* "0000:01:00.0" or "01:00.0", the whole text. 0 or -EINVAL. */
int dv_parse_bdf(const char *text, struct dv_bdf *bdf);

/* One line of /proc/self/mountinfo; the strings point into the line, which is modified. */
struct dv_mount {
	int id;
	uint32_t dev_major, dev_minor;
	char *root, *where, *options, *type, *source, *super;
};
int dv_parse_mount(char *line, struct dv_mount *m);

/* Returns the next line of *text, NUL-terminated in place, and advances *text; NULL at the end. */
char *dv_parse_line(char **text);

/* Sizes of the six BARs from a `resource` file. Returns the number of lines parsed, or -EINVAL. */
int dv_parse_resource(const char *text, uint64_t size[6]);

/* The value of the first line "key : value" of cpuinfo; 0 or -ENOENT. */
int dv_parse_colon(const char *text, const char *key, char *value, size_t size);

/* The soft limit of "Max locked memory" in /proc/self/limits. */
int dv_parse_memlock(const char *text, uint64_t *bytes);

/* "6.18.44-x" -> 6 << 16 | 18 << 8 | 44; 0 if it cannot be parsed. */
unsigned int dv_parse_release(const char *text);

/* CONFIG_name in a kernel configuration: 1 (y or m), 0 ("is not set"), -1 (not listed). */
int dv_parse_config(const char *text, const char *name);

/*
 * PCI configuration space, of which len bytes could be read. dv_parse_acs(): 1 if ACS
 * redirects requests or completions or controls egress, 0 if not, -1 if the extended
 * space is missing. dv_parse_port(): the PCIe port type, -1 if unknown.
 */
int dv_parse_acs(const uint8_t *cfg, size_t len);
int dv_parse_port(const uint8_t *cfg, size_t len);

#endif
