/* SPDX-License-Identifier: MIT */
/* devio-nc: progress, and the report as text or JSON. */
#include "config.h"
#include <inttypes.h>
#include <stdio.h>
#include "common/json.h"
#include "common/opts.h"
#include "nc.h"

void nc_progress(struct nc_job *job, double elapsed)
{
	uint64_t moved = job->sent > job->received ? job->sent : job->received;
	double rate = elapsed > 0 ? (double)(job->sent + job->received) / elapsed : 0;
	char have[32], all[32] = "";

	if (!progress_due(&job->progress, elapsed))
		return;
	if (job->total != UINT64_MAX)
		opt_human(job->total, all, sizeof(all));
	progress_print("%s%s%s  %.2f GB/s", opt_human(moved, have, sizeof(have)), *all ? " of " : "", all, rate / 1e9);
}

static uint64_t copied(const struct nc_job *job)
{
	return summary_copied(&job->net) + summary_copied(&job->disk) + job->host_copied;
}

void nc_report_text(const struct nc_job *job, FILE *out)
{
	static const char *const names[2] = { "received", "sent" };

	toolmem_print(&job->place, out);
	if (job->o.in)
		summary_print(out, &job->net, true, "send-");
	if (job->o.out)
		summary_print(out, &job->net, false, "receive-");
	nc_report_nic(job, out);
	if (job->in || job->out)
		summary_print(out, &job->disk, job->out && !job->in, "file-");
	fprintf(out, "sent: %" PRIu64 "\nreceived: %" PRIu64 "\n", job->sent, job->received);
	summary_print_cost(out, &job->cost, job->sent + job->received, copied(job));
	for (int i = 0; i < 2 && job->o.checksum; i++)
		if (i ? job->o.in : job->o.out)
			fprintf(out, "cksum of bytes %s: %" PRIu32 " %" PRIu64 "\n", names[i], nc_cksum(&job->sum[i]),
				job->sum[i].bytes);
	if (job->o.verify)
		fprintf(out, "verified: %" PRIu64 " bytes match the pattern\n", job->verified);
}

void nc_json_link(struct json_object *o, const struct nc_job *job)
{
	const struct devio_sock_info *i = &job->info;

	json_put_str(o, "local", i->local);
	json_put_u64(o, "local_port", i->local_port);
	json_put_str(o, "peer", i->peer);
	json_put_u64(o, "peer_port", i->peer_port);
	json_put_str(o, "interface", i->ifname);
}

static void put_sum(struct json_object *o, const char *key, const struct nc_job *job, int i)
{
	if (job->o.checksum)
		json_put_u64(o, key, nc_cksum(&job->sum[i]));
	else
		json_put(o, key, NULL);
}

void nc_report_json(const struct nc_job *job, FILE *out)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "devio_version", devio_version());
	nc_json_link(o, job);
	json_put_u64(o, "flows", job->o.flows);
	json_put_str(o, "in", job->o.in);
	json_put_str(o, "out", job->o.out);
	summary_json_memory(o, &job->place);
	summary_json_side(o, &job->net, true, "send_");
	summary_json_side(o, &job->net, false, "receive_");
	json_put_u64(o, "block_size", job->o.block);
	json_put_u64(o, "depth", job->o.depth);
	json_put_u64(o, "sent", job->sent);
	json_put_u64(o, "received", job->received);
	summary_json_cost(o, &job->cost, job->sent + job->received, copied(job));
	nc_json_nic(o, job);
	json_put(o, "paths", summary_json(&job->net));
	json_put(o, "file_paths", summary_json(&job->disk));
	put_sum(o, "cksum_sent", job, 1);
	put_sum(o, "cksum_received", job, 0);
	summary_json_end(out, o, job->o.verify, job->verified, &job->error);
}
