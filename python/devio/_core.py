# SPDX-License-Identifier: MIT
"""Context, Memory, File and Ring: the objects of libdevio."""
import ctypes as c
import os
import threading
from typing import Any, NamedTuple, Optional, Tuple

from ._lib import PATHS, Completion, FileInfo, FileOpts, MemInfo, RingOpts, lib


class Error(OSError):
    """An error of the library: errno, and the sentence that says what failed and what to do."""


def check(rc: int) -> int:
    """A count, or the library's error as an exception."""
    if rc < 0:
        raise Error(-rc, (lib.devio_errmsg() or b"").decode(errors="replace") or os.strerror(-rc))
    return rc


class Done(NamedTuple):
    """How an operation ended: bytes or -errno; `path` tells the way, `reason` why no better one ("": none is)."""

    cookie: int
    result: int
    copied: int
    path: str
    reason: str
    text: str

    def value(self) -> int:
        """The bytes transferred; raises Error if the operation failed."""
        if self.result < 0:
            raise Error(-self.result, self.text)
        return self.result


def _done(d: Completion) -> Done:
    text = c.create_string_buffer(512)
    lib.devio_completion_text(c.byref(d), text, len(text))
    return Done(d.cookie, d.result, d.copied, lib.devio_path_name(d.path).decode(),
                lib.devio_reason_text(d.reason).decode() if d.reason else "", text.value.decode(errors="replace"))


class _Object:
    """Owns a handle; close() is idempotent, and called by `with` and by the collector."""

    _free: Any = None
    _h: Optional[int] = None

    @property
    def handle(self) -> int:
        if self._h is None:
            raise ValueError(f"{type(self).__name__} is closed")
        return self._h

    def close(self) -> None:
        """Gives it back; using it afterwards is a ValueError."""
        h, self._h = self._h, None
        if h is not None:
            self._free(h)

    def __enter__(self):
        return self

    def __exit__(self, *_exc) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class Context(_Object):
    """A libdevio context. Most programs need only the one that default() gives."""

    _free = staticmethod(lib.devio_ctx_close)

    def __init__(self) -> None:
        h = c.c_void_p()
        check(lib.devio_ctx_open(None, c.byref(h)))
        self._h = h.value


_default: Optional[Context] = None
_default_pid = 0
_lock = threading.Lock()


def default() -> Context:
    """The process's context, opened when first needed; a child of fork() gets its own."""
    global _default, _default_pid
    with _lock:
        if _default is None or _default_pid != os.getpid():
            _default, _default_pid = Context(), os.getpid()
        return _default


class Memory(_Object):
    """Device memory: Memory("cuda:0", size), or of an application's pointer or dma-buf."""

    _free = staticmethod(lib.devio_mem_free)

    def __init__(self, spec: str, size: int, context: Optional[Context] = None) -> None:
        ctx = context or default()
        h = c.c_void_p()
        check(lib.devio_mem_alloc(ctx.handle, spec.encode(), _unsigned(size, "size"), None, c.byref(h)))
        self._set(h, ctx, None)

    def _set(self, h: c.c_void_p, ctx: Context, owner: Any) -> "Memory":
        self._h, self._ctx, self._owner = h.value, ctx, owner
        info = MemInfo()
        check(lib.devio_mem_get_info(self._h, c.byref(info)))
        self.size: int = info.size
        self.spec: str = info.spec.decode()
        self.device_ptr: int = info.device_ptr
        return self

    @classmethod
    def from_pointer(cls, spec: str, pointer: int, size: int, owner: Any = None,
                     context: Optional[Context] = None) -> "Memory":
        """Borrows memory that the application owns; `owner` is kept alive until close()."""
        ctx, h = context or default(), c.c_void_p()
        check(lib.devio_mem_import_ptr(ctx.handle, spec.encode(), pointer, _unsigned(size, "size"), c.byref(h)))
        return cls.__new__(cls)._set(h, ctx, owner)

    @classmethod
    def from_dmabuf(cls, fd: int, offset: int, size: int, context: Optional[Context] = None) -> "Memory":
        """Bytes [offset, offset + size) of a dma-buf; the descriptor is duplicated."""
        ctx, h = context or default(), c.c_void_p()
        check(lib.devio_mem_import_dmabuf(ctx.handle, fd, _unsigned(offset, "offset"), _unsigned(size, "size"),
                                          c.byref(h)))
        return cls.__new__(cls)._set(h, ctx, None)

    def export(self) -> Tuple[int, int]:
        """A dma-buf descriptor, the caller's to close, and the offset of the memory in it."""
        fd, off = c.c_int(), c.c_uint64()
        check(lib.devio_mem_export(self.handle, c.byref(fd), c.byref(off)))
        return fd.value, off.value

    def map(self) -> int:
        """The address at which the CPU sees the memory; valid until close()."""
        p = c.c_void_p()
        check(lib.devio_mem_map(self.handle, c.byref(p)))
        return p.value or 0

    def copy_in(self, offset: int, data: bytes) -> None:
        """Copies bytes from the host to byte `offset`."""
        data = bytes(data)
        check(lib.devio_mem_copy_in(self.handle, _unsigned(offset, "offset"), data, len(data)))

    def copy_out(self, offset: int, length: int) -> bytes:
        """Copies bytes to the host."""
        _unsigned(length, "length")
        if offset < 0 or offset + length > self.size:
            raise ValueError(f"bytes {offset}..{offset + length} of a memory of {self.size}")
        buf = c.create_string_buffer(length)
        check(lib.devio_mem_copy_out(self.handle, offset, buf, length))
        return buf.raw


class File(_Object):
    """A file or a block device. read() and write() wait, and return how they went."""

    _free = staticmethod(lib.devio_file_close)

    def __init__(self, path: Any, flags: int = os.O_RDONLY, *, way: str = "auto", direct_only: bool = False,
                 mode: int = 0o644, context: Optional[Context] = None) -> None:
        if way not in PATHS:
            raise ValueError(f"no path is called {way!r}: {', '.join(PATHS)}")
        self._ctx, h = context or default(), c.c_void_p()
        o = FileOpts(path=PATHS.index(way), flags=int(direct_only), mode=mode)
        check(lib.devio_file_open(self._ctx.handle, os.fsencode(path), flags | os.O_CLOEXEC, c.byref(o), c.byref(h)))
        self._h = h.value

    @property
    def size(self) -> int:
        """Bytes now; of a block device its capacity."""
        info = FileInfo()
        check(lib.devio_file_get_info(self.handle, c.byref(info)))
        return info.size

    def _go(self, call, mem: Memory, mem_off: int, length: int, file_off: int) -> Done:
        d = Completion()
        check(call(self.handle, mem.handle, _unsigned(mem_off, "mem_off"), _unsigned(length, "length"),
                   _unsigned(file_off, "file_off"), c.byref(d)))
        return _done(d)

    def read(self, mem: Memory, mem_off: int, length: int, file_off: int) -> Done:
        """Reads into device memory; fewer bytes only where the file ends."""
        return self._go(lib.devio_file_read, mem, mem_off, length, file_off)

    def write(self, mem: Memory, mem_off: int, length: int, file_off: int) -> Done:
        """Writes from device memory."""
        return self._go(lib.devio_file_write, mem, mem_off, length, file_off)

    def sync(self) -> None:
        """fsync()"""
        check(lib.devio_file_sync(self.handle))


class Ring(_Object):
    """Many operations in flight, of one thread. Files and memories are kept alive until they complete."""

    _free = staticmethod(lib.devio_ring_close)
    BATCH = 64

    def __init__(self, entries: int = 0, staging: int = 0, context: Optional[Context] = None) -> None:
        self._ctx, h = context or default(), c.c_void_p()
        check(lib.devio_ring_open(self._ctx.handle, c.byref(RingOpts(entries=entries, staging=staging)), c.byref(h)))
        self._h = h.value
        self._done = (Completion * self.BATCH)()
        self._held: dict = {}
        self._next = 0

    def _queue(self, call, file: File, mem: Memory, mem_off: int, length: int, file_off: int, cookie: Any) -> None:
        rc = call(self.handle, file.handle, mem.handle, _unsigned(mem_off, "mem_off"), _unsigned(length, "length"),
                  _unsigned(file_off, "file_off"), self._next)
        check(rc)
        self._held[self._next] = (cookie, file, mem)
        self._next += 1

    def read(self, file: File, mem: Memory, mem_off: int, length: int, file_off: int, cookie: Any = None) -> None:
        """Queues a read; its completion carries `cookie`, any object. EAGAIN: the ring is full, wait() first."""
        self._queue(lib.devio_ring_read, file, mem, mem_off, length, file_off, cookie)

    def write(self, file: File, mem: Memory, mem_off: int, length: int, file_off: int, cookie: Any = None) -> None:
        """Queues a write."""
        self._queue(lib.devio_ring_write, file, mem, mem_off, length, file_off, cookie)

    def submit(self) -> int:
        """Hands what is queued to the kernel."""
        return check(lib.devio_ring_submit(self.handle))

    def _take(self, n: int) -> list:
        out = []
        for d in self._done[:n]:
            cookie, _file, _mem = self._held.pop(d.cookie)
            out.append(_done(d)._replace(cookie=cookie))
        return out

    def wait(self, least: int = 1, timeout: Optional[float] = None) -> list:
        """Submits, waits for `least` completions (or `timeout` seconds) and returns those that are there."""
        ns = -1 if timeout is None else int(timeout * 1e9)
        return self._take(check(lib.devio_ring_wait(self.handle, self._done, min(least, self.BATCH), self.BATCH, ns)))

    def peek(self) -> list:
        """The completions that are there."""
        return self._take(check(lib.devio_ring_peek(self.handle, self._done, self.BATCH)))

    @property
    def inflight(self) -> int:
        """Operations whose completion was not taken yet."""
        return lib.devio_ring_inflight(self.handle)

    def fileno(self) -> int:
        """For select, poll and event loops: readable when peek() has something to do."""
        return check(lib.devio_ring_fd(self.handle))

    def close(self) -> None:
        """Ends what is in flight, then frees."""
        super().close()
        self._held = {}


def _unsigned(n: int, what: str) -> int:
    """ctypes takes any integer modulo 2^64: a negative offset must not become a large one."""
    if not 0 <= n < 1 << 64:
        raise ValueError(f"{what} {n} is not in 0..2^64-1")
    return n
