/* SPDX-License-Identifier: MIT */
/* The preflight of the direct paths: a good interface with one field broken in each case, and the one that is here. */
#include "config.h"
#include <errno.h>
#include "kern/netdev.h"
#include "sockrig.h"

static const struct dv_netdev good = {
	.ifindex = 3, .name = "eth0", .driver = "bnxt_en", .on_bus = true, .bind_rx = true, .bind_tx = true, .split = 1,
	.right = true,
};

static void one_field(void **state)
{
	struct dv_netdev d = good;

	(void)state;
	assert_int_equal(dv_netdev_why(&d, false), DEVIO_REASON_NET_SETUP);
	assert_int_equal(dv_netdev_why(&d, true), DEVIO_REASON_NET_SETUP);
	d.ifindex = 0;
	assert_int_equal(dv_netdev_why(&d, false), DEVIO_REASON_NET_UNKNOWN);
	d = good;
	d.on_bus = false;
	assert_int_equal(dv_netdev_why(&d, false), DEVIO_REASON_NET_VIRTUAL);
	assert_int_equal(dv_netdev_why(&d, true), DEVIO_REASON_NET_VIRTUAL);
	d = good;
	d.bind_rx = false;
	assert_int_equal(dv_netdev_why(&d, false), DEVIO_REASON_NET_KERNEL);
	assert_int_equal(dv_netdev_why(&d, true), DEVIO_REASON_NET_SETUP);
	d = good;
	d.bind_tx = false;
	assert_int_equal(dv_netdev_why(&d, false), DEVIO_REASON_NET_SETUP);
	assert_int_equal(dv_netdev_why(&d, true), DEVIO_REASON_NET_KERNEL);
	d = good;
	strcpy(d.driver, "e1000e");
	assert_int_equal(dv_netdev_why(&d, false), DEVIO_REASON_NET_DRIVER);
	strcpy(d.driver, "");
	assert_int_equal(dv_netdev_why(&d, true), DEVIO_REASON_NET_DRIVER);
	for (d = good, d.split = -1; d.split < 1; d.split++) {
		assert_int_equal(dv_netdev_why(&d, false), DEVIO_REASON_NET_SPLIT);
		assert_int_equal(dv_netdev_why(&d, true), DEVIO_REASON_NET_SETUP);
	}
	d = good;
	d.right = false;
	assert_int_equal(dv_netdev_why(&d, false), DEVIO_REASON_NET_RIGHTS);
	assert_int_equal(dv_netdev_why(&d, true), DEVIO_REASON_NET_SETUP);
}

static void loopback(void **state)
{
	static const int family[] = { AF_INET, AF_INET6 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct devio_sock_info info = DEVIO_OPTS(info);
		struct devio_ctx *ctx = rig_ctx(0);
		struct devio_sock *s;
		struct dv_netdev d;
		unsigned int port;
		int l = plain_listen(family[i], &port);

		if (l < 0) {
			print_message("# no IPv6 here\n");
			devio_ctx_close(ctx);
			continue;
		}
		must_zero(
			devio_sock_connect(ctx, family[i] == AF_INET ? "127.0.0.1" : "::1", port_text(port), NULL, &s));
		must(!dv_netdev_find(devio_sock_fd(s), &d), "the route");
		must(!strcmp(d.name, "lo") && d.ifindex, "by lo: %s", d.name);
		dv_netdev_ask(&d);
		must(!d.on_bus && d.split != 1, "no device");
		assert_int_equal(dv_netdev_why(&d, false), DEVIO_REASON_NET_VIRTUAL);
		must_zero(devio_sock_get_info(s, &info));
		must(!strcmp(info.ifname, "lo") && info.ifindex == d.ifindex && info.family == family[i], "reported");
		devio_sock_close(s);
		devio_ctx_close(ctx);
		must(dv_netdev_find(l, &d) == -ENOTCONN, "a listener has no peer");
		must(dv_netdev_find(-1, &d) == -EBADF, "no descriptor");
		close(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_field),
		cmocka_unit_test(loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
