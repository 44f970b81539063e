/* SPDX-License-Identifier: MIT */
/*
 * Handles of the application: an index and a generation instead of a pointer, so that one that is unknown, stale or
 * garbage is recognised and never followed. The callers lock.
 */
#ifndef DV_CUFILE_TABLE_H
#define DV_CUFILE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct dv_row {
	void *obj;
	uint32_t gen;
	uint32_t next_free; /* index + 1 */
};

struct dv_table {
	struct dv_row *row;
	uint32_t nr, room, first_free;
	uint32_t popped; /* rows that dv_table_pop() has been through */
};

/* NULL: no memory. */
void *dv_table_add(struct dv_table *t, void *obj);
void *dv_table_remove(struct dv_table *t, void *handle);
void *dv_table_at(const struct dv_table *t, uint32_t index);
/* Removes any object; NULL: there is none. Nothing else in between, until it has returned NULL. */
void *dv_table_pop(struct dv_table *t);

static inline uint32_t dv_table_index(const void *handle)
{
	return ((uint32_t)((uintptr_t)handle >> 4) & 0xfffffff) - 1;
}

/* NULL: no such handle. */
static inline void *dv_table_get(const struct dv_table *t, const void *handle)
{
	uint32_t i = dv_table_index(handle);

	if (i >= t->nr || (uintptr_t)handle & 15 || (uint32_t)((uintptr_t)handle >> 32) != t->row[i].gen)
		return NULL;
	return t->row[i].obj;
}

#endif
