/* SPDX-License-Identifier: MIT */
/*
 * The loader: a slot moves from the list of free slots through the queue of loading
 * slots to the caller and back. Every call that moves a slot also submits the next
 * reads, so that the drive stays busy while the caller computes.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "core/err.h"
#include "core/clock.h"
#include "load/batch.h"

#define SLOTS 4u
#define SLOTS_MAX 4096u
#define BATCH 64u
#define DEPTH 64u
#define GAP 4096u
#define ALIGN_MAX (1u << 20)
#define PLACES_MAX (1u << 24)
#define REAP 64u
#define OWN_FLAGS (DEVIO_LOADER_SHUFFLE | DEVIO_LOADER_UNORDERED | DEVIO_LOADER_DROP_LAST)

struct devio_loader {
	struct dv_reads reads;
	struct dv_layout layout;
	struct dv_cursor cursor;
	struct devio_loader_opts o;
	struct dv_batch_slot *slots;
	struct dv_batch_slot *free;          /* list */
	struct dv_batch_slot *head, **tail;  /* queue of loading slots, by seq */
	struct dv_batch_slot *submit;        /* the first of them with reads left to submit */
	uint64_t seq, epoch_items;
	uint64_t batches, item_bytes;
	uint64_t checks;                     /* of files, for dv_reads_check() */
};

static void set_defaults(struct devio_loader_opts *o)
{
	o->slots = o->slots ? o->slots : SLOTS;
	o->batch = o->batch ? o->batch : BATCH;
	o->depth = o->depth ? o->depth : DEPTH;
	o->align = o->align ? o->align : DV_READS_BLOCK;
	o->shuffle_block = o->shuffle_block ? o->shuffle_block : 1;
	o->merge_gap = o->merge_gap ? o->merge_gap : GAP;
	o->max_read = o->max_read ? o->max_read : DV_READS_MAX;
	o->world_size = o->world_size ? o->world_size : 1;
	o->num_workers = o->num_workers ? o->num_workers : 1;
}

static int check_opts(const struct devio_loader_opts *o, const struct devio_source *s)
{
	if (o->slots > SLOTS_MAX || o->align > ALIGN_MAX || o->align & (o->align - 1))
		return dv_err(-EINVAL, "loader: slots %u (at most %u) or align %u (a power of two, at most 1 MiB) is "
			      "out of range", o->slots, SLOTS_MAX, o->align);
	/* No overflow: slots * batch has at most 44 bits, and an item at most 1024 fields. */
	if ((uint64_t)o->slots * o->batch * (s->max_fields ? s->max_fields : 1) > PLACES_MAX)
		return dv_err(-EINVAL, "loader: %u slots of %u items with up to %u fields exceed %u fields: use fewer "
			      "slots or smaller batches", o->slots, o->batch, s->max_fields, PLACES_MAX);
	if (o->rank >= o->world_size || o->worker >= o->num_workers)
		return dv_err(-EINVAL, "loader: rank %u of %u or worker %u of %u is out of range: both start at 0",
			      o->rank, o->world_size, o->worker, o->num_workers);
	return 0;
}

/* Sets the size of the slots, which start at *from in the memory. */
static int set_budget(struct devio_loader *l, struct devio_mem *mem, uint64_t *from)
{
	struct devio_mem_info info = DEVIO_OPTS(info);
	uint64_t align = l->o.align, end;
	int rc = devio_mem_get_info(mem, &info);

	if (rc)
		return rc;
	if (l->o.mem_off > info.size || l->o.budget > info.size - l->o.mem_off)
		return dv_err(-ERANGE, "loader: a budget of %llu bytes at %llu exceeds the memory of %llu bytes",
			      (unsigned long long)l->o.budget, (unsigned long long)l->o.mem_off,
			      (unsigned long long)info.size);
	end = l->o.budget ? l->o.mem_off + l->o.budget : info.size;
	*from = (l->o.mem_off + align - 1) & ~(align - 1);
	l->layout.slot_bytes = *from < end ? ((end - *from) / l->o.slots) & ~(align - 1) : 0;
	return 0;
}

/* Records start at multiples of a power of two; the last one before the end of a block needs the most bytes. */
static uint64_t record_need(const struct dv_layout *l)
{
	uint64_t step = l->source->record | l->source->header | l->align;

	step &= -step;
	return (l->source->record + l->align - step + l->align - 1) & ~(l->align - 1);
}

static int check_room(const struct devio_loader *l)
{
	const struct devio_source *s = l->layout.source;
	bool records = s->kind == DEVIO_SOURCE_RECORDS;
	uint64_t most = records ? record_need(&l->layout) : 0, which = 0;

	for (uint64_t i = 0; i < s->nr_items && !records; i++) {
		uint64_t need = dv_batch_need(&l->layout, i);

		if (need > most) {
			most = need;
			which = i;
		}
	}
	if (most <= l->layout.slot_bytes)
		return 0;
	return dv_err(-EMSGSIZE, "loader: item %llu needs up to %llu bytes, but a slot has %llu: use a budget of %u "
		      "times as much, or fewer slots", (unsigned long long)which, (unsigned long long)most,
		      (unsigned long long)l->layout.slot_bytes, l->o.slots);
}

static int alloc_slot(struct devio_loader *l, struct dv_batch_slot *s)
{
	uint32_t n = l->layout.places;

	s->runs = malloc((size_t)n * sizeof(*s->runs));
	s->places = malloc((size_t)n * sizeof(*s->places));
	s->items = malloc((size_t)n * sizeof(*s->items));
	s->samples = malloc((size_t)l->o.batch * sizeof(*s->samples));
	s->perm = malloc((size_t)l->o.batch * sizeof(*s->perm));
	if (!s->runs || !s->places || !s->items || !s->samples || !s->perm)
		return dv_err(-ENOMEM, "loader: cannot allocate the state of batches of %u items", l->o.batch);
	return 0;
}

static int alloc_slots(struct devio_loader *l, uint64_t from)
{
	l->slots = calloc(l->o.slots, sizeof(*l->slots));
	if (!l->slots)
		return dv_err(-ENOMEM, "loader: cannot allocate %u slots", l->o.slots);
	for (uint32_t i = l->o.slots; i-- > 0;) {
		struct dv_batch_slot *s = &l->slots[i];

		s->number = i;
		s->base = from + i * l->layout.slot_bytes;
		s->next = l->free;
		l->free = s;
		if (alloc_slot(l, s))
			return -ENOMEM;
	}
	return 0;
}

static void enqueue(struct devio_loader *l, struct dv_batch_slot *s)
{
	s->state = DV_SLOT_LOADING;
	s->next = NULL;
	*l->tail = s;
	l->tail = &s->next;
	if (!l->submit)
		l->submit = s;
}

static void plan(struct devio_loader *l)
{
	while (l->free) {
		struct dv_batch_slot *s = l->free;

		s->seq = l->seq;
		if (!dv_batch_plan(&l->layout, s, &l->cursor, l->o.flags & DEVIO_LOADER_DROP_LAST))
			return;
		l->free = s->next;
		l->seq++;
		enqueue(l, s);
	}
}

/* Submits as many reads as the ring has room for, in the order of the batches. */
static void submit_reads(struct devio_loader *l)
{
	for (; l->submit; l->submit = l->submit->next) {
		struct dv_batch_slot *s = l->submit;

		for (; s->submitted < s->nr_runs; s->submitted++) {
			struct dv_run *run = &s->runs[s->submitted];
			uint32_t before = run->submitted;
			bool all = dv_reads_submit(&l->reads, run, s->number * l->layout.places + s->submitted);

			s->inflight += run->submitted - before;
			if (!all)
				return;
		}
	}
}

static void pump(struct devio_loader *l)
{
	plan(l);
	submit_reads(l);
}

static bool is_loaded(const struct dv_batch_slot *s)
{
	return s->submitted == s->nr_runs && !s->inflight;
}

static int reap(struct devio_loader *l, unsigned int min, int64_t timeout_ns)
{
	struct devio_completion done[REAP];
	int n;

	if (l->reads.links && (timeout_ns < 0 || timeout_ns > DV_LINKS_SLICE_NS))
		timeout_ns = DV_LINKS_SLICE_NS;
	n = devio_ring_wait(l->reads.ring, done, min, REAP, timeout_ns);
	dv_links_expire(l->reads.links);
	for (int i = 0; i < n; i++) {
		uint32_t number;
		struct dv_batch_slot *s;

		if (!dv_reads_complete(&l->reads, &done[i]))
			continue;
		number = dv_reads_number(&done[i]);
		s = &l->slots[number / l->layout.places];
		dv_reads_done(&l->reads, &s->runs[number % l->layout.places], &done[i]);
		s->inflight--;
	}
	return n;
}

/* Removes the next loaded slot for the caller from the queue, or returns NULL. */
static struct dv_batch_slot *pop_loaded(struct devio_loader *l)
{
	for (struct dv_batch_slot **at = &l->head; *at; at = &(*at)->next) {
		struct dv_batch_slot *s = *at;

		if (is_loaded(s)) {
			*at = s->next;
			if (l->tail == &s->next)
				l->tail = at;
			return s;
		}
		if (!(l->o.flags & DEVIO_LOADER_UNORDERED))
			return NULL;
	}
	return NULL;
}

static void put_free(struct devio_loader *l, struct dv_batch_slot *s)
{
	s->state = DV_SLOT_FREE;
	s->next = l->free;
	l->free = s;
}

static void deliver(struct devio_loader *l, struct dv_batch_slot *s, struct devio_batch *b)
{
	b->items = s->items;
	b->nr = s->nr_places;
	b->seq = s->seq;
	b->slot = s->number;
	dv_reads_check(&l->reads, s->runs, s->nr_runs, ++l->checks);
	b->failed = dv_batch_finish(s, &l->item_bytes);
	s->state = DV_SLOT_DELIVERED;
	l->batches++;
	if (b->failed)
		dv_err_plain(-EIO, l->reads.errmsg);
}

/* How many completions to wait for in one system call: not so many that the drive runs idle. */
static unsigned int wait_min(const struct devio_loader *l)
{
	unsigned int n = l->head->inflight, most = l->o.depth / 4;

	n = n < most ? n : most;
	n = n < REAP ? n : REAP;
	return n ? n : 1;
}

/* A loaded slot in *out; 1, 0 at the end of the epoch, or -errno. */
static int wait_loaded(struct devio_loader *l, int64_t timeout_ns, struct dv_batch_slot **out)
{
	int64_t end = timeout_ns > 0 ? dv_end_ns(timeout_ns) : 0, left = timeout_ns;
	int n = reap(l, 0, 0);
	uint64_t item;

	for (;;) {
		if (n < 0)
			return n;
		pump(l);
		*out = pop_loaded(l);
		if (*out)
			return 1;
		if (!l->head && (l->free || !dv_cursor_peek(&l->cursor, &item)))
			return 0;
		if (!l->head)
			return dv_err_plain(-EAGAIN, "loader: the caller has all slots: release a batch "
					    "[EAGAIN: Resource temporarily unavailable]");
		if (timeout_ns > 0)
			left = end - dv_now_ns();
		if (timeout_ns >= 0 && left <= 0)
			return dv_err_plain(-ETIMEDOUT, "loader: no batch was loaded within the timeout: call again "
					    "[ETIMEDOUT: Connection timed out]");
		n = reap(l, wait_min(l), left);
	}
}

static int check_batch(const struct devio_loader *l, const struct devio_batch *b)
{
	if (!l || !b)
		return dv_err(-EINVAL, "loader: the loader or the batch is NULL");
	if (b->sz < sizeof(*b))
		return dv_err(-EINVAL, "loader: sz is %zu: set it to sizeof(struct devio_batch)", b->sz);
	return 0;
}

DEVIO_API int devio_loader_next(struct devio_loader *l, struct devio_batch *batch, int64_t timeout_ns)
{
	int rc = check_batch(l, batch);
	struct dv_batch_slot *s;

	if (rc)
		return rc;
	rc = wait_loaded(l, timeout_ns, &s);
	if (rc != 1)
		return rc;
	deliver(l, s, batch);
	/* Submit queued reads before the caller computes. An error occurs again at the next wait. */
	(void)devio_ring_submit(l->reads.ring);
	return 1;
}

DEVIO_API int devio_loader_release(struct devio_loader *l, uint32_t slot)
{
	if (!l || slot >= l->o.slots || l->slots[slot].state != DV_SLOT_DELIVERED)
		return dv_err(-EINVAL, "loader: slot %u has no batch to release", slot);
	put_free(l, &l->slots[slot]);
	pump(l);
	(void)devio_ring_submit(l->reads.ring);
	return 0;
}

/* Waits until nothing is in flight and frees the slots that the caller does not have. */
static int drain(struct devio_loader *l)
{
	while (devio_ring_inflight(l->reads.ring)) {
		int n = reap(l, 1, -1);

		if (n < 0 && n != -EINTR)
			return n;
	}
	while (l->head) {
		struct dv_batch_slot *s = l->head;

		l->head = s->next;
		put_free(l, s);
	}
	l->tail = &l->head;
	l->submit = NULL;
	return 0;
}

static uint64_t part_number(const struct devio_loader_opts *o)
{
	return (uint64_t)o->rank * o->num_workers + o->worker;
}

DEVIO_API int devio_loader_start(struct devio_loader *l, uint64_t epoch, uint64_t skip)
{
	int rc = l ? drain(l) : dv_err(-EINVAL, "loader: the loader is NULL");

	if (rc)
		return rc;
	dv_cursor_start(&l->cursor, l->o.seed, epoch, part_number(&l->o), (uint64_t)l->o.world_size * l->o.num_workers);
	l->epoch_items = dv_cursor_left(&l->cursor);
	dv_cursor_skip(&l->cursor, skip);
	l->seq = 0;
	pump(l);
	rc = devio_ring_submit(l->reads.ring);
	return rc < 0 ? rc : 0;
}

static int open_loader(struct devio_loader *l, struct devio_ctx *ctx, struct devio_source *s, struct devio_mem *mem)
{
	const struct devio_loader_opts *o = &l->o;
	uint64_t from = 0;
	int rc = check_opts(o, s);

	if (!rc)
		rc = set_budget(l, mem, &from);
	if (rc)
		return rc;
	l->layout.source = s;
	l->layout.align = o->align;
	l->layout.batch = o->batch;
	l->layout.gap = o->merge_gap;
	l->layout.max_read = o->max_read;
	l->layout.places = o->batch * (s->max_fields ? s->max_fields : 1);
	l->cursor.items = s->nr_items;
	l->cursor.block = o->shuffle_block;
	l->cursor.shuffle = o->flags & DEVIO_LOADER_SHUFFLE;
	rc = check_room(l);
	if (!rc)
		rc = alloc_slots(l, from);
	if (!rc)
		rc = dv_reads_open(&l->reads, ctx, s, mem, &(struct dv_reads_opts){ o->max_read, o->depth, o->max_files,
										     o->path, o->flags & ~OWN_FLAGS });
	return rc ? rc : devio_loader_start(l, 0, 0);
}

DEVIO_API int devio_loader_open(struct devio_ctx *ctx, struct devio_source *s, struct devio_mem *mem,
				const struct devio_loader_opts *opts, struct devio_loader **out)
{
	struct devio_loader_opts o;
	struct devio_loader *l;
	int rc = dv_opts_copy(&o, sizeof(o), opts, "devio_loader_opts");

	if (!rc && (!ctx || !s || !mem || !out))
		rc = dv_err(-EINVAL, "loader: the context, source, memory or pointer for the new loader is NULL");
	if (rc)
		return rc;
	l = calloc(1, sizeof(*l));
	if (!l)
		return dv_err(-ENOMEM, "loader: cannot allocate the handle");
	l->o = o;
	l->tail = &l->head;
	set_defaults(&l->o);
	rc = open_loader(l, ctx, s, mem);
	if (rc)
		devio_loader_close(l);
	else
		*out = l;
	return rc;
}

DEVIO_API void devio_loader_close(struct devio_loader *l)
{
	if (!l)
		return;
	dv_reads_close(&l->reads);
	for (uint32_t i = 0; l->slots && i < l->o.slots; i++) {
		free(l->slots[i].runs);
		free(l->slots[i].places);
		free(l->slots[i].items);
		free(l->slots[i].samples);
		free(l->slots[i].perm);
	}
	free(l->slots);
	free(l);
}

DEVIO_API int devio_loader_get_info(const struct devio_loader *l, struct devio_loader_info *info)
{
	struct devio_loader_info i = { 0 };

	if (!l)
		return dv_err(-EINVAL, "loader: the loader is NULL");
	i.items = l->epoch_items;
	i.slot_bytes = l->layout.slot_bytes;
	i.reads = l->reads.reads;
	i.read_bytes = l->reads.bytes;
	i.item_bytes = l->item_bytes;
	i.batches = l->batches;
	i.slots = l->o.slots;
	return dv_info_copy(info, &i, sizeof(i), "devio_loader_info");
}
