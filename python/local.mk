# SPDX-License-Identifier: MIT
# The Python package: two extension modules for the stable ABI, over libdevio and libdevio-load, and Python on them.
python_files = python/devio/__init__.py python/devio/_reopen.py python/devio/aio.py python/devio/data.py \
	python/devio/safetensors.py python/devio/torch.py
python_stubs = python/devio/py.typed python/devio/__init__.pyi python/devio/_core.pyi python/devio/_load.pyi
python_common = python/src/common.c python/src/common.h
python_core = $(python_common) python/src/core.c python/src/core.h python/src/context.c python/src/memory.c \
	python/src/completion.c python/src/file.c python/src/ring.c
python_load = $(python_common) python/src/load.c python/src/load.h python/src/dtype.c python/src/tensor.c \
	python/src/buffer.c python/src/dlpack.c python/src/dlpack.h python/src/borrow.c python/src/fetch.c \
	python/src/plan.c \
	python/src/source.c python/src/loader.c python/src/batch.c python/src/stack.c python/src/item.c
if HAVE_PYTHON
deviopydir = $(pyexecdir)/devio
deviopy_PYTHON = $(python_files)
dist_deviopy_DATA = $(python_stubs)
deviopy_LTLIBRARIES = python/devio/_core.abi3.la python/devio/_load.abi3.la
# Python's API has strings without const.
python_cflags = $(AM_CFLAGS) $(PYTHON_CFLAGS) -fvisibility=hidden -Wno-write-strings
python_ldflags = $(AM_LDFLAGS) -module -avoid-version -shared -Wl,-z,now -Wl,-z,relro
python_devio__core_abi3_la_CFLAGS = $(python_cflags)
python_devio__core_abi3_la_SOURCES = $(python_core)
python_devio__core_abi3_la_LDFLAGS = $(python_ldflags)
python_devio__core_abi3_la_LIBADD = lib/libdevio.la
python_devio__load_abi3_la_CFLAGS = $(python_cflags)
python_devio__load_abi3_la_SOURCES = $(python_load)
python_devio__load_abi3_la_LDFLAGS = $(python_ldflags)
python_devio__load_abi3_la_LIBADD = lib/libdevio-load.la lib/libdevio.la
else
EXTRA_DIST += $(python_files) $(python_stubs) $(python_core) $(python_load)
endif
EXTRA_DIST += tests/python/common.py tests/python/test_aio.py tests/python/test_cuda.py tests/python/test_data.py \
	tests/python/test_devio.py \
	tests/python/test_files.py tests/python/test_formats.py tests/data/formats tests/python/test_handles.py tests/python/test_stubs.py tests/python/test_tensors.py \
	tests/python/test_torch.py tests/python/against_mmap.py tests/python/against_c.py
dist_check_SCRIPTS += tests/python/python.sh
TESTS += tests/python/python.sh
dist_check_SCRIPTS += tests/python/wheel.sh
TESTS += tests/python/wheel.sh
print-pythondir:
	@echo $(pyexecdir)
.PHONY: print-pythondir
