/* SPDX-License-Identifier: MIT */
/* vfio:BDF/BAR against plain files and ioctls answered by the test. */
#include "config.h"
#include <sys/ioctl.h>
#include "kern/uapi/vfio.h"
#include "rig.h"
#include "mem/mem.h"

#define BDF FK_BDF
#define VFIO_CAPS (DEVIO_MEM_DEVICE | DEVIO_MEM_EXPORT | DEVIO_MEM_CPU_MAP)

static void one_bar(const char *node)
{
	struct devio_mem *m;

	fk_size_node(dev, node);
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 100003, NULL, &m));
	mt_info(m, "vfio:" BDF "/2", 100003, VFIO_CAPS, BDF);
	mt_copies(m);
	mt_roundtrip(ctx, m, false);
	devio_mem_free(m);
	assert_string_equal(mt_list(ctx), "vfio:" BDF "/2 host");
}

static void test_vfio_cdev(void **state)
{
	(void)state;
	fk_vfio_tree(sys, dev, true, false);
	one_bar("vfio/devices/vfio3");
	assert_true(fk.last_bind >= 0);
}

static void test_vfio_cdev_noiommu(void **state)
{
	struct devio_mem *m;

	(void)state;
	fk_vfio_tree(sys, dev, true, true);
	fk_size_node(dev, "vfio/devices/noiommu-vfio3");
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m));
	devio_mem_free(m);
}

static void test_vfio_group(void **state)
{
	(void)state;
	fk_vfio_tree(sys, dev, false, false);
	one_bar("vfio/12");
}

static void test_vfio_group_noiommu(void **state)
{
	(void)state;
	fk_vfio_tree(sys, dev, false, true);
	one_bar("vfio/noiommu-12");
}

static void test_vfio_specs(void **state)
{
	static const char *const bad[] = { "vfio", "vfio:", "vfio:zz/9", "vfio:" BDF, "vfio:" BDF "/", "vfio:" BDF "/6",
					   "vfio:" BDF "/22", "vfio:" BDF "/x" };
	struct devio_mem_opts o = DEVIO_OPTS(o);
	struct devio_mem *m = (void *)1;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		mt_fails(devio_mem_alloc(ctx, bad[i], 1, NULL, &m), -EINVAL, "invalid BAR");
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 1, NULL, &m), -ENODEV, "does not exist");
	mt_link(sys, "bus/pci/devices/" BDF "/driver", "../../bus/pci/drivers/nvme");
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 1, NULL, &m), -ENODEV, "bound to nvme: write vfio-pci");
	o.offset = 100;
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 1, &o, &m), -EINVAL, "multiple of the page size");
	assert_ptr_equal(m, (void *)1);
}

static void test_vfio_places(void **state)
{
	struct devio_mem_opts o = DEVIO_OPTS(o);
	struct devio_mem *a, *b, *c, *m;
	char x;

	(void)state;
	fk_vfio_tree(sys, dev, true, false);
	fk_size_node(dev, "vfio/devices/vfio3");
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", (1 << 20) + 1, NULL, &m), -ENOSPC, "no room");
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", INT64_MAX, NULL, &m), -ENOSPC, "no room");
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/1", 1, NULL, &m), -ENODEV, "has no BAR 1");
	o.offset = 8192;
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, &o, &a));
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 1, &o, &m), -EBUSY, "another memory");
	o.offset = 4096;
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4097, &o, &m), -EBUSY, "another memory");
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 8192, NULL, &b)); /* before it */
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", (1 << 20) - 12288, NULL, &c)); /* behind it */
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 1, NULL, &m), -ENOSPC, "no room");
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/3", 1, NULL, &m)); /* another BAR */
	devio_mem_free(m);
	mt_ok(devio_mem_copy_in(a, 4095, "a", 1));
	mt_ok(devio_mem_copy_in(b, 8191, "b", 1));
	mt_ok(devio_mem_copy_in(c, 0, "c", 1));
	mt_ok(devio_mem_copy_out(a, 4095, &x, 1));
	assert_int_equal(x, 'a');
	mt_ok(devio_mem_copy_out(b, 8191, &x, 1));
	assert_int_equal(x, 'b');
	devio_mem_free(a);
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4000, NULL, &a)); /* the hole */
	devio_mem_free(c);
	devio_mem_free(a);
	devio_mem_free(b);
}

static void fails_with(unsigned long cmd, int err, int want, const char *word)
{
	struct devio_mem *m;

	fk.fail_cmd = cmd;
	fk.fail_err = err;
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m), want, word);
	fk.fail_cmd = 0;
	assert_int_equal(mt_open_fds(), fds_before);
}

static void test_vfio_failures(void **state)
{
	struct devio_mem *m;
	uint64_t off;
	void *p;
	int fd;

	(void)state;
	fk_vfio_tree(sys, dev, false, false);
	fk_size_node(dev, "vfio/12");
	fails_with(VFIO_GROUP_GET_STATUS, EIO, -EIO, "VFIO_GROUP_GET_STATUS failed");
	fails_with(VFIO_GROUP_SET_CONTAINER, EINVAL, -EINVAL, "VFIO_GROUP_SET_CONTAINER failed");
	fails_with(VFIO_SET_IOMMU, EPERM, -EPERM, "allow_unsafe_interrupts");
	fails_with(VFIO_SET_IOMMU, EINVAL, -EINVAL, "allow_unsafe_interrupts");
	fails_with(VFIO_GROUP_GET_DEVICE_FD, ENODEV, -ENODEV, "VFIO_GROUP_GET_DEVICE_FD failed");
	fails_with(VFIO_DEVICE_GET_REGION_INFO, EINVAL, -EINVAL, "VFIO_DEVICE_GET_REGION_INFO failed");
	fk.not_viable = true;
	mt_fails(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m), -EBUSY, "bind all of them");
	fk.not_viable = false;
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m));
	fk.fail_cmd = VFIO_DEVICE_FEATURE;
	fk.fail_err = ENOTTY;
	mt_fails(devio_mem_export(m, &fd, &off), -EOPNOTSUPP, "Linux 6.19");
	fk.fail_err = EINVAL;
	mt_fails(devio_mem_export(m, &fd, &off), -EINVAL, "as a dma-buf failed");
	fk.fail_cmd = 0;
	devio_mem_free(m);
	fk.bar_mmap = false;
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m));
	mt_info(m, "vfio:" BDF "/2", 4096, VFIO_CAPS & ~DEVIO_MEM_CPU_MAP, BDF);
	mt_fails(devio_mem_map(m, &p), -EOPNOTSUPP, "cannot map this BAR");
	mt_fails(devio_mem_copy_in(m, 0, "", 1), -EOPNOTSUPP, "cannot map this BAR");
	devio_mem_free(m);
}

static void test_vfio_cdev_failures(void **state)
{
	struct devio_mem *m;

	(void)state;
	fk_vfio_tree(sys, dev, true, false);
	fk_size_node(dev, "vfio/devices/vfio3");
	/* No group node: the message names both attempts. */
	fails_with(DV_VFIO_DEVICE_BIND_IOMMUFD, EPERM, -ENODEV, "the character device EPERM, through the group");
	/* With one, the group is the fallback. */
	mt_file(dev, "vfio/12", "");
	mt_file(dev, "vfio/vfio", "");
	fk_size_node(dev, "vfio/12");
	fk.fail_cmd = DV_VFIO_DEVICE_BIND_IOMMUFD;
	fk.fail_err = EPERM;
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 4096, NULL, &m));
	devio_mem_free(m);
}

static void test_vfio_between(void **state)
{
	struct devio_mem_opts o = DEVIO_OPTS(o);
	struct devio_mem *a, *b, *poll;
	struct dv_copy c;

	(void)state;
	fk_vfio_tree(sys, dev, true, false);
	fk_size_node(dev, "vfio/devices/vfio3");
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 16384, &o, &a));
	o.offset = 65536;
	mt_ok(devio_mem_alloc(ctx, "vfio:" BDF "/2", 16384, &o, &b));
	mt_between(a, b, MT_CPU);
	/* Not with words that lie differently. */
	assert_int_equal(dv_mem_between(a, 1, b, 2, 100, &c, &poll), -EOPNOTSUPP);
	devio_mem_free(b);
	mt_ok(devio_mem_alloc(ctx, "host", 16384, NULL, &b));
	mt_between(a, b, MT_CPU);
	mt_between(b, a, MT_CPU);
	devio_mem_free(b);
	devio_mem_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, nodes_setup, nodes_teardown)
		T(test_vfio_cdev), T(test_vfio_cdev_noiommu), T(test_vfio_group),
		T(test_vfio_group_noiommu), T(test_vfio_specs), T(test_vfio_places),
		T(test_vfio_failures), T(test_vfio_between), T(test_vfio_cdev_failures),
	};

	return cmocka_run_group_tests_name("vfio", tests, NULL, NULL);
}
