/* SPDX-License-Identifier: MIT */
/* What fio's engine needs of the CUDA driver's header. */
#ifndef CUDA_H
#define CUDA_H

typedef int CUresult;

static inline CUresult cuGetErrorName(CUresult error, const char **text)
{
	(void)error;
	*text = "an error of CUDA";
	return 0;
}

#endif
