/* SPDX-License-Identifier: MIT */
#ifndef DV_SAFETENSORS_H
#define DV_SAFETENSORS_H

#include "load/source.h"

/* Which tensors of a file are added. */
struct dv_tensor_filter {
	bool (*includes)(const struct dv_tensor_filter *filter, const char *tensor);
};

/* Adds the tensors of a file, all if filter is NULL. 0, or -errno with an error message. */
int dv_safetensors_add(struct devio_source *s, const char *path, const struct dv_tensor_filter *filter);

#endif
