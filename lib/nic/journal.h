/* SPDX-License-Identifier: MIT */
/*
 * What was changed of an interface, as a file: one line for each change, written
 * before it is made. The file is locked while its writer lives, so that the next
 * one knows whether it is a dead one's.
 */
#ifndef DV_NICJOURNAL_H
#define DV_NICJOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kern/ethtool.h"

#define DV_JOURNAL_RULES 256

/* What the interface was before. */
struct dv_nicstate {
	char ifname[16];
	unsigned int ifindex;
	bool has_split;
	struct dv_split split;
	unsigned int rss_size;     /* 0: not changed */
	uint32_t rss[DV_RSS_MAX];
	unsigned int nr_rules;
	uint32_t rules[DV_JOURNAL_RULES]; /* places of those that were made */
};

/* Reads what a journal says; the last line counts only if it is whole. 0 or -EBADMSG. */
int dv_nicstate_parse(const char *text, struct dv_nicstate *s);
/* The lines; as snprintf(). */
int dv_nicstate_line_split(const struct dv_split *split, char *buf, size_t size);
int dv_nicstate_line_rss(const uint32_t *table, unsigned int n, char *buf, size_t size);

/* The directory; made if need be. Tests set it. 0 or -errno. */
extern const char *dv_journal_dir;

/*
 * Opens the interface's journal, locked: *old has what a dead writer left
 * (ifindex 0: nothing). -EBUSY: a living one has it. The descriptor or -errno.
 */
int dv_journal_open(const char *ifname, unsigned int ifindex, struct dv_nicstate *old);
/* Empties it and writes its first line; then lines. 0 or -errno. */
int dv_journal_begin(int fd, const char *ifname, unsigned int ifindex);
int dv_journal_add(int fd, const char *line);
/* All is as it was: the file goes. Closes fd. */
void dv_journal_end(int fd, const char *ifname, unsigned int ifindex);
/* Leaves the file for the next one. */
void dv_journal_leave(int fd);
/* Names are known in one network namespace: its number. */
unsigned long dv_journal_netns(void);
/* Calls fn for each interface with a journal in this network namespace; stops if it returns non-zero. */
int dv_journal_each(int (*fn)(void *arg, const char *ifname, unsigned int ifindex), void *arg);

#endif
