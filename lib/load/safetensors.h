/* SPDX-License-Identifier: MIT */
#ifndef DV_SAFETENSORS_H
#define DV_SAFETENSORS_H

#include "load/source.h"

/* Adds the tensors of a file. 0, or -errno with an error message. */
int dv_safetensors_add(struct devio_source *s, const char *path);

#endif
