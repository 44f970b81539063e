# SPDX-License-Identifier: MIT
"""Files straight into device memory: libdevio for Python.

    tensors = devio.load("model.safetensors", device="cuda:0")
    weight = torch.from_dlpack(tensors["weight"])
    print(tensors.paths, tensors.why)       # the way that the bytes took

Nothing of a GPU's runtime is touched before a memory of it is asked for. Thread safety is libdevio's: a
context, files and memories are for all threads, a ring is for one.
"""
from ._core import Context, Done, Error, File, Memory, Ring, default
from ._lib import PATHS, lib as _lib

__all__ = ["Context", "Done", "Error", "File", "FormatError", "Memory", "PATHS", "Ring", "Tensor", "aio", "data",
           "default", "from_dlpack", "load", "save", "version"]

# Loaded when first used: importing devio is quick.
_LATER = {"Tensor": "_tensor", "from_dlpack": "_tensor", "load": "safetensors", "save": "safetensors",
          "FormatError": "safetensors"}


def version() -> str:
    """The library's version."""
    return _lib.devio_version().decode()


def __getattr__(name: str):
    import importlib
    if name in ("aio", "data", "safetensors", "torch"):
        return importlib.import_module("." + name, __name__)
    if name in _LATER:
        return getattr(importlib.import_module("." + _LATER[name], __name__), name)
    raise AttributeError(f"module 'devio' has no attribute {name!r}")
