/* SPDX-License-Identifier: MIT */
/* devio-nicd: drops all capabilities but CAP_NET_ADMIN. */
#include "config.h"
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/capability.h>
#include "nicd.h"

static bool keep(uint32_t only)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	/* Fails for those that the kernel does not know, and without CAP_SETPCAP: then there is little to drop. */
	for (int cap = 0; cap < 64; cap++)
		if (cap != CAP_NET_ADMIN)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	memset(data, 0, sizeof(data));
	if (syscall(SYS_capget, &head, data))
		return false;
	data[0].effective = data[0].permitted &= only;
	data[1].effective = data[1].permitted = data[0].inheritable = data[1].inheritable = 0;
	(void)syscall(SYS_capset, &head, data);
	return data[0].effective;
}

bool nicd_drop_caps(void)
{
	return keep(1u << CAP_NET_ADMIN);
}

void nicd_drop_all(void)
{
	(void)prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0);
	(void)keep(0);
}
