/* SPDX-License-Identifier: MIT */
/* Controls of the library between libdevio and the driver. */
#ifndef HW_SHIM_H
#define HW_SHIM_H

#include <stdbool.h>

enum shim_kind { SHIM_ALLOCATIONS, SHIM_CONTEXTS, SHIM_PUSHES, SHIM_STREAMS, SHIM_EVENTS, SHIM_HOST, SHIM_CALLS,
		 SHIM_KINDS };

/* The n-th call from now on fails; 0: none. */
void shim_arm(int nth);
bool shim_fired(void);
/* Their number; SHIM_CALLS: since shim_arm(). */
long shim_live(enum shim_kind kind);

#endif
