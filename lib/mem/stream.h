/* SPDX-License-Identifier: MIT */
/*
 * Streams and events: the part in which CUDA and HIP are identical, including the
 * signatures and the value of "not ready". Results are the vendor's, 0 is success; the
 * provider translates them to error messages.
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
	void *stream[2]; /* to the device, from the device: so that the directions overlap */
	struct dv_evpool pool;
};

/* 0, or the vendor's result with everything undone. */
int dv_streams_make(struct dv_streams *s, const struct dv_stream_api *api);
void dv_streams_drop(struct dv_streams *s);

/*
 * To be called after starting a copy on stream[out]. 0: in flight (poll c), 1: already
 * completed, or the negated vendor's result, with nothing left in flight.
 */
int dv_streams_mark(struct dv_streams *s, bool out, struct dv_copy *c);

/* 1: completed, 0: still running, or the negated vendor's result. */
int dv_streams_poll(struct dv_streams *s, struct dv_copy *c, bool wait);

#endif
