/* SPDX-License-Identifier: MIT */
/* The topology's calls, on captured machines and on this one. */
#include "config.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <devio.h>
#include "tree.h"

struct machine {
	char dir[64];
	struct devio_ctx *ctx;
	struct devio_topo *topo;
};

static void load(struct machine *m, const char *name)
{
	struct devio_topo_opts o = DEVIO_OPTS(o);
	const char *src = getenv("DEVIO_SRC");
	char manifest[4096];

	snprintf(m->dir, sizeof(m->dir), "topo-test.XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	snprintf(manifest, sizeof(manifest), "%s/tests/data/sysfs-%s.tree", src ? src : ".", name);
	assert_int_equal(tree_unpack(manifest, m->dir), 0);
	assert_int_equal(devio_ctx_open(NULL, &m->ctx), 0);
	o.root = m->dir;
	assert_int_equal(devio_topo_open(m->ctx, &o, &m->topo), 0);
}

static void unload(struct machine *m)
{
	devio_topo_close(m->topo);
	devio_ctx_close(m->ctx);
	tree_remove(m->dir);
}

static int pair(const struct machine *m, const char *a, const char *b, struct devio_topo_p2p *r)
{
	*r = (struct devio_topo_p2p){ .sz = sizeof(*r) };
	assert_int_equal(devio_topo_get_p2p(m->topo, devio_topo_find_pci(m->topo, a),
					    devio_topo_find_pci(m->topo, b), r), 0);
	return r->can;
}

static void p2p_by_switch(void **state)
{
	struct devio_topo_p2p r;
	struct machine m;

	(void)state;
	load(&m, "server-switch");
	assert_int_equal(pair(&m, "03:00.0", "04:00.0", &r), DEVIO_CAN);
	assert_int_equal(r.route, DEVIO_P2P_SWITCH);
	assert_int_equal(r.distance, 4);
	assert_int_equal(r.via, devio_topo_find_pci(m.topo, "01:00.0"));
	assert_int_equal(pair(&m, "03:00.0", "06:00.0", &r), DEVIO_CAN_NOT);
	assert_non_null(strstr(r.cause, "8086:4c43"));
	assert_int_equal(pair(&m, "03:00.0", "03:00.0", &r), DEVIO_CAN);
	assert_int_equal(r.route, DEVIO_P2P_SAME);
	assert_int_equal(r.distance, 0);
	unload(&m);
}

static void p2p_redirected(void **state)
{
	struct devio_topo_p2p r;
	struct machine m;

	(void)state;
	load(&m, "server-acs");
	assert_int_equal(pair(&m, "03:00.0", "04:00.0", &r), DEVIO_CAN_NOT);
	assert_non_null(strstr(r.fix, "disable_acs_redir=0000:02:08.0"));
	unload(&m);
}

static void p2p_zen(void **state)
{
	struct devio_topo_p2p r;
	struct machine m;

	(void)state;
	load(&m, "stack");
	assert_int_equal(pair(&m, "43:00.0", "01:00.0", &r), DEVIO_CAN);
	assert_int_equal(r.route, DEVIO_P2P_HOST_BRIDGE);
	assert_int_equal(r.via, -1);
	unload(&m);
	load(&m, "microvm");
	assert_int_equal(pair(&m, "00:01.0", "00:02.0", &r), DEVIO_CAN_NOT);
	assert_non_null(strstr(r.cause, "CONFIG_PCI_P2PDMA"));
	unload(&m);
}

static void stack_of_drives(void **state)
{
	struct devio_topo_block b = DEVIO_OPTS(b);
	int fs, block, drives[8];
	struct machine m;

	(void)state;
	load(&m, "stack");
	assert_int_equal(devio_topo_find_file(m.topo, "/secret/a", &fs, &block), 0);
	assert_int_equal(devio_topo_get_block(m.topo, block, &b), 0);
	assert_string_equal(b.name, "dm-1");
	assert_int_equal(devio_topo_drives(m.topo, block, drives, 8), 2);
	assert_int_equal(devio_topo_get_block(m.topo, drives[1], &b), 0);
	assert_string_equal(b.name, "nvme3n1");
	/* Fewer places than drives: the number is still returned, nothing is written past them. */
	drives[1] = -7;
	assert_int_equal(devio_topo_drives(m.topo, block, drives, 1), 2);
	assert_int_equal(drives[1], -7);
	assert_int_equal(devio_topo_find_file(m.topo, "/iso/x", &fs, &block), 0);
	assert_int_equal(devio_topo_drives(m.topo, block, drives, 8), 2);
	assert_int_equal(devio_topo_drives(m.topo, 9999, drives, 8), -ERANGE);
	unload(&m);
}

static int verdict(const struct machine *m, const char *file, const char *spec, int path, unsigned int *reason)
{
	struct devio_topo_verdict v = DEVIO_OPTS(v);
	int rc = devio_topo_explain(m->topo, file, spec, NULL, path, &v);

	if (rc)
		return rc;
	/* A refusal always says why, and an errno goes with it. */
	if (v.can != DEVIO_CAN)
		assert_true(*v.cause);
	assert_int_equal(v.err < 0, v.can == DEVIO_CAN_NOT);
	*reason = v.reason;
	return v.can;
}

static void verdicts(void **state)
{
	unsigned int why;
	struct machine m;

	(void)state;
	load(&m, "stack");
	assert_int_equal(verdict(&m, "/dev/nvme2n1", "vfio:44:00.0/2", DEVIO_PATH_FILE_DMABUF, &why), DEVIO_CAN);
	assert_int_equal(verdict(&m, "/raid/a", "p2pmem:0000:43:00.0", DEVIO_PATH_FILE_P2P, &why), DEVIO_CAN);
	assert_int_equal(verdict(&m, "/lv/a", "p2pmem:0000:43:00.0", DEVIO_PATH_FILE_P2P, &why), DEVIO_CAN_NOT);
	assert_int_equal(why, DEVIO_REASON_TARGET);
	assert_int_equal(verdict(&m, "/cmb/a", "udmabuf", DEVIO_PATH_FILE_DMABUF, &why), DEVIO_CAN_UNKNOWN);
	assert_int_equal(verdict(&m, "/cmb/a", "host", DEVIO_PATH_FILE_DMABUF, &why), DEVIO_CAN_NOT);
	assert_int_equal(why, DEVIO_REASON_NO_EXPORT);
	unload(&m);
	load(&m, "server-switch");
	assert_int_equal(verdict(&m, "/dev/nvme0n1", "cuda:0", DEVIO_PATH_FILE_DMABUF, &why), DEVIO_CAN_UNKNOWN);
	assert_int_equal(why, DEVIO_REASON_NO_DMABUF_IO);
	assert_int_equal(verdict(&m, "/dev/nvme1n1", "cuda:0", DEVIO_PATH_FILE_DMABUF, &why), DEVIO_CAN_NOT);
	assert_int_equal(why, DEVIO_REASON_MAP);
	unload(&m);
}

static void questions_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"gpu",
		"cuda",
		"cuda:",
		"cuda:x",
		"cuda:-1",
		"cuda:999999999999",
		"p2pmem:",
		"p2pmem:x",
		"vfio:00:00.0",
		"vfio:00:00.0/6",
		"vfio:00:00.0/22",
		"vfio:/2",
		"drm:",
		"hostess",
		"amdgpu:0x",
	};
	unsigned int why;
	struct machine m;
	int fs, block;

	(void)state;
	load(&m, "stack");
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (verdict(&m, "/mp/a", bad[i], DEVIO_PATH_FILE_BOUNCE, &why) != -EINVAL)
			fail_msg("the spec '%s' was understood", bad[i]);
	assert_int_equal(verdict(&m, "/mp/a", NULL, DEVIO_PATH_FILE_BOUNCE, &why), -EINVAL);
	assert_int_equal(verdict(&m, "/mp/a", "host", DEVIO_PATH_AUTO, &why), -EINVAL);
	assert_int_equal(verdict(&m, "/mp/a", "host", DEVIO_PATH_FILE_MAX, &why), -EINVAL);
	assert_int_equal(verdict(&m, "relative", "host", DEVIO_PATH_FILE_HOST, &why), -EINVAL);
	assert_int_equal(devio_topo_find_file(m.topo, "/dev/nothing", &fs, &block), -ENOENT);
	assert_int_equal(devio_topo_find_file(m.topo, "", &fs, &block), -EINVAL);
	assert_int_equal(devio_topo_find_file(m.topo, NULL, &fs, &block), -EINVAL);
	unload(&m);
}

/* Every call on every index of a machine made of mistakes, for the sanitizers. */
static void broken(void **state)
{
	static const char *const specs[] = { "host", "udmabuf", "cuda:0", "vfio:01:00.0/0", "p2pmem:01:00.0", "drm:x" };
	struct devio_topo_p2p r;
	struct devio_topo_pci p = DEVIO_OPTS(p);
	struct devio_topo_gpu g = DEVIO_OPTS(g);
	unsigned int why;
	struct machine m;
	int n;

	(void)state;
	load(&m, "broken");
	n = devio_topo_count(m.topo, DEVIO_TOPO_PCI);
	assert_true(n >= 5);
	assert_true(devio_topo_count(m.topo, DEVIO_TOPO_NOTE) > 10);
	for (int i = 0; i < n; i++) {
		assert_int_equal(devio_topo_get_pci(m.topo, i, &p), 0);
		for (int k = 0; k < n; k++) {
			r.sz = sizeof(r);
			assert_int_equal(devio_topo_get_p2p(m.topo, i, k, &r), 0);
		}
	}
	for (unsigned int i = 0; i < devio_topo_count(m.topo, DEVIO_TOPO_GPU); i++)
		assert_int_equal(devio_topo_get_gpu(m.topo, i, &g), 0);
	for (unsigned int i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		for (int path = 1; path < DEVIO_PATH_FILE_MAX; path++)
			assert_true(verdict(&m, "/data/a", specs[i], path, &why) >= 0);
	unload(&m);
}

static void this_machine(void **state)
{
	struct devio_topo_machine info = DEVIO_OPTS(info);
	struct machine m;
	unsigned int why;
	int fs, block;

	(void)state;
	assert_int_equal(devio_ctx_open(NULL, &m.ctx), 0);
	assert_int_equal(devio_topo_open(m.ctx, NULL, &m.topo), 0);
	assert_int_equal(devio_topo_get_machine(m.topo, &info), 0);
	assert_true(info.kernel > 0);
	assert_int_equal(verdict(&m, "/etc/passwd", "host", DEVIO_PATH_FILE_BUFFERED, &why), DEVIO_CAN);
	assert_int_equal(devio_topo_find_file(m.topo, "/dev/null", &fs, &block), -ESPIPE);
	assert_int_equal(devio_topo_find_file(m.topo, "/nonexistent/x", &fs, &block), -ENOENT);
	devio_topo_close(m.topo);
	devio_ctx_close(m.ctx);
}

static void arguments(void **state)
{
	struct { struct devio_topo_opts o; long more; } longer = { .o.sz = sizeof(longer), .more = 1 };
	struct devio_topo_opts o = DEVIO_OPTS(o);
	struct devio_topo_pci p = DEVIO_OPTS(p);
	struct devio_topo *t = (void *)1;
	struct devio_ctx *ctx;

	(void)state;
	assert_int_equal(devio_ctx_open(NULL, &ctx), 0);
	assert_int_equal(devio_topo_open(NULL, NULL, &t), -EINVAL);
	assert_int_equal(devio_topo_open(ctx, &longer.o, &t), -E2BIG);
	o.flags = 1;
	assert_int_equal(devio_topo_open(ctx, &o, &t), -EINVAL);
	o.flags = 0;
	o.root = "/nonexistent";
	assert_int_equal(devio_topo_open(ctx, &o, &t), -ENOENT);
	assert_non_null(strstr(devio_errmsg(), "/nonexistent"));
	assert_ptr_equal(t, (void *)1);
	devio_topo_close(NULL);
	assert_int_equal(devio_topo_open(ctx, NULL, &t), 0);
	devio_ctx_close(ctx); /* the topology holds it */
	assert_int_equal(devio_topo_get_pci(t, 100000, &p), -ERANGE);
	p.sz = 1;
	if (devio_topo_count(t, DEVIO_TOPO_PCI))
		assert_int_equal(devio_topo_get_pci(t, 0, &p), -EINVAL);
	assert_null(devio_topo_get_note(t, 100000));
	assert_int_equal(devio_topo_find_pci(t, "nonsense"), -EINVAL);
	assert_int_equal(devio_topo_find_pci(t, "ffff:ff:1f.7"), -ENODEV);
	devio_topo_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p2p_by_switch), cmocka_unit_test(p2p_redirected), cmocka_unit_test(p2p_zen),
		cmocka_unit_test(stack_of_drives), cmocka_unit_test(verdicts), cmocka_unit_test(questions_refused),
		cmocka_unit_test(broken), cmocka_unit_test(this_machine), cmocka_unit_test(arguments),
	};

	return cmocka_run_group_tests_name("topo", tests, NULL, NULL);
}
