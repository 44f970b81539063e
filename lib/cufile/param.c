/* SPDX-License-Identifier: MIT */
/* Reading and setting parameters. They are set before the driver is opened. */
#include "config.h"
#include <string.h>
#include "cufile/gds.h"

static struct gds_error no(const char *what)
{
	return dv_status(GDS_INVALID_VALUE, what);
}

static bool is_open(void)
{
	bool open;

	dv_conf_load();
	pthread_rwlock_rdlock(&dv_gds.lock);
	open = dv_gds.ctx;
	pthread_rwlock_unlock(&dv_gds.lock);
	return open;
}

static struct gds_error check_closed(void)
{
	return is_open() ? dv_status(GDS_DRIVER_OPEN, "set parameter: the driver is open") : dv_ok();
}

GDS_API struct gds_error cuFileGetParameterSizeT(int which, size_t *value)
{
	if (which < 0 || which >= CONF_SIZES || !value)
		return no("get parameter: unknown, or NULL");
	dv_conf_load();
	*value = dv_conf.size[which];
	return dv_ok();
}

GDS_API struct gds_error cuFileSetParameterSizeT(int which, size_t value)
{
	struct gds_error e = check_closed();

	if (e.err)
		return e;
	if (which < 0 || which >= CONF_SIZES || value < dv_conf_bounds[which].min || value > dv_conf_bounds[which].max)
		return no("set parameter: unknown, or out of range");
	dv_conf.size[which] = value;
	dv_conf.size_set[which] = true;
	return dv_ok();
}

GDS_API struct gds_error cuFileGetParameterMinMaxValue(int which, size_t *min, size_t *max)
{
	if (which < 0 || which >= CONF_SIZES || !min || !max)
		return no("get parameter's bounds: unknown, or NULL");
	*min = dv_conf_bounds[which].min;
	*max = dv_conf_bounds[which].max;
	return dv_ok();
}

GDS_API struct gds_error cuFileGetParameterBool(int which, bool *value)
{
	if (which < 0 || which >= CONF_BOOLS || !value)
		return no("get parameter: unknown, or NULL");
	dv_conf_load();
	*value = dv_conf.flag[which];
	return dv_ok();
}

GDS_API struct gds_error cuFileSetParameterBool(int which, bool value)
{
	struct gds_error e = check_closed();

	if (e.err)
		return e;
	if (which < 0 || which >= CONF_BOOLS)
		return no("set parameter: unknown");
	dv_conf.flag[which] = value;
	dv_conf.flag_set[which] = true;
	return dv_ok();
}

GDS_API struct gds_error cuFileGetParameterString(int which, char *value, int size)
{
	size_t n;

	if (which < 0 || which >= CONF_STRINGS || !value || size <= 0)
		return no("get parameter: unknown, or no room");
	dv_conf_load();
	n = strlen(dv_conf.text[which]);
	if (n >= (size_t)size)
		return no("get parameter: longer than the room for it");
	memcpy(value, dv_conf.text[which], n + 1);
	return dv_ok();
}

GDS_API struct gds_error cuFileSetParameterString(int which, const char *value)
{
	struct gds_error e = check_closed();

	if (e.err)
		return e;
	if (which < 0 || which >= CONF_STRINGS || !value || strlen(value) >= CONF_TEXT)
		return no("set parameter: unknown, NULL, or too long");
	memcpy(dv_conf.text[which], value, strlen(value) + 1);
	dv_conf.text_set[which] = true;
	dv_note_reset();
	return dv_ok();
}

static struct gds_error get_slabs(const struct dv_slabs *s, size_t *sizes, size_t *counts, int nr)
{
	if (!sizes || !counts || nr < s->nr)
		return no("get slabs: NULL, or no room");
	dv_conf_load();
	for (int i = 0; i < nr; i++) {
		sizes[i] = i < s->nr ? s->size[i] : 0;
		counts[i] = i < s->nr ? s->count[i] : 0;
	}
	return dv_ok();
}

/* Ascending sizes in KiB, of whole pages. Staging memory here is a ring's: they are kept and reported. */
static struct gds_error set_slabs(struct dv_slabs *s, const size_t *sizes, const size_t *counts, int nr)
{
	struct gds_error e = check_closed();

	if (e.err)
		return e;
	if (!sizes || !counts || nr < 1 || nr > CONF_SLABS)
		return no("set slabs: NULL, none, or too many");
	for (int i = 0; i < nr; i++)
		if (!sizes[i] || sizes[i] % 4 || !counts[i] || (i && sizes[i] <= sizes[i - 1]))
			return no("set slabs: not ascending sizes of whole pages");
	for (int i = 0; i < nr; i++) {
		s->size[i] = sizes[i];
		s->count[i] = counts[i];
	}
	s->nr = nr;
	return e;
}

GDS_API struct gds_error cuFileGetParameterPosixPoolSlabArray(size_t *sizes, size_t *counts, int nr)
{
	return get_slabs(&dv_conf.posix_slabs, sizes, counts, nr);
}

GDS_API struct gds_error cuFileSetParameterPosixPoolSlabArray(const size_t *sizes, const size_t *counts, int nr)
{
	return set_slabs(&dv_conf.posix_slabs, sizes, counts, nr);
}

GDS_API struct gds_error cuFileGetParameterGpuBounceBufferSlabArray(size_t *sizes, size_t *counts, int nr)
{
	return get_slabs(&dv_conf.gpu_slabs, sizes, counts, nr);
}

GDS_API struct gds_error cuFileSetParameterGpuBounceBufferSlabArray(const size_t *sizes, const size_t *counts, int nr)
{
	return set_slabs(&dv_conf.gpu_slabs, sizes, counts, nr);
}
