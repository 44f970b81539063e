/* SPDX-License-Identifier: MIT */
/* Fills in the application's fragments after a receive. */
#include "config.h"
#include "sock/rx.h"

int dv_borrow_fill(struct dv_rx *rx, struct devio_frag *frags, const char *host, uint32_t n, struct dv_frag_sum *sum)
{
	struct devio_mem *m = rx->nic->mem;
	uint64_t mem_off = rx->nic->mem_off, linear = 0, bytes = 0, n_frags = 0;
	int nr = dv_rx_parse(&rx->msg, n, rx->nic->id, mem_off + m->size, rx->frag);

	for (int i = 0; i < nr; i++) {
		const struct dv_rx_frag *f = &rx->frag[i];

		if (f->linear) {
			frags[i] = (struct devio_frag){ .host = host + linear, .len = f->len };
			linear += f->len;
			continue;
		}
		frags[i].mem = m;
		frags[i].host = NULL;
		frags[i].off = f->off - mem_off;
		frags[i].len = f->len;
		frags[i].resv = 0;
		frags[i].token = dv_frag_table_put(&rx->borrowed, f->token);
		bytes += f->len;
		n_frags++;
	}
	*sum = (struct dv_frag_sum){ .linear = linear, .frags = n_frags, .bytes = bytes };
	return nr;
}
