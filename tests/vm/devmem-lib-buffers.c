/* SPDX-License-Identifier: MIT */
/* tests/vm/devmem-lib buffers: how large the NIC's receive buffers are, by default and as requested. */
#include "devmem-lib.h"

static void take_all(struct devio_nic *n, uint32_t buffer)
{
	struct devio_nic_info i = DEVIO_OPTS(i);
	uint32_t longest;

	must(devio_nic_get_info(n, &i), "devio_nic_get_info");
	is((int)i.buffer, (int)buffer, "the size that is reported");
	longest = as_pieces(n, 4 * MIB);
	printf("# buffers of %u bytes: the longest piece has %u\n", i.buffer, longest);
	ok(longest <= buffer && longest > buffer / 2, "which is what the pieces show", longest);
}

static void try_one(const char *spec, int mtu, uint64_t size, uint32_t requested, uint32_t wanted)
{
	struct devio_mem *area = memory(spec, size);
	struct devio_nic_opts o = DEVIO_OPTS(o);
	struct devio_nic *n;

	set_mtu(mtu);
	o.steer = DEVIO_STEER_RSS;
	o.buffer = requested;
	must(devio_nic_open(ctx, NIC, area, &o, &n), "devio_nic_open");
	await_link();
	take_all(n, wanted);
	devio_nic_close(n);
	devio_mem_free(area);
}

static void not_possible(const char *spec, uint32_t requested, int err)
{
	static char before[8192], after[8192];
	struct devio_mem *area = memory(spec, MIB);
	struct devio_nic_opts o = DEVIO_OPTS(o);
	struct devio_nic *n;

	nic_state(before, sizeof(before));
	o.steer = DEVIO_STEER_RSS;
	o.buffer = requested;
	is(devio_nic_open(ctx, NIC, area, &o, &n), err, "a size that cannot be");
	printf("# %s\n", devio_errmsg());
	nic_state(after, sizeof(after));
	ok(!strcmp(before, after), "nothing was changed", 0);
	devio_mem_free(area);
}

int test_buffers(const char *spec)
{
	try_one(spec, 9000, AREA, 0, 16384);
	/* Not enough for two in each descriptor; and as requested all the same. */
	try_one(spec, 9000, 4 * MIB, 0, 4096);
	try_one(spec, 9000, 8 * MIB, 8192, 8192);
	try_one(spec, 9000, AREA, 4096, 4096);
	/* In single pages there are no larger ones. */
	try_one("udmabuf", 9000, AREA, 0, 4096);
	set_mtu(1500);
	not_possible(spec, 5000, -EINVAL);
	not_possible(spec, 2048, -EINVAL);
	not_possible(spec, 65536, -ERANGE);
	return finish();
}
