# SPDX-License-Identifier: MIT
"""The border to libdevio-load: its structures and prototypes, for ctypes. Opened when first imported.

DEVIO_LOAD_LIBRARY names another libdevio-load.so than the one beside libdevio.so.
"""
import ctypes as c
import os

from ._lib import _Sized, i64, prepare, ptr, u16, u32, u64

DIRECT_ONLY, SHUFFLE, UNORDERED, DROP_LAST = 1 << 0, 1 << 16, 1 << 17, 1 << 18
RECORDS_TAIL = 1 << 0
KINDS = {1: "safetensors", 2: "tar", 3: "records"}
ITEM_WORDS = 8          # struct devio_item: 64 bytes


class RecordsOpts(_Sized):
    """struct devio_records_opts"""

    _fields_ = [("sz", c.c_size_t), ("record_size", u64), ("header", u64), ("flags", c.c_uint)]


class SourceInfo(_Sized):
    """struct devio_source_info"""

    _fields_ = [
        ("sz", c.c_size_t), ("items", u64), ("bytes", u64), ("max_bytes", u64), ("kind", c.c_uint),
        ("files", c.c_uint), ("max_fields", c.c_uint), ("metas", c.c_uint),
    ]


class Field(_Sized):
    """struct devio_field"""

    _fields_ = [
        ("sz", c.c_size_t), ("key", c.c_char_p), ("name", c.c_char_p), ("path", c.c_char_p), ("dtype", c.c_char_p),
        ("shape", c.POINTER(u64)), ("off", u64), ("len", u64), ("rank", c.c_uint), ("file", c.c_uint),
    ]


class LoaderOpts(_Sized):
    """struct devio_loader_opts"""

    _fields_ = [
        ("sz", c.c_size_t), ("mem_off", u64), ("budget", u64), ("seed", u64), ("slots", u32), ("batch", u32),
        ("shuffle_block", u32), ("align", u32), ("max_read", u32), ("merge_gap", u32), ("depth", u32),
        ("max_files", u32), ("rank", u32), ("world_size", u32), ("worker", u32), ("num_workers", u32),
        ("path", c.c_int), ("flags", c.c_uint),
    ]


class Item(c.Structure):
    """struct devio_item"""

    _fields_ = [
        ("id", u64), ("mem_off", u64), ("len", u64), ("field", u32), ("error", c.c_int32),
        ("path", u16), ("best_unused", u16), ("reason", u16), ("flags", u16), ("resv", u64 * 3),
    ]


class Batch(_Sized):
    """struct devio_batch"""

    _fields_ = [("sz", c.c_size_t), ("items", ptr), ("seq", u64), ("nr", u32), ("failed", u32), ("slot", u32)]


class LoaderInfo(_Sized):
    """struct devio_loader_info"""

    _fields_ = [
        ("sz", c.c_size_t), ("items", u64), ("slot_bytes", u64), ("reads", u64), ("read_bytes", u64),
        ("item_bytes", u64), ("batches", u64), ("slots", u32),
    ]


_PROTOTYPES = {
    "devio_source_open_safetensors": (c.c_int, c.c_char_p, ptr),
    "devio_source_open_tar": (c.c_int, ptr, c.c_uint, ptr),
    "devio_source_open_records": (c.c_int, ptr, c.c_uint, ptr, ptr),
    "devio_source_close": (None, ptr),
    "devio_source_get_info": (c.c_int, ptr, ptr),
    "devio_source_count": (c.c_int, ptr, u64),
    "devio_source_get_field": (c.c_int, ptr, u64, c.c_uint, ptr),
    "devio_source_find": (i64, ptr, c.c_char_p),
    "devio_source_get_meta": (c.c_int, ptr, c.c_uint, ptr, ptr),
    "devio_loader_open": (c.c_int, ptr, ptr, ptr, ptr, ptr),
    "devio_loader_close": (None, ptr),
    "devio_loader_start": (c.c_int, ptr, u64, u64),
    "devio_loader_next": (c.c_int, ptr, ptr, i64),
    "devio_loader_release": (c.c_int, ptr, u32),
    "devio_loader_get_info": (c.c_int, ptr, ptr),
}


def _name() -> str:
    beside = os.path.dirname(os.environ.get("DEVIO_LIBRARY", ""))
    return os.environ.get("DEVIO_LOAD_LIBRARY") or os.path.join(beside, "libdevio-load.so.0")


lib = prepare(_name(), _PROTOTYPES, "DEVIO_LOAD_LIBRARY")
