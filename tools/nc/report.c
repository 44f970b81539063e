/* SPDX-License-Identifier: MIT */
/* devio-nc: the line while it runs, and the report at the end as text or JSON. */
#include "config.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>
#include "nc.h"
#include "common/opts.h"

#define GB 1e9

void nc_progress(struct nc_job *job, double elapsed, bool last)
{
	static double shown;
	uint64_t moved = job->sent > job->received ? job->sent : job->received;
	double rate = elapsed > 0 ? (double)(job->sent + job->received) / elapsed : 0;
	char have[32], all[32] = "";

	if (!job->o.progress || (!last && elapsed - shown < 0.2) || (last && shown == 0))
		return;
	shown = elapsed;
	if (last) {
		fputs("\r\033[K", stderr);
		return;
	}
	if (job->total != UINT64_MAX)
		opt_human(job->total, all, sizeof(all));
	fprintf(stderr, "\r%s%s%s  %.2f GB/s\033[K", opt_human(moved, have, sizeof(have)), *all ? " of " : "", all, rate / GB);
	fflush(stderr);
}

static double rate(const struct nc_job *job)
{
	return job->seconds > 0 ? (double)(job->sent + job->received) / job->seconds / GB : 0;
}

static double cpu_per_gb(const struct nc_job *job)
{
	uint64_t moved = job->sent + job->received;

	return moved ? job->cpu_s / ((double)moved / GB) : 0;
}

static uint64_t copied(const struct nc_job *job)
{
	return summary_copied(&job->net) + summary_copied(&job->disk) + job->host_copied;
}

void nc_report_text(const struct nc_job *job, FILE *out)
{
	static const char *const names[2] = { "received", "sent" };

	fprintf(out, "memory: %s%s%s%s\n", job->place.spec, *job->place.bdf ? " at " : "", job->place.bdf,
		job->place.device ? " (in a device)" : " (in host memory)");
	if (job->o.in)
		summary_print(out, &job->net, true, "send-");
	if (job->o.out)
		summary_print(out, &job->net, false, "receive-");
	nc_report_nic(job, out);
	if (job->in || job->out)
		summary_print(out, &job->disk, job->out && !job->in, "file-");
	fprintf(out, "sent: %" PRIu64 "\nreceived: %" PRIu64 "\nseconds: %.3f\nGB/s: %.3f\nCPU seconds per GB: %.3f\n"
		"copied bytes: %" PRIu64 "\n", job->sent, job->received, job->seconds, rate(job), cpu_per_gb(job), copied(job));
	for (int i = 0; i < 2 && job->o.checksum; i++)
		if (i ? job->o.in : job->o.out)
			fprintf(out, "cksum of what was %s: %" PRIu32 " %" PRIu64 "\n", names[i], nc_cksum(&job->sum[i]),
				job->sum[i].bytes);
	if (job->o.verify)
		fprintf(out, "verified: %" PRIu64 " bytes are the pattern\n", job->verified);
}

void nc_json_link(struct json_object *o, const struct nc_job *job)
{
	const struct devio_sock_info *i = &job->info;

	json_put_str(o, "local", *i->local ? i->local : NULL);
	json_put_u64(o, "local_port", i->local_port);
	json_put_str(o, "peer", *i->peer ? i->peer : NULL);
	json_put_u64(o, "peer_port", i->peer_port);
	json_put_str(o, "interface", *i->ifname ? i->ifname : NULL);
}

static void put_sum(struct json_object *o, const char *key, const struct nc_job *job, int i)
{
	if (job->o.checksum)
		json_put_u64(o, key, nc_cksum(&job->sum[i]));
	else
		json_put_str(o, key, NULL);
}

static struct json_object *json_report(const struct nc_job *job)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "devio_version", devio_version());
	nc_json_link(o, job);
	json_put_u64(o, "flows", job->o.flows);
	json_put_str(o, "in", job->o.in);
	json_put_str(o, "out", job->o.out);
	json_put_str(o, "memory", *job->place.spec ? job->place.spec : NULL);
	json_put_str(o, "device", *job->place.bdf ? job->place.bdf : NULL);
	json_object_object_add(o, "in_device", json_object_new_boolean(job->place.device));
	summary_json_side(o, &job->net, true, "send_path", "send_reason");
	summary_json_side(o, &job->net, false, "receive_path", "receive_reason");
	json_put_u64(o, "block_size", job->o.block);
	json_put_u64(o, "depth", job->o.depth);
	json_put_u64(o, "sent", job->sent);
	json_put_u64(o, "received", job->received);
	json_put_num(o, "setup_seconds", job->setup_s);
	json_put_num(o, "seconds", job->seconds);
	json_put_num(o, "gb_per_s", rate(job));
	json_put_num(o, "cpu_seconds_per_gb", cpu_per_gb(job));
	json_put_u64(o, "copied_bytes", copied(job));
	nc_json_nic(o, job);
	json_object_object_add(o, "paths", summary_json(&job->net));
	json_object_object_add(o, "file_paths", summary_json(&job->disk));
	put_sum(o, "cksum_sent", job, 1);
	put_sum(o, "cksum_received", job, 0);
	json_object_object_add(o, "verified", job->o.verify ? json_object_new_boolean(!*job->error) : NULL);
	json_put_u64(o, "verified_bytes", job->verified);
	json_put_str(o, "error", *job->error ? job->error : NULL);
	json_object_object_add(o, "exit_status", json_object_new_int(job->status));
	return o;
}

void nc_report_json(const struct nc_job *job, FILE *out)
{
	struct json_object *o = json_report(job);

	fprintf(out, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}
