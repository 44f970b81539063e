/* SPDX-License-Identifier: MIT */
/* The parsers of the topology: what the kernel writes, and what it never would. */
#include "config.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "topo/parse.h"

#define SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void bdf(void **state)
{
	static const char *const bad[] = {
		"", ":", "00", "00:00", "00:00.", "00:00.8", "00:20.0", "0000:00:00.0 ", "0000:00:00.00", "g0:00.0",
		"000:00:00:00.0", "123456789:00:00.0", "0000:100:00.0", "-1:00.0", "0000:00:00.0\n",
	};
	struct dv_bdf b;

	(void)state;
	assert_int_equal(dv_parse_bdf("0000:01:1f.7", &b), 0);
	assert_true(b.domain == 0 && b.bus == 1 && b.dev == 0x1f && b.fn == 7);
	assert_int_equal(dv_parse_bdf("c1:00.0", &b), 0);
	assert_true(b.domain == 0 && b.bus == 0xc1 && b.dev == 0 && b.fn == 0);
	assert_int_equal(dv_parse_bdf("10000:e1:00.0", &b), 0);
	assert_true(b.domain == 0x10000 && b.bus == 0xe1);
	for (unsigned int i = 0; i < SIZE(bad); i++)
		if (!dv_parse_bdf(bad[i], &b))
			fail_msg("'%s' was taken for a PCI address", bad[i]);
}

static void mount_line(void **state)
{
	char line[] = "36 35 98:1 /mnt1 /mnt\\040two rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue";
	char empty[] = "36 35 0:7 / /x rw - tmpfs  rw";
	struct dv_mount m;

	(void)state;
	assert_int_equal(dv_parse_mount(line, &m), 0);
	assert_int_equal(m.id, 36);
	assert_true(m.dev_major == 98 && m.dev_minor == 1);
	assert_string_equal(m.root, "/mnt1");
	assert_string_equal(m.where, "/mnt two");
	assert_string_equal(m.type, "ext3");
	assert_string_equal(m.source, "/dev/root");
	assert_string_equal(m.super, "rw,errors=continue");
	/* A mount without a source has two spaces there. */
	assert_int_equal(dv_parse_mount(empty, &m), 0);
	assert_string_equal(m.source, "");
	assert_string_equal(m.super, "rw");
}

static void mount_garbage(void **state)
{
	static const char *const bad[] = {
		"", " ", "36", "36 35 98:0 / / rw", "36 35 98:0 / / rw -", "36 35 98:0 / / rw - ext4",
		"x 35 98:0 / / rw - ext4 a b", "36 35 98 / / rw - ext4 a b", "36 35 98:x / / rw - ext4 a b",
		"99999999999 35 98:0 / / rw - ext4 a b", "36 35 98:0 / / rw shared:1 ext4 a b",
	};
	char line[200];
	struct dv_mount m;

	(void)state;
	for (unsigned int i = 0; i < SIZE(bad); i++) {
		snprintf(line, sizeof(line), "%s", bad[i]);
		if (!dv_parse_mount(line, &m))
			fail_msg("'%s' was taken for a mount", bad[i]);
	}
}

static void resource(void **state)
{
	uint64_t bar[6];

	(void)state;
	assert_int_equal(dv_parse_resource("0x00000000fe000000 0x00000000fe003fff 0x0000000000140204\n"
					   "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
					   "0x0000004000000000 0x00000047ffffffff 0x000000000014220c\n", bar), 3);
	assert_int_equal(bar[0], 0x4000);
	assert_int_equal(bar[1], 0);
	assert_true(bar[2] == 32ULL << 30);
	assert_int_equal(dv_parse_resource("", bar), -EINVAL);
	assert_int_equal(dv_parse_resource("hello", bar), -EINVAL);
	assert_int_equal(dv_parse_resource("0x5 0x1 0x0\n", bar), -EINVAL);
	assert_int_equal(dv_parse_resource("0x0 0xffffffffffffffff 0x1\n", bar), 1);
	assert_int_equal(bar[0], 0);
	assert_int_equal(dv_parse_resource("0x0 0xfff 0x1", bar), 1);
	assert_int_equal(bar[0], 0x1000);
}

static void texts(void **state)
{
	static const char cpu[] = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel name\t:\n";
	char v[16];
	uint64_t lock = 5;

	(void)state;
	assert_int_equal(dv_parse_colon(cpu, "vendor_id", v, sizeof(v)), 0);
	assert_string_equal(v, "AuthenticAMD");
	assert_int_equal(dv_parse_colon(cpu, "cpu family", v, sizeof(v)), 0);
	assert_string_equal(v, "25");
	assert_int_equal(dv_parse_colon(cpu, "model name", v, sizeof(v)), 0);
	assert_string_equal(v, "");
	assert_int_equal(dv_parse_colon(cpu, "cpu", v, sizeof(v)), -ENOENT);
	assert_int_equal(dv_parse_colon("", "cpu", v, sizeof(v)), -ENOENT);
	assert_int_equal(dv_parse_memlock("Max locked memory         8388608    unlimited   bytes\n", &lock), 0);
	assert_int_equal(lock, 8388608);
	assert_int_equal(dv_parse_memlock("Max locked memory         unlimited  unlimited   bytes\n", &lock), 0);
	assert_true(lock == UINT64_MAX);
	assert_int_equal(dv_parse_memlock("Max locked memory         x", &lock), -EINVAL);
	assert_int_equal(dv_parse_memlock("Max open files 1", &lock), -ENOENT);
	assert_int_equal(dv_parse_release("6.18.44-fc"), 6 << 16 | 18 << 8 | 44);
	assert_int_equal(dv_parse_release("7.4-rc1"), 7 << 16 | 4 << 8);
	assert_int_equal(dv_parse_release("6.1.300"), 6 << 16 | 1 << 8 | 255);
	assert_int_equal(dv_parse_release("six"), 0);
	assert_int_equal(dv_parse_release(""), 0);
}

static void config(void **state)
{
	static const char text[] = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=m\nCONFIG_D=n\nCONFIG_AB=y\n";

	(void)state;
	assert_int_equal(dv_parse_config(text, "A"), 1);
	assert_int_equal(dv_parse_config(text, "B"), 0);
	assert_int_equal(dv_parse_config(text, "C"), 1);
	assert_int_equal(dv_parse_config(text, "D"), 0);
	assert_int_equal(dv_parse_config(text, "E"), -1);
	assert_int_equal(dv_parse_config(text, "AB"), 1);
	assert_int_equal(dv_parse_config("", "A"), -1);
	assert_int_equal(dv_parse_config("A=y", "A"), -1);
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, (uint8_t[]){ v, v >> 8, v >> 16, v >> 24 }, 4);
}

static void acs(void **state)
{
	uint8_t cfg[4096] = { 0 };

	(void)state;
	assert_int_equal(dv_parse_acs(cfg, 64), -1);
	assert_int_equal(dv_parse_acs(cfg, 256), -1);
	assert_int_equal(dv_parse_acs(cfg, 4096), 0);
	put32(cfg + 0x100, 0x14820001);
	put32(cfg + 0x148, 0x0001000d);
	assert_int_equal(dv_parse_acs(cfg, 4096), 0);
	cfg[0x14e] = 0x11;              /* source validation and upstream forwarding do not redirect */
	assert_int_equal(dv_parse_acs(cfg, 4096), 0);
	cfg[0x14e] = 0x1d;
	assert_int_equal(dv_parse_acs(cfg, 4096), 1);
	assert_int_equal(dv_parse_acs(cfg, 0x14c), -1);
	put32(cfg + 0x148, 0x10000001); /* round and round */
	assert_int_equal(dv_parse_acs(cfg, 4096), 0);
	put32(cfg + 0x100, 0xfff10001); /* to the very end */
	assert_int_equal(dv_parse_acs(cfg, 4096), 0);
	memset(cfg, 0xff, sizeof(cfg)); /* a device that fell off the bus */
	assert_int_equal(dv_parse_acs(cfg, 4096), 0);
}

static void port(void **state)
{
	uint8_t cfg[256] = { 0 };

	(void)state;
	assert_int_equal(dv_parse_port(cfg, 64), -1);
	assert_int_equal(dv_parse_port(cfg, 256), -1);
	cfg[0x34] = 0x40;
	cfg[0x41] = 0x60;
	cfg[0x60] = 0x10;
	cfg[0x62] = 0x62;
	assert_int_equal(dv_parse_port(cfg, 256), 6);
	cfg[0x60] = 0x05;
	cfg[0x61] = 0x40;
	assert_int_equal(dv_parse_port(cfg, 256), -1);
	cfg[0x34] = 0xfc;
	assert_int_equal(dv_parse_port(cfg, 256), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bdf), cmocka_unit_test(mount_line), cmocka_unit_test(mount_garbage),
		cmocka_unit_test(resource), cmocka_unit_test(texts), cmocka_unit_test(config),
		cmocka_unit_test(acs), cmocka_unit_test(port),
	};

	return cmocka_run_group_tests_name("topo-parse", tests, NULL, NULL);
}
