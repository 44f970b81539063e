/* SPDX-License-Identifier: MIT */
/* Steering a connection to a NIC's queues. */
#include "config.h"
#include "core/err.h"
#include "nic/nic.h"
#include "sock/sock.h"

DEVIO_API int devio_nic_steer(struct devio_nic *nic, struct devio_sock *s)
{
	int rc = nic ? dv_sock_check(s) : dv_err(-EINVAL, "nic: the handle is NULL");

	return rc ? rc : dv_nic_steer(nic, s->fd, s->listening);
}
