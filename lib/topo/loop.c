/* SPDX-License-Identifier: MIT */
/* Loop devices: linked after the mounts are known, which lead to their backing files' devices. */
#include "config.h"
#include "topo/topo.h"

void dv_topo_link_loops(struct devio_topo *t)
{
	for (unsigned int i = 0; i < t->nr_block; i++) {
		struct devio_topo_block *b = &t->block[i];
		int fs = b->kind == DEVIO_BLOCK_LOOP && *b->detail ? dv_topo_find_mount(t, b->detail) : -1;

		if (fs >= 0)
			dv_topo_add_lower(t, b, t->fs[fs].block);
	}
}
