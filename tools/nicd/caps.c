/* SPDX-License-Identifier: MIT */
/* devio-nicd: drops all capabilities but CAP_NET_ADMIN. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/capability.h>
#include "nicd.h"

/* Drops all but `only`. 0, or -1 with errno: then the process must not go on. */
static int keep(uint32_t only)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	memset(data, 0, sizeof(data));
	if (syscall(SYS_capget, &head, data))
		return -1;
	/* Needs CAP_SETPCAP; without it, and with no_new_privs, the bounding set does not matter. */
	for (int cap = 0; cap < 64 && data[0].effective & 1u << CAP_SETPCAP; cap++)
		if (cap > 31 || !(only & 1u << cap))
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	data[0].effective = data[0].permitted &= only;
	data[1].effective = data[1].permitted = data[0].inheritable = data[1].inheritable = 0;
	if (syscall(SYS_capset, &head, data) || syscall(SYS_capget, &head, data))
		return -1;
	errno = EPERM;
	return data[0].permitted & ~only || data[1].permitted ? -1 : 0;
}

int nicd_drop_caps(bool *able)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { .effective = 0 } };
	int rc = keep(1u << CAP_NET_ADMIN);

	if (!rc)
		rc = (int)syscall(SYS_capget, &head, data);
	*able = data[0].effective & 1u << CAP_NET_ADMIN;
	return rc;
}

int nicd_drop_all(void)
{
	return keep(0);
}
