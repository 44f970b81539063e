/* SPDX-License-Identifier: MIT */
/* The paths of files, best first. */
#include "config.h"
#include "file/file.h"

const struct dv_path *const dv_file_paths[] = {
	&dv_path_file_dmabuf,
	&dv_path_file_p2p,
	&dv_path_file_host,
	&dv_path_file_bounce,
	&dv_path_file_buffered,
	NULL
};
