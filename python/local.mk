# SPDX-License-Identifier: MIT
# The Python package: no compiled code, libdevio by ctypes.
python_files = python/devio/__init__.py python/devio/_core.py python/devio/_dlpack.py python/devio/_lib.py \
	python/devio/_batch.py python/devio/_load.py python/devio/_tensor.py python/devio/aio.py \
	python/devio/data.py python/devio/safetensors.py python/devio/torch.py
if HAVE_PYTHON
deviopydir = $(pythondir)/devio
deviopy_PYTHON = $(python_files)
dist_deviopy_DATA = python/devio/py.typed
else
EXTRA_DIST += $(python_files) python/devio/py.typed
endif
EXTRA_DIST += tests/python/common.py tests/python/test_devio.py tests/python/test_data.py tests/python/test_torch.py \
	tests/python/against_mmap.py tests/python/against_c.py
dist_check_SCRIPTS += tests/python/python.sh
TESTS += tests/python/python.sh
print-pythondir:
	@echo $(pythondir)
.PHONY: print-pythondir
