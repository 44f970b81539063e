/* SPDX-License-Identifier: MIT */
/* devio-nc --explain: for every path whether it can be used, why not, and how to fix it. Nothing is changed or sent. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "common/json.h"
#include "nc.h"

/* How to fix it on this interface; NULL: nothing is known. */
static const char *fix_of(unsigned int reason, const char *ifname, char *buf, size_t size)
{
	switch (reason) {
	case DEVIO_REASON_NO_EXPORT:
		return "use a memory with a dma-buf: --mem=cuda:0, vfio:..., udmabuf (devio-probe lists them)";
	case DEVIO_REASON_NET_VIRTUAL:
		return "connect to another machine, by an address of the NIC itself, not of a bridge, bond, VLAN or "
		       "tunnel on it";
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
		return "run with CAP_NET_ADMIN (sudo, or setcap cap_net_admin+ep on the program), or start devio-nicd";
	case DEVIO_REASON_NO_URING:
		return "sysctl kernel.io_uring_disabled=0, and a seccomp filter that allows io_uring";
	case DEVIO_REASON_NET_UNKNOWN:
		return "check that `ip route get` finds the peer in this network namespace";
	default:
		return NULL;
	}
}

/* The verdict on one path; DEVIO_PATH_AUTO: on the choice among all. */
static int get_verdict(struct nc_job *job, int path, int send, struct devio_completion *v)
{
	struct devio_sock_opts so = DEVIO_OPTS(so);
	struct devio_sock *sock;
	int rc;

	so.path = path;
	so.flags = job->o.direct_only && !path ? DEVIO_SOCK_DIRECT_ONLY : 0;
	if (devio_sock_import(job->ctx, devio_sock_fd(job->socks[0]), &so, &sock))
		return nc_fail(job, 0);
	rc = devio_sock_explain(sock, job->mem, 0, job->o.block, send, v, NULL, 0);
	devio_sock_close(sock);
	if (rc == -EOPNOTSUPP)
		return 0;
	return rc ? nc_fail(job, 0) : 0;
}

static void add_path(struct nc_job *job, struct json_object *list, int path, const struct devio_completion *v)
{
	const char *name = devio_path_name((unsigned int)path), *fix = NULL;
	struct json_object *o = json_object_new_object();
	bool can = v->result >= 0;
	char head[64], buf[128];

	if (!can)
		fix = fix_of(v->reason, job->info.ifname, buf, sizeof(buf));
	json_put_str(o, "path", name);
	json_put_bool(o, "can", can);
	json_put_str(o, "reason", can ? NULL : devio_reason_text(v->reason));
	json_put_u64(o, "reason_code", can ? 0 : v->reason);
	json_put_str(o, "fix", fix);
	json_object_array_add(list, o);
	if (job->o.report.json)
		return;
	snprintf(head, sizeof(head), "  %-12s %s", name, can ? "yes" : "no: ");
	term_wrap(stdout, head, can ? "" : devio_reason_text(v->reason));
	snprintf(head, sizeof(head), "  %-12s fix: ", "");
	if (fix)
		term_wrap(stdout, head, fix);
}

/* One direction: every path, then the choice. */
static int add_side(struct nc_job *job, struct json_object *report, int send)
{
	const char *name = send ? "send" : "receive";
	struct json_object *list = json_object_new_array(), *o = json_object_new_object();
	struct devio_completion v = { .result = 0 };
	unsigned int path;
	int rc = 0;

	json_put(report, name, o);
	json_put(o, "paths", list);
	if (!job->o.report.json)
		printf("%s\n", name);
	for (int p = DEVIO_PATH_SOCK_DEVMEM; p < DEVIO_PATH_MAX && !rc; p++) {
		rc = get_verdict(job, p, send, &v);
		if (!rc)
			add_path(job, list, p, &v);
	}
	if (!rc)
		rc = get_verdict(job, job->o.path, send, &v);
	if (rc)
		return -1;
	path = v.result < 0 ? 0 : v.path;
	summary_json_path(o, "", path, v.best_unused, v.reason);
	if (!job->o.report.json)
		printf("  path: %s\n", path ? devio_path_name(path) : "none");
	if (!path)
		tool_fail(&job->error, TOOL_NO_PATH, "no path to %s: %s", name, devio_reason_text(v.reason));
	return 0;
}

static void print_link(const struct nc_job *job)
{
	const struct devio_sock_info *i = &job->info;

	printf("connection: %s port %u to %s port %u, interface %s\n", i->local, i->local_port, i->peer, i->peer_port,
	       *i->ifname ? i->ifname : "unknown");
	toolmem_print(&job->place, stdout);
}

int nc_explain(struct nc_job *job)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "devio_version", devio_version());
	summary_json_memory(o, &job->place);
	nc_json_link(o, job);
	if (!job->o.report.json)
		print_link(job);
	if (!add_side(job, o, 0))
		add_side(job, o, 1);
	json_put_str(o, "error", job->error.text);
	json_put_int(o, "exit_status", job->error.status);
	if (job->o.report.json)
		json_print(stdout, o);
	else
		json_object_put(o);
	return *job->error.text ? -1 : 0;
}
