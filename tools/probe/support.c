/* SPDX-License-Identifier: MIT */
/* devio-probe: a verdict on each GPU and each NIC. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "probe.h"

#define KERNEL(major, minor) ((major) << 16 | (minor) << 8)

static bool is_pcie_nvme(const struct devio_topo_block *b)
{
	return (b->kind == DEVIO_BLOCK_NVME || b->kind == DEVIO_BLOCK_NVME_PATH) && b->pci >= 0;
}

/* The better of two answers: yes, then unknown, then no. */
static int rank(int can)
{
	return can == DEVIO_CAN ? 2 : can == DEVIO_CAN_UNKNOWN ? 1 : 0;
}

static void add_drive(char *how, size_t size, const char *name)
{
	size_t n = strlen(how);

	snprintf(how + n, size - n, "%s%s", n ? ", " : "file-dmabuf with ", name);
}

/* One drive with the GPU's memory. The reason and the fix are those of the best answer so far. */
static void judge_drive(const struct probe *p, const struct devio_topo_block *b, const char *spec,
			struct probe_support *s, bool *any)
{
	struct devio_topo_verdict v = DEVIO_OPTS(v);
	char file[80];

	snprintf(file, sizeof(file), "/dev/%.64s", b->name);
	if (devio_topo_explain(p->topo, file, spec, NULL, DEVIO_PATH_FILE_DMABUF, &v)) {
		v.can = DEVIO_CAN_UNKNOWN;
		snprintf(v.cause, sizeof(v.cause), "%s", devio_errmsg());
		*v.fix = '\0';
	} else if (v.err == -EACCES) {
		v.can = DEVIO_CAN_UNKNOWN;
		snprintf(v.cause, sizeof(v.cause), "%s: %.100s", file, strerror(EACCES));
		snprintf(v.fix, sizeof(v.fix), "run as root");
	}
	if (v.can == DEVIO_CAN)
		add_drive(s->how, sizeof(s->how), b->name);
	if (*any && rank(v.can) <= rank(s->can))
		return;
	*any = true;
	s->can = v.can;
	snprintf(s->reason, sizeof(s->reason), "%s", v.can == DEVIO_CAN ? "" : v.cause);
	snprintf(s->fix, sizeof(s->fix), "%s", v.can == DEVIO_CAN ? "" : v.fix);
}

static void judge_gpu(const struct probe *p, const struct devio_topo_gpu *g, struct probe_support *s)
{
	bool any = false;

	snprintf(s->name, sizeof(s->name), "GPU %.80s", *g->spec ? g->spec : g->name);
	s->bdf = g->bdf;
	s->can = DEVIO_CAN_NOT;
	if (!*g->spec) {
		snprintf(s->reason, sizeof(s->reason),
			 *g->driver ? "no memory provider for driver %s" : "no driver is bound%s", g->driver);
		snprintf(s->fix, sizeof(s->fix), "install the vendor's driver");
		return;
	}
	for (unsigned int i = 0; i < devio_topo_count(p->topo, DEVIO_TOPO_BLOCK); i++) {
		struct devio_topo_block b = probe_block(p, i);

		if (is_pcie_nvme(&b))
			judge_drive(p, &b, g->spec, s, &any);
	}
	if (!any)
		snprintf(s->reason, sizeof(s->reason), "there is no NVMe drive on PCIe");
}

static void refuse(struct probe_support *s, int can, const char *fix, const char *reason)
{
	s->can = can;
	*s->how = '\0';
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	snprintf(s->fix, sizeof(s->fix), "%s", fix);
}

static void judge_nic(const struct probe *p, const struct devio_topo_nic *n, struct probe_support *s)
{
	static const char *const known[] = { "bnxt_en", "mlx5_core", "gve", "fbnic", "igb" };
	unsigned int kernel = probe_machine(p).kernel;
	bool listed = false;
	char reason[128];

	snprintf(s->name, sizeof(s->name), "NIC %.80s", n->name);
	s->bdf = n->pci >= 0 ? probe_pci(p, n->pci).bdf : "";
	s->can = DEVIO_CAN;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		listed |= !strcmp(n->driver, known[i]);
	snprintf(s->how, sizeof(s->how), "%s, when it is set up by devio-nc --nic or devio_nic_open()",
		 kernel >= KERNEL(6, 16) ? "sock-devmem and sock-zcrx" : "sock-devmem to receive");
	snprintf(reason, sizeof(reason), "driver %.60s is not known to have queue management operations",
		 *n->driver ? n->driver : "unknown");
	if (!listed)
		refuse(s, DEVIO_CAN_NOT, "use a NIC of bnxt_en, mlx5_core, gve or fbnic", reason);
	else if (!kernel)
		refuse(s, DEVIO_CAN_UNKNOWN, "", "the kernel's version is unknown");
	else if (kernel < KERNEL(6, 12))
		refuse(s, DEVIO_CAN_NOT, "use Linux 6.16 or newer", "the kernel has no device memory TCP (Linux 6.12)");
	else if (n->rx_queues == 1)
		refuse(s, DEVIO_CAN_NOT, "ethtool -L, if the NIC has more",
		       "it has one receive queue, and queue 0 is never used");
	else if (!strcmp(n->driver, "igb"))
		refuse(s, DEVIO_CAN_UNKNOWN, "use the series in kernel/",
		       "igb has queue management operations only with the series in kernel/");
}

struct probe_support *probe_supports(const struct probe *p, unsigned int *n)
{
	unsigned int gpus = devio_topo_count(p->topo, DEVIO_TOPO_GPU), nics = devio_topo_count(p->topo, DEVIO_TOPO_NIC);
	struct probe_support *s = must(calloc(gpus + nics + 1, sizeof(*s)));

	*n = 0;
	for (unsigned int i = 0; i < gpus; i++) {
		struct devio_topo_gpu g = probe_gpu(p, i);

		judge_gpu(p, &g, &s[(*n)++]);
	}
	for (unsigned int i = 0; i < nics; i++) {
		struct devio_topo_nic nic = probe_nic(p, i);

		if (nic.pci >= 0 || *nic.driver)
			judge_nic(p, &nic, &s[(*n)++]);
	}
	return s;
}
