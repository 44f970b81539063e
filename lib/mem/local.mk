# SPDX-License-Identifier: MIT
lib_libdv_la_SOURCES += lib/mem/host.c \
	lib/mem/sys.c lib/mem/sys.h lib/mem/share.c lib/mem/share.h lib/mem/dl.c lib/mem/dl.h \
	lib/mem/bufmem.c lib/mem/bufmem.h lib/mem/import.c lib/mem/dmaheap.c lib/mem/udmabuf.c \
	lib/mem/p2pmem.c lib/mem/drm.c lib/mem/vfio.c lib/mem/vfiodev.c lib/mem/vfiodev.h \
	lib/mem/amdgpu.c lib/mem/evpool.h lib/mem/stream.c lib/mem/stream.h lib/mem/cuda.c lib/mem/cuda_api.c lib/mem/cuda_ptr.c lib/mem/cuda_api.h \
	lib/mem/hip.c lib/mem/hip_api.c lib/mem/hip_api.h lib/mem/ze.c lib/mem/ze_api.c lib/mem/ze_api.h \
	lib/kern/dmabuf.c lib/kern/dmabuf.h lib/kern/uapi/vfio.h
