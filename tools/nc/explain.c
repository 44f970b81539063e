/* SPDX-License-Identifier: MIT */
/* devio-nc --explain: what stands in the way of which path, and what would help. Nothing is changed or sent. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json.h>
#include "nc.h"

const char *nc_cure(unsigned int reason, const char *ifname, char *buf, size_t size)
{
	switch (reason) {
	case DEVIO_REASON_NO_EXPORT:
		return "take a memory that has a dma-buf: --mem=cuda:0, vfio:..., udmabuf (devio-probe lists them)";
	case DEVIO_REASON_NET_VIRTUAL:
		return "connect to another machine, by an address of the NIC and not of a bridge, a bond, a VLAN or a tunnel on it";
	case DEVIO_REASON_NET_KERNEL:
		return "boot Linux 6.16 or newer (6.12 to receive only) with CONFIG_NET_DEVMEM";
	case DEVIO_REASON_NET_DRIVER:
		return "use a NIC of bnxt_en, mlx5_core, gve or fbnic, or igb with the series in kernel/";
	case DEVIO_REASON_NET_SPLIT:
		snprintf(buf, size, "devio-nc --nic=%s, or ethtool -G with tcp-data-split on hds-thresh 0",
			 *ifname ? ifname : "INTERFACE");
		return buf;
	case DEVIO_REASON_NET_SETUP:
		snprintf(buf, size, "devio-nc --nic=%s, or devio_nic_open()", *ifname ? ifname : "INTERFACE");
		return buf;
	case DEVIO_REASON_NET_RIGHTS:
		return "run with CAP_NET_ADMIN (sudo, or setcap cap_net_admin+ep on the program), or with a devio-nicd";
	case DEVIO_REASON_NO_URING:
		return "sysctl kernel.io_uring_disabled=0, and a seccomp filter that allows io_uring";
	case DEVIO_REASON_NET_UNKNOWN:
		return "look whether `ip route get` finds the peer in this network namespace";
	default:
		return NULL;
	}
}

/* The verdict about one path, as if it were the only one; DEVIO_PATH_AUTO: about the choice. */
static int ask(struct nc_job *job, int path, int send, struct devio_completion *v)
{
	struct devio_sock_opts so = DEVIO_OPTS(so);
	struct devio_sock *sock;
	int rc;

	so.path = path;
	so.flags = job->o.direct && !path ? DEVIO_SOCK_DIRECT_ONLY : 0;
	if (devio_sock_import(job->ctx, devio_sock_fd(job->socks[0]), &so, &sock))
		return nc_fail(job, NC_FAILED, "%s", devio_errmsg());
	rc = devio_sock_explain(sock, job->mem, 0, job->o.block, send, v, NULL, 0);
	devio_sock_close(sock);
	if (rc == -EOPNOTSUPP)
		return 0;
	return rc ? nc_fail(job, NC_FAILED, "%s", devio_errmsg()) : 0;
}

static void add_path(struct nc_job *job, struct json_object *list, int path, const struct devio_completion *v)
{
	const char *name = devio_path_name((unsigned int)path), *why = devio_reason_text(v->reason);
	struct json_object *o = json_object_new_object();
	const char *cure = NULL;
	bool can = v->result >= 0;
	char buf[128];

	if (!can)
		cure = nc_cure(v->reason, job->info.ifname, buf, sizeof(buf));
	json_put_str(o, "path", name);
	json_object_object_add(o, "can", json_object_new_boolean(can));
	json_object_object_add(o, "reason", json_object_new_int(can ? 0 : v->reason));
	json_put_str(o, "reason_text", can ? NULL : why);
	json_put_str(o, "cure", cure);
	json_object_array_add(list, o);
	if (job->o.json)
		return;
	printf("  %-12s %s%s\n", name, can ? "yes" : "no: ", can ? "" : why);
	if (cure)
		printf("  %-12s cure: %s\n", "", cure);
}

/* One direction: every path, then the choice. */
static int add_side(struct nc_job *job, struct json_object *report, int send)
{
	const char *name = send ? "send" : "receive", *taken;
	struct json_object *list = json_object_new_array(), *o = json_object_new_object();
	struct devio_completion v = { .result = 0 };
	int rc = 0;

	json_object_object_add(report, name, o);
	json_object_object_add(o, "paths", list);
	if (!job->o.json)
		printf("%s\n", name);
	for (int path = DEVIO_PATH_SOCK_DEVMEM; path < DEVIO_PATH_MAX && !rc; path++) {
		rc = ask(job, path, send, &v);
		if (!rc)
			add_path(job, list, path, &v);
	}
	if (!rc)
		rc = ask(job, job->o.path, send, &v);
	if (rc)
		return -1;
	taken = v.result < 0 ? NULL : devio_path_name(v.path);
	json_put_str(o, "taken", taken);
	if (!job->o.json)
		printf("  taken: %s\n", taken ? taken : "none");
	if (!taken)
		nc_fail(job, NC_NO_PATH, "no path to %s by: %s", name, devio_reason_text(v.reason));
	return 0;
}

static void print_link(const struct nc_job *job)
{
	const struct devio_sock_info *i = &job->info;

	printf("connection: %s port %u with %s port %u by %s\nmemory: %s\n", i->local, i->local_port, i->peer, i->peer_port,
	       *i->ifname ? i->ifname : "an unknown interface", job->place.spec);
}

int nc_explain(struct nc_job *job)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "devio_version", devio_version());
	json_put_str(o, "memory", job->place.spec);
	nc_json_link(o, job);
	if (!job->o.json)
		print_link(job);
	if (!add_side(job, o, 0))
		add_side(job, o, 1);
	json_put_str(o, "error", *job->error ? job->error : NULL);
	json_object_object_add(o, "exit_status", json_object_new_int(job->status));
	if (job->o.json)
		puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return *job->error ? -1 : 0;
}
