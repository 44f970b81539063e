/* SPDX-License-Identifier: MIT */
/* The marks that checks leave in a verdict. */
#include "config.h"
#include <stdarg.h>
#include <stdio.h>
#include "topo/verdict.h"

void dv_refuse(struct devio_topo_verdict *v, int err, unsigned int reason, const char *cure, const char *fmt, ...)
{
	va_list ap;

	if (v->can == DEVIO_CAN_NOT)
		return;
	v->can = DEVIO_CAN_NOT;
	v->err = err;
	v->reason = reason;
	snprintf(v->cure, sizeof(v->cure), "%s", cure);
	va_start(ap, fmt);
	vsnprintf(v->cause, sizeof(v->cause), fmt, ap);
	va_end(ap);
}

void dv_doubt(struct devio_topo_verdict *v, unsigned int reason, const char *cure, const char *fmt, ...)
{
	va_list ap;

	if (v->can != DEVIO_CAN)
		return;
	v->can = DEVIO_CAN_UNKNOWN;
	v->reason = reason;
	snprintf(v->cure, sizeof(v->cure), "%s", cure);
	va_start(ap, fmt);
	vsnprintf(v->cause, sizeof(v->cause), fmt, ap);
	va_end(ap);
}
