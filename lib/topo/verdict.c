/* SPDX-License-Identifier: MIT */
/* Recording the results of checks in a verdict. */
#include "config.h"
#include <stdarg.h>
#include <stdio.h>
#include "topo/verdict.h"

void dv_verdict_no(struct devio_topo_verdict *v, int err, unsigned int reason, const char *fix, const char *fmt, ...)
{
	va_list ap;

	if (v->can == DEVIO_CAN_NOT)
		return;
	v->can = DEVIO_CAN_NOT;
	v->err = err;
	v->reason = reason;
	snprintf(v->fix, sizeof(v->fix), "%s", fix);
	va_start(ap, fmt);
	vsnprintf(v->cause, sizeof(v->cause), fmt, ap);
	va_end(ap);
}

void dv_verdict_maybe(struct devio_topo_verdict *v, unsigned int reason, const char *fix, const char *fmt, ...)
{
	va_list ap;

	if (v->can != DEVIO_CAN)
		return;
	v->can = DEVIO_CAN_UNKNOWN;
	v->reason = reason;
	snprintf(v->fix, sizeof(v->fix), "%s", fix);
	va_start(ap, fmt);
	vsnprintf(v->cause, sizeof(v->cause), fmt, ap);
	va_end(ap);
}
