/* SPDX-License-Identifier: MIT */
/* What fio's engine needs of cuFile's interface, in declarations of our own by the vendor's names. */
#ifndef CUFILE_H
#define CUFILE_H

#include <stddef.h>
#include <string.h>
#include <sys/types.h>

typedef enum { CU_FILE_SUCCESS = 0, CU_FILE_BASE = 5000 } CUfileOpError;
typedef struct {
	CUfileOpError err;
	int cu_err;
} CUfileError_t;
typedef enum { CU_FILE_HANDLE_TYPE_OPAQUE_FD = 1 } CUfileHandleType;
typedef void *CUfileHandle_t;
typedef struct {
	CUfileHandleType type;
	union {
		int fd;
		void *handle;
	} handle;
	const void *fs_ops;
} CUfileDescr_t;

#define IS_CUFILE_ERR(e) ((e) > CU_FILE_BASE)

static inline const char *cufileop_status_error(long status)
{
	return status > CU_FILE_BASE ? "an error of cuFile" : "not an error of cuFile";
}

CUfileError_t cuFileDriverOpen(void);
CUfileError_t cuFileDriverClose_v2(void);
#define cuFileDriverClose cuFileDriverClose_v2
CUfileError_t cuFileHandleRegister(CUfileHandle_t *handle, CUfileDescr_t *descr);
void cuFileHandleDeregister(CUfileHandle_t handle);
CUfileError_t cuFileBufRegister(const void *base, size_t size, int flags);
CUfileError_t cuFileBufDeregister(const void *base);
ssize_t cuFileRead(CUfileHandle_t handle, void *base, size_t size, off_t file_off, off_t buf_off);
ssize_t cuFileWrite(CUfileHandle_t handle, const void *base, size_t size, off_t file_off, off_t buf_off);

#endif
