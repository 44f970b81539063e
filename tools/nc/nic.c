/* SPDX-License-Identifier: MIT */
/* devio-nc --nic: the interface is set up to receive into device memory, and restored; --restore after a crash. */
#include "config.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "common/json.h"
#include "nc.h"

static const char *const steers[] = { "auto", "rules", "rss", "user" };

int nc_steer_parse(const char *name)
{
	for (int i = 0; i < 4; i++)
		if (!strcmp(name, steers[i]))
			return i;
	return -1;
}

int nc_open_nic(struct nc_job *job)
{
	struct devio_nic_opts no = DEVIO_OPTS(no);
	int rc;

	if (!job->o.nic)
		return 0;
	no.steer = job->o.steer;
	no.buffer = job->o.buffer;
	if (job->o.path == DEVIO_PATH_SOCK_ZCRX) {
		if (nc_open_ring(job))
			return -1;
		no.ring = job->ring;
	}
	rc = devio_mem_alloc(job->ctx, job->place.spec, job->o.area, NULL, &job->area);
	if (!rc)
		rc = devio_nic_open(job->ctx, job->o.nic, job->area, &no, &job->nic);
	return rc ? nc_fail(job, rc) : 0;
}

int nc_steer(struct nc_job *job, struct devio_sock *sock)
{
	int rc = job->nic ? devio_nic_steer(job->nic, sock) : 0;

	return rc ? nc_fail(job, rc) : 0;
}

void nc_close_nic(struct nc_job *job)
{
	struct devio_stat st = DEVIO_OPTS(st);

	if (job->nic) {
		job->nic_info.sz = sizeof(job->nic_info);
		(void)devio_nic_get_info(job->nic, &job->nic_info);
	}
	if (job->ctx && !devio_stat_get(job->ctx, &st))
		job->stat = st;
	devio_nic_close(job->nic);
	devio_mem_free(job->area);
}

/* UINT64_MAX: the driver does not count it. */
static void print_count(FILE *out, const char *name, uint64_t n)
{
	if (n != UINT64_MAX)
		fprintf(out, "%s: %" PRIu64 "\n", name, n);
}

void nc_report_nic(const struct nc_job *job, FILE *out)
{
	const struct devio_nic_info *i = &job->nic_info;

	if (!job->nic)
		return;
	fprintf(out, "nic: %s, %u queue%s from %u, steered by %s, buffers of %u bytes\n", i->ifname, i->queues,
		i->queues == 1 ? "" : "s", i->queue, steers[i->steer], i->buffer);
	fprintf(out, "fragments: %" PRIu64 " with %" PRIu64 " bytes in device memory, %" PRIu64 " linear bytes\n",
		job->stat.frags, job->stat.frag_bytes, job->stat.linear);
	print_count(out, "packets dropped for lack of a buffer", i->alloc_fail);
	print_count(out, "buffers not returned", i->inflight);
}

static void put_count(struct json_object *o, const char *key, uint64_t n)
{
	json_put(o, key, n == UINT64_MAX ? NULL : json_object_new_uint64(n));
}

void nc_json_nic(struct json_object *report, const struct nc_job *job)
{
	struct json_object *o = job->nic ? json_object_new_object() : NULL;
	const struct devio_nic_info *i = &job->nic_info;

	json_put(report, "nic", o);
	if (!o)
		return;
	json_put_str(o, "interface", i->ifname);
	json_put_u64(o, "queue", i->queue);
	json_put_u64(o, "queues", i->queues);
	json_put_str(o, "steer", steers[i->steer]);
	json_put_u64(o, "buffer", i->buffer);
	json_put_u64(o, "frags", job->stat.frags);
	json_put_u64(o, "frag_bytes", job->stat.frag_bytes);
	json_put_u64(o, "linear_bytes", job->stat.linear);
	put_count(o, "alloc_fail", i->alloc_fail);
	put_count(o, "inflight", i->inflight);
}

int nc_restore(struct nc_job *job)
{
	int n = devio_ctx_open(NULL, &job->ctx);

	if (!n)
		n = devio_nic_restore(job->ctx, job->o.nic);
	if (n < 0)
		return nc_fail(job, n);
	printf("interfaces restored: %d\n", n);
	return 0;
}
