/* SPDX-License-Identifier: MIT */
/* devio-probe: text and sizes. */
#include "config.h"
#include <stdarg.h>
#include <stdlib.h>
#include "probe.h"

char *text(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return must(s);
}

static const char *scaled(uint64_t bytes, double step, const char *const *unit, char buf[24])
{
	double v = bytes;
	int i = 0;

	while (v >= step && i < 6) {
		v /= step;
		i++;
	}
	snprintf(buf, 24, v < 10 && i ? "%.2f %s" : v < 100 && i ? "%.1f %s" : "%.0f %s", v, unit[i]);
	return buf;
}

const char *size10(uint64_t bytes, char buf[24])
{
	static const char *const unit[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };

	return scaled(bytes, 1000, unit, buf);
}

/* Memory comes in powers of two: no decimals where there are none. */
const char *size2(uint64_t bytes, char buf[24])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	int i = 0;

	while (bytes && !(bytes % 1024) && i < 6) {
		bytes /= 1024;
		i++;
	}
	if (bytes >= 4096)
		return scaled(bytes << (10 * i), 1024, unit, buf);
	snprintf(buf, 24, "%llu %s", (unsigned long long)bytes, unit[i]);
	return buf;
}
