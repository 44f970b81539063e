/* SPDX-License-Identifier: MIT */
/*
 * Peer-to-peer DMA between two PCI functions: the decision that the kernel makes when
 * it maps the memory of one for the other, derived from sysfs. Follows Linux 7.3,
 * including its list of host bridges.
 */
#include "config.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/err.h"
#include "topo/topo.h"

/*
 * Host bridges known to route peer-to-peer transactions between their ports. `late`:
 * on the list of Linux 7.3 but not of 6.12; unknown for releases in between.
 */
static const struct bridge {
	uint16_t vendor;
	int device;                 /* -1: all devices of the vendor */
	bool same_only, late;
} known_bridges[] = {
	{ 0x8086, 0x3c00, true, false }, { 0x8086, 0x3c01, true, false }, /* Xeon E5 */
	{ 0x8086, 0x2f00, true, false }, { 0x8086, 0x2f01, true, false }, /* Xeon E5 v3, E7 v3 */
	{ 0x8086, 0x2030, false, false }, { 0x8086, 0x2031, false, false }, /* Skylake-E root ports */
	{ 0x8086, 0x2032, false, false }, { 0x8086, 0x2033, false, false },
	{ 0x8086, 0x2020, false, false }, { 0x8086, 0x09a2, false, false }, /* Skylake-E, Ice Lake and later */
	{ 0x8086, 0x0b25, false, true }, { 0x8086, 0x0cfe, false, true },   /* Sapphire Rapids DSA, IAA */
	{ 0x8086, 0x11fb, false, true }, { 0x8086, 0x1212, false, true }, { 0x8086, 0x1216, false, true },
	{ 0x8086, 0x4940, false, true }, { 0x8086, 0x4942, false, true }, { 0x8086, 0x4944, false, true },
	{ 0x8086, 0x4946, false, true }, { 0x8086, 0x4948, false, true },   /* QAT */
	{ 0x1ae0, -1, false, true },                                        /* Google */
	{ 0x10de, 0x2f95, false, true }, { 0x10de, 0x2f96, false, true },   /* NVIDIA CPUs */
	{ 0x10de, 0x2f97, false, true }, { 0x10de, 0x2f98, false, true },
};

static void set_result(struct devio_topo_p2p *p, int can, int route, const char *fix, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static void set_result(struct devio_topo_p2p *p, int can, int route, const char *fix, const char *fmt, ...)
{
	va_list ap;

	p->can = can;
	p->route = route;
	snprintf(p->fix, sizeof(p->fix), "%s", fix);
	va_start(ap, fmt);
	vsnprintf(p->cause, sizeof(p->cause), fmt, ap);
	va_end(ap);
}

/* The function that represents a root bus: its first, if that is 00.0 or a root port. */
static const struct devio_topo_pci *host_bridge(const struct devio_topo *t, int i)
{
	const struct devio_topo_pci *p = NULL;
	struct dv_bdf b;

	for (unsigned int k = 0; k < t->nr_pci && !p; k++)
		if (t->pci[k].parent < 0 && !strcmp(t->pci[k].root, t->pci[i].root))
			p = &t->pci[k];
	if (!p || dv_parse_bdf(p->bdf, &b))
		return NULL;
	return (!b.dev && !b.fn) || p->type == DEVIO_PCI_ROOT_PORT ? p : NULL;
}

static int bridge_known(const struct devio_topo *t, const struct devio_topo_pci *p, bool same)
{
	for (unsigned int i = 0; p && i < sizeof(known_bridges) / sizeof(known_bridges[0]); i++) {
		const struct bridge *b = &known_bridges[i];

		if (p->vendor != b->vendor || (b->device >= 0 && p->device != b->device))
			continue;
		if (b->same_only && !same)
			return DEVIO_CAN_NOT;
		if (b->late && t->machine.kernel < DV_KERNEL(7, 3))
			return t->machine.kernel && t->machine.kernel <= DV_KERNEL(6, 12) ? DEVIO_CAN_NOT :
			       DEVIO_CAN_UNKNOWN;
		return DEVIO_CAN;
	}
	/* The list of a later kernel may be longer. */
	return t->machine.kernel > DV_KERNEL(7, 3) ? DEVIO_CAN_UNKNOWN : DEVIO_CAN_NOT;
}

static bool is_zen(const struct devio_topo *t)
{
	return !strcmp(t->machine.cpu_vendor, "AuthenticAMD") && t->machine.cpu_family >= 0x17;
}

static int worse(int a, int b)
{
	if (a == DEVIO_CAN_NOT || b == DEVIO_CAN_NOT)
		return DEVIO_CAN_NOT;
	return a == DEVIO_CAN && b == DEVIO_CAN ? DEVIO_CAN : DEVIO_CAN_UNKNOWN;
}

static void refuse_bridge(const struct devio_topo *t, struct devio_topo_p2p *p, int can,
			  const struct devio_topo_pci *a, const struct devio_topo_pci *b, const char *how)
{
	const struct devio_topo_pci *h = a && bridge_known(t, a, true) == DEVIO_CAN ? b : a;
	char name[48];

	snprintf(name, sizeof(name), h ? "%04x:%04x at %s" : "neither 00.0 nor a root port comes first",
		 h ? h->vendor : 0, h ? h->device : 0, h ? h->bdf : "");
	set_result(p, can, can == DEVIO_CAN_NOT ? DEVIO_P2P_NONE : DEVIO_P2P_HOST_BRIDGE,
		   "put both devices below one PCIe switch, or use an AMD Zen CPU or a host bridge on the kernel's "
		   "list",
		   "%s, and the host bridge (%s) %s", how, name,
		   can == DEVIO_CAN_NOT ? "is not on the kernel's list for peer-to-peer DMA" :
		   "may or may not be on this kernel's list for peer-to-peer DMA");
}

static void through_host(const struct devio_topo *t, int provider, int client, struct devio_topo_p2p *p,
			 const char *how)
{
	const struct devio_topo_pci *a = host_bridge(t, provider), *b = host_bridge(t, client);
	bool same = !strcmp(t->pci[provider].root, t->pci[client].root);
	int can;

	if (is_zen(t)) {
		set_result(p, DEVIO_CAN, DEVIO_P2P_HOST_BRIDGE, "", "%s; the CPU is AMD Zen or newer, whose host "
			   "bridge routes it", how);
		return;
	}
	can = worse(bridge_known(t, a, same), same ? DEVIO_CAN : bridge_known(t, b, same));
	if (can == DEVIO_CAN)
		set_result(p, can, DEVIO_P2P_HOST_BRIDGE, "", "%s; the host bridge %04x:%04x is on the kernel's list",
			   how, a->vendor, a->device);
	else
		refuse_bridge(t, p, can, a, b, how);
}

/* Walks from i up to the bridge `above` (or the root) and combines the ACS states. */
static int acs_between(const struct devio_topo *t, int i, int above, bool with_above, const char **where)
{
	int worst = 0;

	for (; i >= 0; i = t->pci[i].parent) {
		const struct devio_topo_pci *p = &t->pci[i];
		/* If the configuration space could not be read, only bridges matter. */
		int acs = p->acs < 0 && p->type == DEVIO_PCI_ENDPOINT ? 0 : p->acs;

		if (i == above && !with_above)
			break;
		if (acs == 1 && !*where)
			*where = p->bdf;
		if (acs == 1 || (acs < 0 && !worst))
			worst = acs;
		if (i == above)
			break;
	}
	return worst;
}

static int common_bridge(const struct devio_topo *t, int a, int b, int *distance)
{
	int up = 0, down;

	for (; a >= 0; a = t->pci[a].parent, up++) {
		down = 0;
		for (int k = b; k >= 0; k = t->pci[k].parent, down++)
			if (k == a) {
				*distance = up + down;
				return a;
			}
	}
	*distance = -1;
	return -1;
}

static void below_bridge(const struct devio_topo *t, int provider, int client, int via,
			 struct devio_topo_p2p *p)
{
	const char *where = NULL, *bridge = t->pci[via].bdf;
	int acs = acs_between(t, provider, via, true, &where), other = acs_between(t, client, via, false, &where);
	char how[160];

	if (other == 1 || (other < 0 && !acs))
		acs = other;
	/* Different IOMMU groups prove that ACS isolates the two. */
	if (acs < 0 && t->pci[provider].iommu_group >= 0 && t->pci[client].iommu_group >= 0 &&
	    t->pci[provider].iommu_group != t->pci[client].iommu_group)
		acs = 1;
	if (!acs) {
		set_result(p, DEVIO_CAN, DEVIO_P2P_SWITCH, "", "both are below %s, and the switch routes it", bridge);
		return;
	}
	snprintf(how, sizeof(how), acs == 1 ? "both are below %s, but ACS at %s redirects it to the host bridge" :
		 "both are below %s, but only root can read whether ACS redirects it to the host bridge%s",
		 bridge, acs == 1 ? where ? where : "a port between them" : "");
	through_host(t, provider, client, p, how);
	if (acs < 0 && p->can == DEVIO_CAN_NOT)
		p->can = DEVIO_CAN_UNKNOWN;
	if (acs < 0 && p->can != DEVIO_CAN)
		snprintf(p->fix, sizeof(p->fix), "run as root to find out; pci=disable_acs_redir= disables ACS "
			 "redirection");
	else if (p->can != DEVIO_CAN)
		snprintf(p->fix, sizeof(p->fix), "boot with pci=disable_acs_redir=%s: devices below it are then no "
			 "longer isolated from each other", where ? where : "<the ports between them>");
}

DEVIO_API int devio_topo_get_p2p(const struct devio_topo *t, int provider, int client,
				 struct devio_topo_p2p *info)
{
	struct devio_topo_p2p p = { .via = -1 };

	if (provider < 0 || client < 0 || provider >= (int)t->nr_pci || client >= (int)t->nr_pci)
		return dv_err(-ERANGE, "topo: PCI function index %d or %d is out of range: there are %u", provider,
			      client, t->nr_pci);
	p.via = common_bridge(t, provider, client, &p.distance);
	if (provider == client)
		set_result(&p, DEVIO_CAN, DEVIO_P2P_SAME, "", "both are the same PCI function");
	else if (p.via >= 0)
		below_bridge(t, provider, client, p.via, &p);
	else
		through_host(t, provider, client, &p, strcmp(t->pci[provider].root, t->pci[client].root) ?
			     "they are on different root buses" : "they have no PCIe switch in common");
	if (t->machine.config_p2pdma == 0)
		set_result(&p, DEVIO_CAN_NOT, DEVIO_P2P_NONE, "use a kernel with CONFIG_PCI_P2PDMA=y",
			   "this kernel is built without CONFIG_PCI_P2PDMA");
	return dv_info_copy(info, &p, sizeof(p), "devio_topo_p2p");
}
