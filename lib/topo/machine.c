/* SPDX-License-Identifier: MIT */
/* The kernel, its configuration, the CPU and the limits. */
#include "config.h"
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kern/sysfs.h"
#include "topo/topo.h"

#define CONFIG_MAX (4 << 20)

static void read_kernel(struct devio_topo *t)
{
	struct devio_topo_machine *m = &t->machine;
	char buf[128];

	m->release = "";
	if (dv_sysfs_read(t->root, buf, sizeof(buf), "proc/sys/kernel/osrelease") > 0)
		m->release = dv_topo_text(t, "%s", buf);
	m->kernel = dv_parse_release(m->release) & ~0xffu;
	if (!m->kernel)
		dv_topo_note(t, "the kernel version is unknown (proc/sys/kernel/osrelease)");
	m->io_uring_disabled = -1;
	/* The sysctl exists since Linux 6.6; a kernel without it allows io_uring or lacks it. */
	if (dv_sysfs_int(t->root, &m->io_uring_disabled, "proc/sys/kernel/io_uring_disabled") == -ENOENT &&
	    m->kernel)
		m->io_uring_disabled = 0;
}

static void read_cpu(struct devio_topo *t)
{
	struct devio_topo_machine *m = &t->machine;
	char val[256], *text;

	m->cpu_vendor = m->cpu_model = "";
	m->cpu_family = -1;
	/* Read only the first processors: there may be hundreds. */
	text = calloc(1, 16384);
	if (!text)
		return;
	if (dv_sysfs_read(t->root, text, 16384, "proc/cpuinfo") <= 0)
		dv_topo_note(t, "the CPU is unknown (proc/cpuinfo): ignored for peer-to-peer routes through the host "
			     "bridge");
	if (!dv_parse_colon(text, "vendor_id", val, sizeof(val)))
		m->cpu_vendor = dv_topo_text(t, "%s", val);
	if (!dv_parse_colon(text, "model name", val, sizeof(val)))
		m->cpu_model = dv_topo_text(t, "%s", val);
	if (!dv_parse_colon(text, "cpu family", val, sizeof(val)))
		m->cpu_family = atoi(val);
	free(text);
}

static void read_limits(struct devio_topo *t)
{
	char *text;

	t->machine.memlock = UINT64_MAX;
	if (dv_sysfs_slurp(t->root, &text, 65536, "proc/self/limits") < 0)
		return;
	dv_parse_memlock(text, &t->machine.memlock);
	free(text);
}

/*
 * zlib through dlopen(): practically every system has it, and only /proc/config.gz
 * needs it, so the library does not link to it.
 */
static char *gunzip(const char *path)
{
	void *dl = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL), *gz = NULL;
	void *(*gz_open)(const char *, const char *);
	int (*gz_read)(void *, void *, unsigned int), (*gz_close)(void *), n = -1;
	char *text = NULL;

	if (!dl)
		return NULL;
	gz_open = (void *(*)(const char *, const char *))dlsym(dl, "gzopen");
	gz_read = (int (*)(void *, void *, unsigned int))dlsym(dl, "gzread");
	gz_close = (int (*)(void *))dlsym(dl, "gzclose");
	if (gz_open && gz_read && gz_close)
		gz = gz_open(path, "rb");
	text = gz ? malloc(CONFIG_MAX + 1) : NULL;
	if (text)
		n = gz_read(gz, text, CONFIG_MAX);
	if (n > 0)
		text[n] = 0;
	if (gz)
		gz_close(gz);
	dlclose(dl);
	if (n > 0)
		return text;
	free(text);
	return NULL;
}

static char *config_text(struct devio_topo *t)
{
	const char *from[] = { "proc/config", "boot/config-%s", "lib/modules/%s/config" };
	char path[PATH_MAX], *text;

	snprintf(path, sizeof(path), "%s/proc/config.gz", t->root);
	text = access(path, R_OK) ? NULL : gunzip(path);
	if (text) {
		t->machine.config_from = "/proc/config.gz";
		return text;
	}
	for (unsigned int i = 0; i < 3; i++) {
		int cut = strcspn(from[i], "%");
		const char *rel = from[i][cut] ? t->machine.release : "";
		const char *end = from[i][cut] ? from[i] + cut + 2 : "";

		if (dv_sysfs_slurp(t->root, &text, CONFIG_MAX, "%.*s%s%s", cut, from[i], rel, end) <= 0)
			continue;
		t->machine.config_from = dv_topo_text(t, "/%.*s%s%s", cut, from[i], rel, end);
		return text;
	}
	return NULL;
}

static void read_config(struct devio_topo *t)
{
	struct devio_topo_machine *m = &t->machine;
	const struct { int *to; const char *name; } wanted[] = {
		{ &m->config_p2pdma, "PCI_P2PDMA" }, { &m->config_udmabuf, "UDMABUF" },
		{ &m->config_heaps, "DMABUF_HEAPS" }, { &m->config_vfio_dmabuf, "VFIO_PCI_DMABUF" },
		{ &m->config_hsa_p2p, "HSA_AMD_P2P" },
	};
	char *text;

	m->config_from = "";
	text = config_text(t);
	if (!text)
		dv_topo_note(t, "cannot read the kernel configuration (/proc/config.gz, /boot/config-%s)", m->release);
	for (unsigned int i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		*wanted[i].to = text ? dv_parse_config(text, wanted[i].name) : -1;
		/* Options with unmet dependencies, or of later kernels, are not listed. */
		if (text && *wanted[i].to < 0)
			*wanted[i].to = 0;
	}
	free(text);
}

static int node_state(struct devio_topo *t, const char *node)
{
	char path[PATH_MAX];

	if (!dv_sysfs_exists(t->root, "dev/%s", node))
		return 0;
	snprintf(path, sizeof(path), "%s/dev/%s", t->root, node);
	return t->captured || !access(path, R_OK | W_OK) ? 1 : -1;
}

void dv_topo_read_machine(struct devio_topo *t)
{
	struct devio_topo_machine *m = &t->machine;
	char text[512];

	read_kernel(t);
	read_cpu(t);
	read_limits(t);
	read_config(t);
	m->dev_udmabuf = node_state(t, "udmabuf");
	m->dev_heap = node_state(t, "dma_heap/system");
	m->nvidia_open = -1;
	if (dv_sysfs_read(t->root, text, sizeof(text), "proc/driver/nvidia/version") > 0)
		m->nvidia_open = strstr(text, "Open Kernel Module") != NULL;
}
