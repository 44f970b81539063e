# SPDX-License-Identifier: MIT
"""The border to libdevio: its structures and prototypes, for ctypes.

DEVIO_LIBRARY names another libdevio.so than the system's.
"""
import ctypes as c
import os

u16, u32, u64, i64 = c.c_uint16, c.c_uint32, c.c_uint64, c.c_int64
ptr = c.c_void_p

PATHS = ("auto", "file-dmabuf", "file-p2p", "file-host", "file-bounce", "file-buffered")


class Completion(c.Structure):
    """struct devio_completion"""

    _fields_ = [
        ("cookie", u64), ("result", i64), ("good", u64), ("copied", u64),
        ("path", u16), ("best_unused", u16), ("reason", u16), ("flags", u16),
        ("frags", u32), ("resv0", u32), ("resv", u64 * 2),
    ]


class _Sized(c.Structure):
    def __init__(self, **fields):
        super().__init__(sz=c.sizeof(self), **fields)


class FileOpts(_Sized):
    """struct devio_file_opts"""

    _fields_ = [("sz", c.c_size_t), ("path", c.c_int), ("flags", c.c_uint), ("mode", c.c_uint)]


class FileInfo(_Sized):
    """struct devio_file_info"""

    _fields_ = [("sz", c.c_size_t), ("size", u64), ("dio_mem_align", u32), ("dio_off_align", u32), ("is_block", c.c_uint)]


class MemInfo(_Sized):
    """struct devio_mem_info"""

    _fields_ = [
        ("sz", c.c_size_t), ("size", u64), ("device_ptr", u64), ("caps", c.c_uint),
        ("spec", c.c_char * 64), ("bdf", c.c_char * 16),
    ]


class RingOpts(_Sized):
    """struct devio_ring_opts"""

    _fields_ = [
        ("sz", c.c_size_t), ("entries", c.c_uint), ("flags", c.c_uint), ("staging", u64),
        ("slot", u32), ("dmabuf_slots", u32), ("spin_ns", c.c_int32),
    ]


_PROTOTYPES = {
    "devio_errmsg": (c.c_char_p,),
    "devio_version": (c.c_char_p,),
    "devio_path_name": (c.c_char_p, c.c_uint),
    "devio_reason_text": (c.c_char_p, c.c_uint),
    "devio_completion_text": (c.c_int, ptr, c.c_char_p, c.c_size_t),
    "devio_ctx_open": (c.c_int, ptr, ptr),
    "devio_ctx_close": (None, ptr),
    "devio_mem_alloc": (c.c_int, ptr, c.c_char_p, u64, ptr, ptr),
    "devio_mem_import_ptr": (c.c_int, ptr, c.c_char_p, ptr, u64, ptr),
    "devio_mem_import_dmabuf": (c.c_int, ptr, c.c_int, u64, u64, ptr),
    "devio_mem_export": (c.c_int, ptr, ptr, ptr),
    "devio_mem_map": (c.c_int, ptr, ptr),
    "devio_mem_copy_in": (c.c_int, ptr, u64, ptr, c.c_size_t),
    "devio_mem_copy_out": (c.c_int, ptr, u64, ptr, c.c_size_t),
    "devio_mem_get_info": (c.c_int, ptr, ptr),
    "devio_mem_free": (None, ptr),
    "devio_file_open": (c.c_int, ptr, c.c_char_p, c.c_int, ptr, ptr),
    "devio_file_close": (None, ptr),
    "devio_file_read": (c.c_ssize_t, ptr, ptr, u64, u64, u64, ptr),
    "devio_file_write": (c.c_ssize_t, ptr, ptr, u64, u64, u64, ptr),
    "devio_file_sync": (c.c_int, ptr),
    "devio_file_get_info": (c.c_int, ptr, ptr),
    "devio_ring_open": (c.c_int, ptr, ptr, ptr),
    "devio_ring_close": (None, ptr),
    "devio_ring_read": (c.c_int, ptr, ptr, ptr, u64, u64, u64, u64),
    "devio_ring_write": (c.c_int, ptr, ptr, ptr, u64, u64, u64, u64),
    "devio_ring_submit": (c.c_int, ptr),
    "devio_ring_wait": (c.c_int, ptr, ptr, c.c_uint, c.c_uint, i64),
    "devio_ring_peek": (c.c_int, ptr, ptr, c.c_uint),
    "devio_ring_cancel": (c.c_int, ptr, u64),
    "devio_ring_inflight": (c.c_uint, ptr),
    "devio_ring_fd": (c.c_int, ptr),
}


def prepare(name: str, prototypes: dict, variable: str) -> c.CDLL:
    """A library with its prototypes; `variable` of the environment names another file."""
    try:
        opened = c.CDLL(name)
    except OSError as e:
        raise ImportError(f"devio: {name} does not load ({e}): install libdevio, or name it in {variable}") from e
    for symbol, (result, *arguments) in prototypes.items():
        f = getattr(opened, symbol)
        f.restype, f.argtypes = result, arguments
    return opened


lib = prepare(os.environ.get("DEVIO_LIBRARY", "libdevio.so.0"), _PROTOTYPES, "DEVIO_LIBRARY")
