/* SPDX-License-Identifier: MIT */
/* Handles of the application. */
#include "config.h"
#include <stdlib.h>
#include "cufile/table.h"

#define MAX_ROWS (1u << 26) /* index + 1 in 28 bits, from the fourth on */

static int grow(struct dv_table *t)
{
	uint32_t room = t->room ? 2 * t->room : 64;
	struct dv_row *row = room <= MAX_ROWS ? realloc(t->row, room * sizeof(*row)) : NULL;

	if (!row)
		return -1;
	t->row = row;
	t->room = room;
	return 0;
}

void *dv_table_add(struct dv_table *t, void *obj)
{
	uint32_t i = t->first_free - 1;

	if (t->first_free) {
		t->first_free = t->row[i].next_free;
	} else {
		if (t->nr == t->room && grow(t))
			return NULL;
		i = t->nr++;
		t->row[i].gen = 0;
	}
	t->row[i].obj = obj;
	/* Like an address of this process: 31 bits. */
	t->row[i].gen = (t->row[i].gen + 1) & 0x7fff;
	if (!t->row[i].gen)
		t->row[i].gen = 1;
	return (void *)((uintptr_t)t->row[i].gen << 32 | (uintptr_t)(i + 1) << 4);
}

static void *clear(struct dv_table *t, uint32_t i)
{
	void *obj = t->row[i].obj;

	t->row[i].obj = NULL;
	t->row[i].next_free = t->first_free;
	t->first_free = i + 1;
	return obj;
}

void *dv_table_remove(struct dv_table *t, void *handle)
{
	return dv_table_get(t, handle) ? clear(t, dv_table_index(handle)) : NULL;
}

void *dv_table_at(const struct dv_table *t, uint32_t index)
{
	return index < t->nr ? t->row[index].obj : NULL;
}

void *dv_table_pop(struct dv_table *t)
{
	for (; t->popped < t->nr; t->popped++)
		if (t->row[t->popped].obj)
			return clear(t, t->popped);
	t->popped = 0;
	return NULL;
}
