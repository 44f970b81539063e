# SPDX-License-Identifier: MIT
"""Tensor: a shape and a dtype over device memory, for DLPack's consumers."""
import math
from typing import Any, Optional, Tuple

from . import _core, _dlpack

_DEVICES = {"cuda": _dlpack.CUDA, "hip": _dlpack.ROCM, "ze": _dlpack.ONEAPI}


class Tensor:
    """Elements from byte `offset` of a Memory, contiguous unless `strides` (in elements) says otherwise.

    Nothing is copied; the memory lives as long as any view, and so does `owner`.
    """

    def __init__(self, memory: Optional[_core.Memory], offset: int, shape: tuple, dtype: str,
                 strides: Optional[tuple] = None, owner: Any = None) -> None:
        if dtype not in _dlpack.DTYPES:
            raise ValueError(f"no dtype is called {dtype!r}: {', '.join(_dlpack.DTYPES)}")
        self.memory, self.offset, self.shape, self.dtype = memory, offset, tuple(shape), dtype
        if any(n < 0 for n in self.shape):
            raise ValueError(f"a shape has no negative sides: {self.shape}")
        self._owner = owner
        size = _dlpack.DTYPES[dtype][1] // 8
        self.nbytes = span = math.prod(self.shape) * size
        #: in elements; None: contiguous
        self.strides = None if strides is None or tuple(strides) == _dlpack.steps(self.shape) else tuple(strides)
        if self.strides is not None:
            if len(self.strides) != len(self.shape) or any(n < 0 for n in self.strides):
                raise ValueError(f"strides {self.strides} for a shape of {self.shape}")
            span = (1 + sum((n - 1) * k for n, k in zip(self.shape, self.strides))) * size if self.nbytes else 0
        if span and (memory is None or offset < 0 or offset + span > memory.size):
            raise ValueError(f"{span} bytes from {offset} leave the memory")

    def __repr__(self) -> str:
        return f"devio.Tensor({self.dtype}, {self.shape}, {self.memory.spec if self.memory else 'empty'})"

    def __dlpack_device__(self) -> Tuple[int, int]:
        """DLPack's device type and number."""
        kind, _, number = (self.memory.spec if self.memory else "host").partition(":")
        if kind in _DEVICES:
            return _DEVICES[kind], int(number or 0)
        return _dlpack.CPU, 0

    def __dlpack__(self, *, stream: Any = None, max_version: Optional[tuple] = None,
                   dl_device: Optional[tuple] = None, copy: Optional[bool] = None) -> Any:
        """A capsule for torch.from_dlpack() and the like. Transfers ended before: no stream has to wait."""
        if copy or (dl_device is not None and tuple(dl_device) != self.__dlpack_device__()):
            raise BufferError("devio gives views on the device where the memory lies, no copies")
        address = 0
        if self.nbytes:
            address = self.memory.device_ptr or self.memory.map()
            address += self.offset
        return _dlpack.lend((self.memory, self._owner), address, self.__dlpack_device__(), self.shape, self.dtype,
                            bool(max_version and max_version[0] >= 1), self.strides)

    def numpy(self) -> Any:
        """A NumPy array over the same bytes, if the CPU sees them."""
        import numpy
        if self.dtype in ("BF16", "F8_E4M3", "F8_E5M2"):
            raise TypeError(f"NumPy has no {self.dtype}: use torch.from_dlpack(), or view() the bytes as U8 or U16")
        return numpy.from_dlpack(self)

    def view(self, dtype: str) -> "Tensor":
        """The same bytes as elements of another dtype of the same size, or as bytes: U8 adds a last side."""
        old, new = _dlpack.DTYPES[self.dtype][1], _dlpack.DTYPES[dtype][1]
        if old == new:
            return Tensor(self.memory, self.offset, self.shape, dtype, self.strides, self._owner)
        if new != 8:
            raise ValueError(f"{self.dtype} viewed as {dtype}: other sizes than bytes are not supported")
        strides = self.strides and tuple(n * old // 8 for n in self.strides) + (1,)
        return Tensor(self.memory, self.offset, self.shape + (old // 8,), dtype, strides, self._owner)


def from_dlpack(obj: Any, context: Optional[_core.Context] = None, *, writable: bool = True) -> Tensor:
    """An application's tensor (NumPy, torch, CuPy, JAX) as ours, without a copy: to read into it or write from it."""
    memory, dtype, shape = _dlpack.borrow(obj, context, writable)
    return Tensor(memory, 0, shape, dtype)
