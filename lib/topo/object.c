/* SPDX-License-Identifier: MIT */
/* The memory's part of a verdict: does it exist, can it be exported. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/err.h"
#include "kern/sysfs.h"
#include "topo/verdict.h"

static const struct {
	const char *name;
	enum dv_object_kind kind;
	const char *driver;      /* kernel driver of its GPUs */
	const char *other;       /* a second one */
} kinds[] = {
	{ "host", DV_HOST, NULL, NULL }, { "udmabuf", DV_UDMABUF, NULL, NULL },
	{ "dmaheap", DV_DMAHEAP, NULL, NULL }, { "p2pmem", DV_P2PMEM, NULL, NULL },
	{ "vfio", DV_VFIO, NULL, NULL }, { "drm", DV_DRM, NULL, NULL },
	{ "amdgpu", DV_AMDGPU, "amdgpu", "amdgpu" }, { "cuda", DV_CUDA, "nvidia", "nvidia" },
	{ "hip", DV_HIP, "amdgpu", "amdgpu" }, { "ze", DV_ZE, "xe", "i915" },
};

/*
 * GPU number n of a driver, in PCI order. The vendor's library may number them
 * differently: if the GPUs are of different models, the result is -1.
 */
static int nth_gpu(const struct devio_topo *t, unsigned int k, unsigned int n)
{
	int found = -1, first = -1;
	unsigned int seen = 0;

	for (unsigned int i = 0; i < t->nr_gpu; i++) {
		const struct devio_topo_gpu *g = &t->gpu[i];

		if (strcmp(g->driver, kinds[k].driver) && strcmp(g->driver, kinds[k].other))
			continue;
		if (first < 0)
			first = i;
		else if (t->pci[g->pci].device != t->pci[t->gpu[first].pci].device && kinds[k].kind != DV_AMDGPU)
			return -1;
		if (seen++ == n)
			found = i;
	}
	return found;
}

static int gpu_of_pci(const struct devio_topo *t, int pci)
{
	for (unsigned int i = 0; pci >= 0 && i < t->nr_gpu; i++)
		if (t->gpu[i].pci == pci)
			return i;
	return -1;
}

static int parse_bar(const struct devio_topo *t, struct dv_object *o)
{
	char bdf[32];
	const char *slash = strchr(o->arg, '/');
	size_t n = slash ? (size_t)(slash - o->arg) : 0;

	if (!n || n >= sizeof(bdf) || slash[1] < '0' || slash[1] > '5' || slash[2])
		return dv_err(-EINVAL, "topo: mem %s: invalid BAR: use vfio:BDF/BAR, as in vfio:0000:05:00.0/2",
			      o->spec);
	memcpy(bdf, o->arg, n);
	bdf[n] = 0;
	o->bar = slash[1] - '0';
	o->pci = devio_topo_find_pci(t, bdf);
	return o->pci == -EINVAL ? dv_err(-EINVAL, "topo: mem %s: invalid PCI address %s", o->spec, bdf) : 0;
}

static int parse_arg(const struct devio_topo *t, unsigned int k, struct dv_object *o)
{
	unsigned long n;
	char *end;

	switch (o->kind) {
	case DV_HOST: case DV_UDMABUF: case DV_DMAHEAP:
		return 0;
	case DV_P2PMEM:
		o->pci = devio_topo_find_pci(t, o->arg);
		return o->pci == -EINVAL ? dv_err(-EINVAL, "topo: mem %s: invalid PCI address: use p2pmem:BDF",
						  o->spec) : 0;
	case DV_VFIO:
		return parse_bar(t, o);
	case DV_DRM:
		for (unsigned int i = 0; i < t->nr_gpu; i++)
			if (!strcmp(t->gpu[i].card, o->arg) || !strcmp(t->gpu[i].render, o->arg))
				o->gpu = i;
		return *o->arg ? 0 : dv_err(-EINVAL, "topo: mem %s: invalid DRM node: use drm:/dev/dri/cardN", o->spec);
	default:
		n = strtoul(o->arg, &end, 10);
		if (end == o->arg || *end || n > 255)
			return dv_err(-EINVAL, "topo: mem %s: invalid device number: use %s:N", o->spec, kinds[k].name);
		o->gpu = nth_gpu(t, k, n);
		return 0;
	}
}

int dv_object_parse(const struct devio_topo *t, const char *spec, const char *bdf, struct dv_object *o)
{
	size_t n = spec ? strcspn(spec, ":") : 0;
	int rc;

	for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		if (strlen(kinds[k].name) != n || strncmp(kinds[k].name, spec, n))
			continue;
		*o = (struct dv_object){ .kind = kinds[k].kind, .spec = spec, .pci = -1, .gpu = -1 };
		o->arg = spec[n] ? spec + n + 1 : "";
		rc = parse_arg(t, k, o);
		if (rc)
			return rc;
		if (bdf && *bdf && devio_topo_find_pci(t, bdf) >= 0) {
			o->pci = devio_topo_find_pci(t, bdf);
			o->gpu = gpu_of_pci(t, o->pci);
		}
		if (o->gpu >= 0)
			o->pci = t->gpu[o->gpu].pci;
		return 0;
	}
	return dv_err(-EINVAL, "topo: unknown memory type '%s': use host, udmabuf, dmaheap[:NAME], p2pmem:BDF, "
		      "vfio:BDF/BAR, drm:NODE, amdgpu:N, cuda:N, hip:N or ze:N", spec ? spec : "");
}

static void node_present(const char *node, int state, int config, const char *option, const char *module,
			 struct devio_topo_verdict *v)
{
	if (state > 0)
		return;
	if (state < 0)
		dv_verdict_no(v, -EACCES, 0, "run as root, or join the group of the node",
			      "no permission to open %s", node);
	else if (!config)
		dv_verdict_no(v, -ENODEV, 0, option, "%s does not exist: the kernel is built without it", node);
	else
		dv_verdict_no(v, -ENODEV, 0, module, "%s does not exist", node);
}

static void heap_present(const struct devio_topo *t, const struct dv_object *o, struct devio_topo_verdict *v)
{
	const struct devio_topo_machine *m = &t->machine;
	int state = m->dev_heap;
	char node[PATH_MAX];

	snprintf(node, sizeof(node), "/dev/dma_heap/%.200s", *o->arg ? o->arg : "system");
	if (*o->arg && strcmp(o->arg, "system"))
		state = !dv_sysfs_exists(t->root, "%s", node + 1) ? 0 : t->captured || !access(node, R_OK) ? 1 : -1;
	node_present(node, state, m->config_heaps,
		     "use a kernel with CONFIG_DMABUF_HEAPS and CONFIG_DMABUF_HEAPS_SYSTEM",
		     "use a name that exists in /dev/dma_heap", v);
}

static void p2pmem_present(const struct devio_topo *t, const struct dv_object *o, struct devio_topo_verdict *v)
{
	char path[PATH_MAX];

	if (t->machine.config_p2pdma == 0)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NO_P2P_PAGES, "use a kernel with CONFIG_PCI_P2PDMA=y",
			      "this kernel is built without CONFIG_PCI_P2PDMA");
	if (o->pci < 0)
		dv_verdict_no(v, -ENODEV, 0, "", "PCI device %s does not exist", o->arg);
	else if (!t->pci[o->pci].p2pmem_size)
		dv_verdict_no(v, -ENODEV, 0, "use a device with a p2pmem directory in sysfs: an NVMe drive with a CMB",
			      "%s provides no peer memory", o->arg);
	if (t->captured || o->pci < 0)
		return;
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/p2pmem/allocate", t->sys, t->pci[o->pci].bdf);
	if (access(path, R_OK | W_OK) && errno == EACCES)
		dv_verdict_no(v, -EACCES, 0, "run as root", "no permission to open p2pmem/allocate of %s", o->arg);
}

static void vfio_present(const struct devio_topo *t, const struct dv_object *o, struct devio_topo_verdict *v)
{
	if (o->pci < 0) {
		dv_verdict_no(v, -ENODEV, 0, "", "the PCI device does not exist");
		return;
	}
	if (strncmp(t->pci[o->pci].driver, "vfio", 4))
		dv_verdict_no(v, -ENODEV, 0, "set its driver_override in sysfs to vfio-pci and bind it",
			      "%s is bound to %s, not to vfio-pci", t->pci[o->pci].bdf,
			      *t->pci[o->pci].driver ? t->pci[o->pci].driver : "no driver");
	if (!t->pci[o->pci].bar[o->bar])
		dv_verdict_no(v, -ENODEV, 0, "", "BAR %d of %s has no memory", o->bar, t->pci[o->pci].bdf);
}

static void gpu_present(const struct devio_topo *t, const struct dv_object *o, struct devio_topo_verdict *v)
{
	const char *driver = NULL, *other = NULL;
	unsigned int n = 0;

	for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		if (kinds[k].kind == o->kind) {
			driver = kinds[k].driver;
			other = kinds[k].other;
		}
	for (unsigned int i = 0; i < t->nr_gpu; i++)
		n += !strcmp(t->gpu[i].driver, driver) || !strcmp(t->gpu[i].driver, other);
	if (o->gpu >= 0)
		return;
	if (strtoul(o->arg, NULL, 10) >= n)
		dv_verdict_no(v, -ENODEV, 0, n ? "numbers start at 0" : "load the GPU's driver",
			      "GPUs with the driver %s: %u", driver, n);
	else
		dv_verdict_maybe(v, 0, "specify its PCI address, or allocate it and call devio_file_explain()",
				 "the vendor's library decides which of the %u GPUs is number %s", n, o->arg);
}

void dv_object_present(const struct devio_topo *t, const struct dv_object *o, struct devio_topo_verdict *v)
{
	const struct devio_topo_machine *m = &t->machine;

	switch (o->kind) {
	case DV_HOST:
		break;
	case DV_UDMABUF:
		node_present("/dev/udmabuf", m->dev_udmabuf, m->config_udmabuf, "use a kernel with CONFIG_UDMABUF",
			     "modprobe udmabuf", v);
		break;
	case DV_DMAHEAP:
		heap_present(t, o, v);
		break;
	case DV_P2PMEM:
		p2pmem_present(t, o, v);
		break;
	case DV_VFIO:
		vfio_present(t, o, v);
		break;
	case DV_DRM:
		if (!strncmp(o->arg, "/dev/", 5) && !dv_sysfs_exists(t->root, "%s", o->arg + 1) && o->gpu < 0)
			dv_verdict_no(v, -ENODEV, 0, "load the GPU's driver", "%s does not exist", o->arg);
		break;
	default:
		gpu_present(t, o, v);
	}
}

static void need_large_bar(const struct devio_topo *t, const struct dv_object *o, const char *what,
			   struct devio_topo_verdict *v)
{
	const struct devio_topo_gpu *g = o->gpu >= 0 ? &t->gpu[o->gpu] : NULL;

	if (g && g->large_bar == 0)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_MAP,
			      "enable Resizable BAR and Above 4G Decoding in the firmware setup",
			      "the BAR of %s exposes only %llu MiB of its memory to peers: %s", g->bdf,
			      (unsigned long long)g->bar >> 20, what);
	else if (!g || g->large_bar < 0)
		dv_verdict_maybe(v, DEVIO_REASON_MAP, "try it: devio_file_explain(), devio-probe --try",
				 "whether peers can access all of the GPU's memory is unknown");
}

static void export_gpu(const struct devio_topo *t, const struct dv_object *o, struct devio_topo_verdict *v)
{
	const char *driver = o->gpu >= 0 ? t->gpu[o->gpu].driver : "";

	if (o->kind == DV_CUDA && t->machine.nvidia_open == 0)
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NO_EXPORT, "install NVIDIA's open kernel modules",
			      "NVIDIA's proprietary kernel modules cannot export dma-bufs");
	if (o->kind == DV_CUDA && t->machine.nvidia_open < 0)
		dv_verdict_maybe(v, DEVIO_REASON_NO_EXPORT, "check /proc/driver/nvidia/version",
				 "whether NVIDIA's open kernel modules are loaded is unknown");
	if (!strcmp(driver, "i915"))
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_MAP, "use the xe driver if it supports the GPU",
			      "i915 does not allow peer access to the memory that it exports");
	need_large_bar(t, o, strcmp(driver, "amdgpu") ? "the rest is not accessible" :
		       "amdgpu migrates the buffer to host memory", v);
}

void dv_object_export(const struct devio_topo *t, const struct dv_object *o, struct devio_topo_verdict *v)
{
	const char *driver = o->gpu >= 0 ? t->gpu[o->gpu].driver : "";

	switch (o->kind) {
	case DV_HOST:
	case DV_P2PMEM:
		dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NO_EXPORT, o->kind == DV_HOST ? "use udmabuf" : "",
			      "%s cannot be exported as a dma-buf",
			      o->kind == DV_HOST ? "host memory" : "P2PDMA memory");
		break;
	case DV_UDMABUF:
	case DV_DMAHEAP:
		break;
	case DV_VFIO:
		if (t->machine.kernel && t->machine.kernel < DV_KERNEL(6, 19))
			dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NO_EXPORT, "use Linux 6.19 or newer",
				      "vfio-pci can export BARs as dma-bufs only since Linux 6.19");
		else if (!t->machine.config_vfio_dmabuf)
			dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_NO_EXPORT,
				      "use a kernel with CONFIG_VFIO_PCI_DMABUF=y",
				      "this kernel is built without CONFIG_VFIO_PCI_DMABUF");
		break;
	case DV_DRM:
		if (!strcmp(driver, "nouveau"))
			dv_verdict_no(v, -EOPNOTSUPP, DEVIO_REASON_MAP, "",
				      "nouveau does not allow peer access to the memory that it exports");
		else if (dv_object_is_peer(t, o))
			dv_verdict_maybe(v, DEVIO_REASON_MAP, "", "%s decides where to place a dumb buffer", driver);
		break;
	default:
		export_gpu(t, o, v);
	}
}

bool dv_object_is_peer(const struct devio_topo *t, const struct dv_object *o)
{
	if (o->kind <= DV_DMAHEAP)
		return false;
	if (o->kind == DV_DRM)
		return o->gpu >= 0 &&
		       (!strcmp(t->gpu[o->gpu].driver, "amdgpu") || !strcmp(t->gpu[o->gpu].driver, "xe"));
	return true;
}
