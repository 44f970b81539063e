# SPDX-License-Identifier: MIT
"""Files straight into device memory: libdevio for Python.

    tensors = devio.load("model.safetensors", device="cuda:0")
    weight = torch.from_dlpack(tensors["weight"])
    print(tensors.paths, tensors.reasons)       # the path that the bytes took, and why no better one

Nothing of a GPU's runtime is touched before a memory of it is asked for. A context, files and memories are for any
number of threads, a ring is for one.
"""
import os as _os

# In a source tree the compiled modules are in the build tree, in which DEVIO_LIBRARY names libdevio.so.
if _os.environ.get("DEVIO_LIBRARY"):
    __path__.append(_os.path.join(_os.path.dirname(_os.environ["DEVIO_LIBRARY"]), "../../python/devio/.libs"))

try:
    from ._core import (PATHS, Completion, Context, Error, File, FormatError, Memory, Ring, default, devices, version)
except ImportError as _e:
    raise ImportError(
    f"{_e}: install libdevio (libdevio.so.0), or in a source tree build it and let DEVIO_LIBRARY name "
    "its lib/.libs/libdevio.so.0") from _e

__version__: str = version()
__all__ = ["Completion", "Context", "DTYPES", "Error", "File", "FormatError", "Memory", "PATHS", "Ring", "Tensor",
           "aio", "data", "default", "devices", "from_dlpack", "load", "safetensors", "save", "torch", "version"]

# Loaded when first used: importing devio is quick.
_LATER = {"DTYPES": "_load", "Tensor": "_load", "from_dlpack": "_load", "load": "safetensors", "save": "safetensors"}
_MODULES = ("aio", "data", "safetensors", "torch")


def __getattr__(name: str):
    import importlib
    if name in _MODULES:
        return importlib.import_module("." + name, __name__)
    if name in _LATER:
        value = getattr(importlib.import_module("." + _LATER[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'devio' has no attribute {name!r}")


def __dir__() -> list:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
