/* SPDX-License-Identifier: MIT */
/* Streams and events of CUDA and HIP. */
#include "config.h"
#include "mem/stream.h"

int dv_streams_make(struct dv_streams *s, const struct dv_stream_api *api)
{
	int rc = 0;

	s->api = api;
	for (int i = 0; !rc && i < 2; i++)
		rc = api->StreamCreate(&s->stream[i], DV_STREAM_NON_BLOCKING);
	if (rc)
		dv_streams_drop(s);
	return rc;
}

/* Errors during teardown are ignored. */
void dv_streams_drop(struct dv_streams *s)
{
	for (int i = 0; i < DV_EV_NR; i++)
		if (s->pool.ev[i])
			(void)s->api->EventDestroy(s->pool.ev[i]);
	for (int i = 0; i < 2; i++)
		if (s->stream[i])
			(void)s->api->StreamDestroy(s->stream[i]);
}

/*
 * Records an event after the copy. If that fails or none is free, waits: after an error
 * the device must no longer access the caller's host memory.
 */
int dv_streams_mark(struct dv_streams *s, bool out, struct dv_copy *c)
{
	int i = dv_evpool_take(&s->pool), rc;

	if (i >= 0) {
		rc = s->pool.ev[i] ? 0 : s->api->EventCreate(&s->pool.ev[i], DV_EVENT_NO_TIMING);
		if (!rc)
			rc = s->api->EventRecord(s->pool.ev[i], s->stream[out]);
		if (!rc) {
			c->tok = s->pool.ev[i];
			c->aux = (uint64_t)i;
			return 0;
		}
		dv_evpool_put(&s->pool, i);
	}
	rc = s->api->StreamSynchronize(s->stream[out]);
	return rc ? -rc : 1;
}

int dv_streams_poll(struct dv_streams *s, struct dv_copy *c, bool wait)
{
	int rc = wait ? s->api->EventSynchronize(c->tok) : s->api->EventQuery(c->tok);

	if (rc == DV_STREAM_NOT_READY && !wait)
		return 0;
	dv_evpool_put(&s->pool, (int)c->aux);
	return rc ? -rc : 1;
}
