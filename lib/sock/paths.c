/* SPDX-License-Identifier: MIT */
/* The table of a connection's paths, best first. */
#include "config.h"
#include "sock/sock.h"

const struct dv_path *const dv_sock_paths[] = {
	&dv_path_sock_devmem.path,
	&dv_path_sock_zcrx.path,
	&dv_path_sock_host.path,
	&dv_path_sock_bounce.path,
	NULL
};
