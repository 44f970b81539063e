/* SPDX-License-Identifier: MIT */
/* The driver's state, and cuFile's codes for libdevio's errors. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "cufile/gds.h"

#define CUDA_UNKNOWN 999

struct dv_gds dv_gds = { .lock = PTHREAD_RWLOCK_INITIALIZER };

struct gds_error dv_status(int code, const char *what)
{
	dv_note(DV_ERROR, "%s [%d]", what, code);
	return (struct gds_error){ code, code == GDS_CUDA_DRIVER ? CUDA_UNKNOWN : 0 };
}

struct gds_error dv_status_errno(int err, int otherwise, const char *what)
{
	int code = otherwise;

	if (err == -ENOMEM)
		code = GDS_NO_MEMORY;
	else if (err == -ECHILD)
		code = GDS_NOT_INITIALIZED;
	else if (err == -EACCES || err == -EPERM)
		code = GDS_PERMISSION;
	dv_note(DV_ERROR, "%s: %s [%d]", what, devio_errmsg(), code);
	return (struct gds_error){ code, code == GDS_CUDA_DRIVER ? CUDA_UNKNOWN : 0 };
}

int dv_transfer_code(int err, unsigned int reason)
{
	if (reason == DEVIO_REASON_COPY)
		return GDS_CUDA_DRIVER;
	switch (err) {
	case -EOPNOTSUPP:
		return GDS_IO_UNSUPPORTED;
	case -ECHILD:
		return GDS_NOT_INITIALIZED;
	case -ERANGE:
		return GDS_PAST_REGISTRATION;
	}
	return 0;
}

ssize_t dv_transfer_error(int err, unsigned int reason)
{
	int code = dv_transfer_code(err, reason);

	errno = -err;
	return code ? -code : -1;
}
