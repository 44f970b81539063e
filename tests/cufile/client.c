/* SPDX-License-Identifier: MIT */
/*
 * A program that is linked with libcufile, as torch is: reads FILE into host memory and writes it to standard output.
 * With a second argument it opens that library, too.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "cufile/cufile.h"

static char buf[1 << 20];

int main(int argc, char **argv)
{
	struct gds_descr d = { .type = GDS_TYPE_FD };
	void *handle;
	ssize_t n;

	if (argc > 2 && !dlopen(argv[2], RTLD_NOW | RTLD_LOCAL)) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	d.u.fd = open(argv[1], O_RDONLY);
	if (d.u.fd < 0 || cuFileDriverOpen().err || cuFileHandleRegister(&handle, &d).err ||
	    cuFileBufRegister(buf, sizeof(buf), 0).err)
		return 2;
	n = cuFileRead(handle, buf, sizeof(buf), 0, 0);
	if (n < 0 || write(1, buf, (size_t)n) != n)
		return 3;
	/* Neither deregistered nor closed: the process just ends. */
	return 0;
}
