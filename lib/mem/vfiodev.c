/* SPDX-License-Identifier: MIT */
/*
 * Opening a PCI device through vfio: its character device with an iommufd if the
 * kernel has them, otherwise its group with a container. Without an IOMMU, the names
 * of both begin with "noiommu-". Opening enables memory decoding of the device.
 */
#include "config.h"
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "core/err.h"
#include "kern/uapi/vfio.h"
#include "mem/sys.h"
#include "mem/vfiodev.h"

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_all(struct dv_vfio *v)
{
	close_fd(&v->dev);
	close_fd(&v->group);
	close_fd(&v->iommu);
}

/* "vfio3" or "noiommu-vfio3" from sysfs; -ENOENT if there is no character device. */
static int cdev_name(const struct devio_mem *m, char *name, size_t size)
{
	char path[PATH_MAX], **names;
	int n, rc;

	rc = dv_sys_path(path, sizeof(path), dv_mem_sysfs(m->ctx), "bus/pci/devices/%s/vfio-dev", m->bdf);
	if (rc)
		return rc;
	n = dv_sys_dir(path, &names);
	if (n < 0)
		return n;
	rc = n && strlen(names[0]) < size ? 0 : -ENOENT;
	if (!rc)
		strcpy(name, names[0]);
	dv_sys_dir_free(names, n);
	return rc;
}

static int open_cdev_node(const char *name, bool *noiommu)
{
	char node[96];
	int fd;

	snprintf(node, sizeof(node), "vfio/devices/%s", name);
	*noiommu = !strncmp(name, "noiommu-", 8);
	fd = dv_sys_open(node);
	if (fd != -ENOENT || *noiommu)
		return fd;
	*noiommu = true;
	snprintf(node, sizeof(node), "vfio/devices/noiommu-%s", name);
	return dv_sys_open(node);
}

/* -ENOENT: no character device; other errors come with an error message. */
static int open_cdev(const struct devio_mem *m, struct dv_vfio *v)
{
	struct dv_vfio_bind_iommufd bind = { .argsz = sizeof(bind) };
	bool noiommu;
	char name[64];
	int rc = cdev_name(m, name, sizeof(name));

	if (rc)
		return -ENOENT;
	v->dev = open_cdev_node(name, &noiommu);
	if (v->dev == -ENOENT)
		return -ENOENT;
	if (v->dev < 0)
		return dv_err(v->dev, "mem %s: cannot open /dev/vfio/devices/%s: %s", m->spec, name,
			      v->dev == -EBUSY ? "in use by another process" : "access requires root or its owner");
	v->iommu = dv_sys_open("iommu");
	bind.iommufd = v->iommu;
	if (v->iommu >= 0 && !ioctl(v->dev, DV_VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return 0;
	rc = v->iommu < 0 ? v->iommu : -errno;
	/* Kernels that bind a noiommu device without an iommufd expect -1. */
	bind.iommufd = -1;
	if (noiommu && !ioctl(v->dev, DV_VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return 0;
	close_all(v);
	return dv_err(rc, "mem %s: cannot bind %s to an iommufd: needs CONFIG_IOMMUFD and access to /dev/iommu; "
		      "without interrupt remapping also iommufd.allow_unsafe_interrupts=1", m->spec, name);
}

static int set_iommu(const struct devio_mem *m, struct dv_vfio *v, bool noiommu)
{
	int type = noiommu ? VFIO_NOIOMMU_IOMMU : VFIO_TYPE1v2_IOMMU;

	v->iommu = dv_sys_open("vfio/vfio");
	if (v->iommu < 0)
		return dv_err(v->iommu, "mem %s: cannot open /dev/vfio/vfio", m->spec);
	if (ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &v->iommu))
		return dv_err(-errno, "mem %s: VFIO_GROUP_SET_CONTAINER failed", m->spec);
	if (!ioctl(v->iommu, VFIO_SET_IOMMU, type))
		return 0;
	/* Version 1 of type 1 suffices: nothing is mapped through it. */
	if (!noiommu && errno != EPERM && !ioctl(v->iommu, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU))
		return 0;
	return dv_err(-errno, "mem %s: VFIO_SET_IOMMU failed: without interrupt remapping set "
		      "vfio_iommu_type1.allow_unsafe_interrupts=1, without an IOMMU "
		      "vfio.enable_unsafe_noiommu_mode=1", m->spec);
}

static int open_group_node(const char *group, bool *noiommu)
{
	char node[64];
	int fd;

	snprintf(node, sizeof(node), "vfio/%s", group);
	*noiommu = false;
	fd = dv_sys_open(node);
	if (fd != -ENOENT)
		return fd;
	*noiommu = true;
	snprintf(node, sizeof(node), "vfio/noiommu-%s", group);
	return dv_sys_open(node);
}

static int open_in_group(const struct devio_mem *m, struct dv_vfio *v, bool noiommu)
{
	struct vfio_group_status st = { .argsz = sizeof(st) };
	int rc;

	if (ioctl(v->group, VFIO_GROUP_GET_STATUS, &st))
		return dv_err(-errno, "mem %s: VFIO_GROUP_GET_STATUS failed", m->spec);
	if (!(st.flags & VFIO_GROUP_FLAGS_VIABLE))
		return dv_err(-EBUSY, "mem %s: its IOMMU group contains devices bound to other drivers: bind all of "
			      "them to vfio-pci", m->spec);
	rc = set_iommu(m, v, noiommu);
	if (rc)
		return rc;
	v->dev = ioctl(v->group, VFIO_GROUP_GET_DEVICE_FD, m->bdf);
	return v->dev < 0 ? dv_err(-errno, "mem %s: VFIO_GROUP_GET_DEVICE_FD failed", m->spec) : 0;
}

static int open_group(const struct devio_mem *m, struct dv_vfio *v)
{
	char path[PATH_MAX], group[32];
	bool noiommu;
	int rc = dv_sys_path(path, sizeof(path), dv_mem_sysfs(m->ctx), "bus/pci/devices/%s/iommu_group", m->bdf);

	if (!rc)
		rc = dv_sys_link_name(path, group, sizeof(group));
	if (rc)
		return dv_err(-ENODEV, "mem %s: the device has no vfio node and no IOMMU group: enable the IOMMU, or "
			      "set vfio.enable_unsafe_noiommu_mode=1", m->spec);
	v->group = open_group_node(group, &noiommu);
	if (v->group < 0)
		return dv_err(v->group == -ENOENT ? -ENODEV : v->group, "mem %s: cannot open /dev/vfio/%s: %s", m->spec,
			      group, v->group == -EBUSY ?
			      "in use by another process, or here for another device of the group" :
			      v->group == -ENOENT ? "CONFIG_VFIO_GROUP or the vfio module is missing" :
			      "access requires root (CAP_SYS_RAWIO without an IOMMU) or its owner");
	rc = open_in_group(m, v, noiommu);
	if (rc)
		close_all(v);
	return rc;
}

/* Reports the most common mistake first: the device is bound to another driver. */
static int check_driver(const struct devio_mem *m)
{
	char path[PATH_MAX], driver[64] = "no driver";
	const char *root = dv_mem_sysfs(m->ctx);

	if (dv_sys_path(path, sizeof(path), root, "bus/pci/devices/%s", m->bdf) || access(path, F_OK))
		return dv_err(-ENODEV, "mem %s: PCI device %s does not exist", m->spec, m->bdf);
	if (!dv_sys_path(path, sizeof(path), root, "bus/pci/devices/%s/vfio-dev", m->bdf) && !access(path, F_OK))
		return 0;
	if (!dv_sys_path(path, sizeof(path), root, "bus/pci/devices/%s/driver", m->bdf))
		(void)dv_sys_link_name(path, driver, sizeof(driver));
	/* Before Linux 6.1 only the driver's name shows vfio-pci. */
	if (!strcmp(driver, "vfio-pci"))
		return 0;
	return dv_err(-ENODEV, "mem %s: the device is bound to %s: write vfio-pci to its driver_override and its "
		      "address to drivers_probe", m->spec, driver);
}

static int vfio_open(struct dv_shared *s, const void *arg)
{
	const struct devio_mem *m = arg;
	struct dv_vfio *v = (struct dv_vfio *)s;
	int rc = check_driver(m), cdev;
	char where[64];

	v->dev = v->group = v->iommu = -1;
	if (rc)
		return rc;
	cdev = open_cdev(m, v);
	if (!cdev)
		return 0;
	rc = open_group(m, v);
	if (rc && cdev != -ENOENT) {
		snprintf(where, sizeof(where), "through the character device %s, through the group",
			 dv_errno_name(cdev));
		return dv_err_in(rc, where);
	}
	return rc;
}

static void vfio_close(struct dv_shared *s)
{
	close_all((struct dv_vfio *)s);
}

static const struct dv_share_ops vfio_share = {
	.size = sizeof(struct dv_vfio),
	.open = vfio_open,
	.close = vfio_close,
};

int dv_vfio_get(struct devio_mem *m, struct dv_vfio **out)
{
	struct dv_shared *s;
	int rc = dv_share_get(&vfio_share, m->bdf, m, &s);

	if (!rc)
		*out = (struct dv_vfio *)s;
	return rc;
}

void dv_vfio_put(struct dv_vfio *v)
{
	dv_share_put(&v->s);
}

/* The end of a reserved range that overlaps [off, off + len) of the BAR; 0 if there is none. */
static uint64_t overlap_end(const struct dv_vfio *v, unsigned int bar, uint64_t off, uint64_t len)
{
	for (const struct dv_vfio_range *u = v->used; u; u = u->next)
		if (u->bar == bar && off < u->off + u->len && u->off < off + len)
			return u->off + u->len;
	return 0;
}

int dv_vfio_reserve(struct dv_vfio *v, struct dv_vfio_range *r, uint64_t bar_size)
{
	uint64_t off = r->off, next;
	int rc = 0;

	dv_share_lock();
	while (!rc) {
		if (off > bar_size || r->len > bar_size - off) {
			rc = -ENOSPC;
			break;
		}
		next = overlap_end(v, r->bar, off, r->len);
		if (!next)
			break;
		rc = r->off ? -EBUSY : 0;
		off = next;
	}
	if (!rc) {
		r->off = off;
		r->next = v->used;
		v->used = r;
	}
	dv_share_unlock();
	return rc;
}

void dv_vfio_release(struct dv_vfio *v, struct dv_vfio_range *r)
{
	struct dv_vfio_range **p = &v->used;

	dv_share_lock();
	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	dv_share_unlock();
}
