/* SPDX-License-Identifier: MIT */
/*
 * Streams and events: the part in which CUDA and HIP are the same down to the
 * signatures and the number for "not ready". Results are the vendor's, 0 being
 * success; the provider makes sentences of them.
 */
#ifndef DV_MEM_STREAM_H
#define DV_MEM_STREAM_H

#include "mem/mem.h"
#include "mem/evpool.h"

struct dv_stream_api {
	int (*StreamCreate)(void **stream, unsigned int flags);
	int (*StreamDestroy)(void *stream);
	int (*StreamSynchronize)(void *stream);
	int (*EventCreate)(void **event, unsigned int flags);
	int (*EventDestroy)(void *event);
	int (*EventRecord)(void *event, void *stream);
	int (*EventQuery)(void *event);
	int (*EventSynchronize)(void *event);
};

enum { DV_STREAM_NON_BLOCKING = 1, DV_EVENT_NO_TIMING = 2, DV_STREAM_NOT_READY = 600 };

struct dv_streams {
	const struct dv_stream_api *api;
	void *stream[2]; /* to the device, from it: the directions overlap */
	struct dv_evpool pool;
};

/* 0 or the vendor's result, nothing left then. */
int dv_streams_make(struct dv_streams *s, const struct dv_stream_api *api);
void dv_streams_drop(struct dv_streams *s);

/*
 * Behind a copy that was just started on stream[out]: 0 (poll c), 1 (done
 * already), or minus the vendor's result; then nothing is in flight any more.
 */
int dv_streams_mark(struct dv_streams *s, bool out, struct dv_copy *c);

/* 1 done, 0 still running, or minus the vendor's result. */
int dv_streams_poll(struct dv_streams *s, struct dv_copy *c, bool wait);

#endif
