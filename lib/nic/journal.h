/* SPDX-License-Identifier: MIT */
/*
 * A file that records the changes to an interface: one line per change, written
 * before the change is made. It stays locked while its writer lives, so that the
 * next process can tell whether the writer is dead.
 */
#ifndef DV_NICJOURNAL_H
#define DV_NICJOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "kern/ethtool.h"

#define DV_JOURNAL_RULES 256
#define DV_QUEUE_UNKNOWN UINT32_MAX

/* The settings of the interface before they were changed. */
struct dv_nicstate {
	char ifname[16];
	unsigned int ifindex;
	bool has_split;
	struct dv_split split;
	unsigned int rss_size;     /* 0: not changed */
	uint32_t rss[DV_RSS_MAX];
	unsigned int nr_rules;
	uint32_t rules[DV_JOURNAL_RULES]; /* locations of the rules that were added */
	uint32_t rule_queue[DV_JOURNAL_RULES]; /* and their queues: another rule at the location is not deleted */
};

/* Parses the text of a journal; an incomplete last line is ignored. 0 or -EBADMSG. */
int dv_nicstate_parse(const char *text, struct dv_nicstate *s);
/* Format a line; return what snprintf() returns. */
int dv_nicstate_line_split(const struct dv_split *split, char *buf, size_t size);
int dv_nicstate_line_rss(const uint32_t *table, unsigned int n, char *buf, size_t size);

/* Overrides the directory, for tests; NULL: /run/devio or $XDG_RUNTIME_DIR/devio. */
extern const char *dv_journal_dir;

/*
 * Opens and locks the interface's journal; *old is what a dead writer left
 * (ifindex 0: nothing). Returns the descriptor or -errno; -EBUSY: its writer is alive.
 */
int dv_journal_open(const char *ifname, unsigned int ifindex, struct dv_nicstate *old);
/*
 * begin truncates the file and writes the header line, add appends a line. 0 or
 * -errno; -ENOSPC if the file could not be read back otherwise.
 */
int dv_journal_begin(int fd, const char *ifname, unsigned int ifindex);
int dv_journal_add(int fd, const char *line);
/* Its size, and back to it: what was added since is not true. -errno */
off_t dv_journal_size(int fd);
int dv_journal_cut(int fd, off_t size);
/* The interface is restored: removes the file and closes fd. */
void dv_journal_end(int fd, const char *ifname, unsigned int ifindex);
/* Closes fd and leaves the file, from which a later process can restore the interface. */
void dv_journal_leave(int fd);
/* The kernel's number of this network namespace, in which interface names are unique; 0: unknown. */
unsigned long dv_journal_netns(void);
/* Calls fn for each interface with a journal in this network namespace; stops if it returns non-zero. */
int dv_journal_each(int (*fn)(void *arg, const char *ifname, unsigned int ifindex), void *arg);

#endif
