/* SPDX-License-Identifier: MIT */
/* A hash table of strings that somebody else keeps, by their numbers. Files cannot choose keys that collide. */
#ifndef DV_KEYS_H
#define DV_KEYS_H

#include <stdint.h>

#define DV_KEYS_MAX (1u << 29) /* entries */

struct dv_key_slot {
	uint32_t hash;
	uint32_t nr;                /* + 1; 0: free */
};

struct dv_keys {
	const char *(*text)(const void *owner, uint32_t nr); /* string nr */
	const void *owner;
	struct dv_key_slot *slots;
	uint32_t room, used;        /* room: 0 or a power of two */
};

/* Room for nr strings. 0, -ENOMEM or -E2BIG with an error message. */
int dv_keys_reserve(struct dv_keys *k, uint64_t nr);

/* Adds string nr, unless an equal one is there: then returns that one's number, else nr; or an error as above. */
int64_t dv_keys_add(struct dv_keys *k, const char *text, uint32_t nr);

/* The number of the equal string, or -ENOENT without an error message. */
int64_t dv_keys_find(const struct dv_keys *k, const char *text);

void dv_keys_free(struct dv_keys *k);

#endif
