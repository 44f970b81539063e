# SPDX-License-Identifier: MIT
"""DLPack, both ways: https://dmlc.github.io/dlpack, versions 0 and 1."""
import ctypes as c
from typing import Any, Optional, Tuple

from . import _core

CPU, CUDA, ROCM, ONEAPI = 1, 2, 10, 14
_SPECS = {CUDA: "cuda", ROCM: "hip", ONEAPI: "ze"}
#: dtype -> DLPack's code and bits; the names are safetensors'
DTYPES = {
    "BOOL": (6, 8), "U8": (1, 8), "I8": (0, 8), "U16": (1, 16), "I16": (0, 16), "F16": (2, 16), "BF16": (4, 16),
    "U32": (1, 32), "I32": (0, 32), "F32": (2, 32), "U64": (1, 64), "I64": (0, 64), "F64": (2, 64),
    "C64": (5, 64), "F8_E4M3": (10, 8), "F8_E5M2": (12, 8),
}
_NAMES = {v: k for k, v in DTYPES.items()}


class _Tensor(c.Structure):
    _fields_ = [
        ("data", c.c_void_p), ("device_type", c.c_int32), ("device_id", c.c_int32), ("ndim", c.c_int32),
        ("code", c.c_uint8), ("bits", c.c_uint8), ("lanes", c.c_uint16),
        ("shape", c.POINTER(c.c_int64)), ("strides", c.POINTER(c.c_int64)), ("byte_offset", c.c_uint64),
    ]


class _Managed(c.Structure):
    _fields_ = [("tensor", _Tensor), ("ctx", c.c_void_p), ("deleter", c.c_void_p)]


class _Versioned(c.Structure):
    _fields_ = [("major", c.c_uint32), ("minor", c.c_uint32), ("ctx", c.c_void_p), ("deleter", c.c_void_p),
                ("flags", c.c_uint64), ("tensor", _Tensor)]


_PLAIN, _VERSIONED = b"dltensor", b"dltensor_versioned"
_KINDS = {_PLAIN: _Managed, _VERSIONED: _Versioned}
_READ_ONLY = 1
_deleter_type = c.CFUNCTYPE(None, c.c_void_p)
_api = c.pythonapi
_new = _api.PyCapsule_New
_new.restype, _new.argtypes = c.py_object, (c.c_void_p, c.c_char_p, c.c_void_p)
_is_valid = _api.PyCapsule_IsValid
_is_valid.argtypes = (c.c_void_p, c.c_char_p)
_get = _api.PyCapsule_GetPointer
_get.restype, _get.argtypes = c.c_void_p, (c.c_void_p, c.c_char_p)
_set_name = _api.PyCapsule_SetName
_set_name.argtypes = (c.c_void_p, c.c_char_p)

# A capsule keeps the pointer to its name, not the name: these live for ever.
_USED = {name: b"used_" + name for name in _KINDS}
for _name in (*_USED, *_USED.values()):
    _api.Py_IncRef(c.py_object(_name))

_lent: dict = {}       # address of a managed tensor -> what must live until its deleter runs


@_deleter_type
def _deleter(address, _lent=_lent):
    _lent.pop(address, None)


@_deleter_type
def _capsule_gone(capsule, _lent=_lent, _kinds=tuple(_KINDS), _is_valid=_is_valid, _get=_get):
    for name in _kinds:        # a consumer renames the capsule: then the deleter is its to call
        if _is_valid(capsule, name):
            _lent.pop(_get(capsule, name), None)


def steps(shape: tuple) -> Tuple[int, ...]:
    """The strides of contiguous elements, in elements."""
    out, step = [], 1
    for n in reversed(shape):
        out.append(step)
        step *= n
    return tuple(reversed(out))


def lend(owner: Any, address: int, device: Tuple[int, int], shape: tuple, dtype: str, versioned: bool,
         strides: Optional[Tuple[int, ...]] = None) -> Any:
    """A capsule, which keeps `owner` alive; contiguous without `strides` (in elements)."""
    code, bits = DTYPES[dtype]
    dims = (c.c_int64 * max(len(shape), 1))(*shape)
    t = _Tensor(address, device[0], device[1], len(shape), code, bits, 1, dims, None, 0)
    paces = None
    if versioned or strides is not None:
        paces = (c.c_int64 * max(len(shape), 1))(*(steps(shape) if strides is None else strides))
        t.strides = paces
    if versioned:
        m, name = _Versioned(1, 0, None, c.cast(_deleter, c.c_void_p), 0, t), _VERSIONED
    else:
        m, name = _Managed(t, None, c.cast(_deleter, c.c_void_p)), _PLAIN
    _lent[c.addressof(m)] = (m, dims, paces, owner)
    return _new(c.addressof(m), name, c.cast(_capsule_gone, c.c_void_p))


class _Borrowed:
    """Somebody's managed tensor; its deleter runs when this goes."""

    def __init__(self, managed: Any) -> None:
        self._managed = managed

    def __del__(self) -> None:
        if self._managed.deleter:
            _deleter_type(self._managed.deleter)(c.addressof(self._managed))


def _contiguous(t: _Tensor) -> int:
    """Elements, if they lie one behind the other in C order."""
    count = 1
    if 0 in t.shape[:t.ndim]:
        return 0       # whatever its strides say
    for i in reversed(range(t.ndim)):
        if t.strides and t.shape[i] != 1 and t.strides[i] != count:
            raise ValueError("the tensor is not contiguous: call contiguous() or ascontiguousarray() first")
        count *= t.shape[i]
    return count


def borrow(obj: Any, context: Optional[_core.Context], writable: bool) -> Tuple[_core.Memory, str, tuple]:
    """Memory of a tensor, without a copy; its dtype; its shape. An empty tensor has no memory."""
    try:
        capsule = obj.__dlpack__(max_version=(1, 0))
    except TypeError:
        capsule = obj.__dlpack__()
    for name, kind in _KINDS.items():
        if _is_valid(id(capsule), name):
            break
    else:
        raise ValueError("__dlpack__() gave no DLPack capsule, or one that was used already")
    m = kind.from_address(_get(id(capsule), name))
    _set_name(id(capsule), _USED[name])
    owner = _Borrowed(m)
    t = m.tensor
    if writable and kind is _Versioned and m.flags & _READ_ONLY:
        raise ValueError("the tensor is read-only")
    dtype = _NAMES.get((t.code, t.bits))
    if dtype is None or t.lanes != 1:
        raise ValueError(f"no dtype of ours is DLPack's code {t.code}, {t.bits} bits, {t.lanes} lanes")
    size = _contiguous(t) * (t.bits // 8)
    shape = tuple(t.shape[i] for i in range(t.ndim))
    if t.device_type != CPU and t.device_type not in _SPECS:
        raise ValueError(f"DLPack's device type {t.device_type} is not supported: host, CUDA, ROCm, oneAPI are")
    if not size:
        return None, dtype, shape
    spec = "host" if t.device_type == CPU else f"{_SPECS[t.device_type]}:{t.device_id}"
    return _core.Memory.from_pointer(spec, t.data + t.byte_offset, size, owner, context), dtype, shape
