# SPDX-License-Identifier: MIT
"""safetensors files into and out of device memory, single or sharded by an index."""
import ctypes as c
import json
import math
import mmap
import os
import tempfile
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from . import _core
from ._dlpack import DTYPES
from ._tensor import Tensor, from_dlpack

MAX_HEADER = 100 << 20     # as safetensors itself
PIECE = 8 << 20            # bytes of one read: large enough for any drive, small enough to overlap
BLOCK = 4096               # file and memory agree on this, so that reads can go directly
_DEPTH = 32


class FormatError(ValueError):
    """A file that is not what it says; the text tells which field of which file."""


class Entry(NamedTuple):
    """A tensor of a file: bytes [begin, end) of it."""

    dtype: str
    shape: Tuple[int, ...]
    begin: int
    end: int


class _Header(NamedTuple):
    path: str
    data: int
    end: int
    entries: Dict[str, Entry]
    metadata: Dict[str, str]


def _unique(path: str):
    def pairs(items: list) -> dict:
        d = dict(items)
        if len(d) != len(items):
            raise FormatError(f"{path}: a key is there twice")
        return d
    return pairs


def _json(path: str, text: bytes) -> dict:
    try:
        d = json.loads(text.decode(), object_pairs_hook=_unique(path))
    except FormatError:
        raise
    except (ValueError, RecursionError) as e:
        raise FormatError(f"{path}: no JSON: {e}") from e
    if not isinstance(d, dict):
        raise FormatError(f"{path}: the JSON is no object")
    return d


def _is_count(n: Any) -> bool:
    return type(n) is int and 0 <= n < 1 << 63


def _entry(path: str, name: str, e: Any, data: int, room: int) -> Entry:
    where = f"{path}: tensor {name!r}"
    if not isinstance(e, dict) or set(e) != {"dtype", "shape", "data_offsets"}:
        raise FormatError(f"{where}: wants dtype, shape and data_offsets")
    dtype, shape, offsets = e["dtype"], e["shape"], e["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise FormatError(f"{where}: unknown dtype {dtype!r}")
    if not isinstance(shape, list) or not all(map(_is_count, shape)):
        raise FormatError(f"{where}: the shape is no list of counts")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_count, offsets)):
        raise FormatError(f"{where}: data_offsets is no pair of counts")
    begin, end = offsets
    if not begin <= end <= room:
        raise FormatError(f"{where}: bytes {begin}..{end} of {room}: the file is truncated or the offsets are wrong")
    if math.prod(shape) * DTYPES[dtype][1] // 8 != end - begin:
        raise FormatError(f"{where}: {dtype} {shape} does not have {end - begin} bytes")
    return Entry(dtype, tuple(shape), data + begin, data + end)


def read_header(path: Any) -> _Header:
    """The tensors of a file, each checked; raises FormatError, or OSError where it cannot be read."""
    path = os.fspath(path)
    with open(path, "rb") as f:
        size = os.fstat(f.fileno()).st_size
        n = int.from_bytes(f.read(8), "little")
        if size < 8 or n > min(MAX_HEADER, size - 8):
            raise FormatError(f"{path}: a header of {n} bytes in a file of {size}: truncated, or no safetensors file")
        d = _json(path, f.read(n))
    meta = d.pop("__metadata__", {})
    if not isinstance(meta, dict) or not all(isinstance(v, str) for v in meta.values()):
        raise FormatError(f"{path}: __metadata__ is no map of strings")
    data = 8 + n
    entries = {k: _entry(path, k, e, data, size - data) for k, e in d.items()}
    at = data
    for name, e in sorted(entries.items(), key=lambda i: (i[1].begin, i[1].end)):
        if e.begin != at:
            raise FormatError(f"{path}: tensor {name!r} {'overlaps' if e.begin < at else 'leaves a hole behind'} the one before")
        at = e.end
    if at != size:
        raise FormatError(f"{path}: {size - at} bytes behind the last tensor")
    return _Header(path, data, at, entries, meta)


def _shards(path: str) -> List[_Header]:
    """The files of an index, which names each tensor's; they lie beside it."""
    if not path.endswith(".json"):
        return [read_header(path)]
    with open(path, "rb") as f:
        text = f.read(MAX_HEADER + 1)
    if len(text) > MAX_HEADER:
        raise FormatError(f"{path}: an index of more than {MAX_HEADER} bytes")
    weights = _json(path, text).get("weight_map")
    if not isinstance(weights, dict) or not all(isinstance(v, str) for v in weights.values()):
        raise FormatError(f"{path}: weight_map is no map of strings")
    headers = []
    for name in sorted(set(weights.values())):
        if name != os.path.basename(name) or name in ("", ".", ".."):
            raise FormatError(f"{path}: {name!r} is not the name of a file beside the index")
        headers.append(read_header(os.path.join(os.path.dirname(path), name)))
    for h in headers:
        for key in h.entries:
            if weights.pop(key, None) != os.path.basename(h.path):
                raise FormatError(f"{path}: weight_map does not say that tensor {key!r} is in {h.path}")
    if weights:
        raise FormatError(f"{path}: tensor {next(iter(weights))!r} is not in the file that weight_map names")
    return headers


def _aligned(h: _Header, base: int) -> bool:
    return all((base + e.begin) % (DTYPES[e.dtype][1] // 8) == 0 for e in h.entries.values())


def _layout(headers: List[_Header]) -> Tuple[List[int], int]:
    """Where byte 0 of each file would lie in the memory, and the memory's size. File and memory have
    the same offset in a block, so that reads go directly; unless elements would lie askew."""
    bases, end = [], 0
    for h in headers:
        start = -(-end // BLOCK) * BLOCK
        base = start + h.data % BLOCK - h.data
        if not _aligned(h, base):
            base = start - h.data
        bases.append(base)
        end = base + h.end
    return bases, end


class Loaded(Dict[str, Tensor]):
    """Tensors by name. `paths`: bytes by the way they took; `why`: the reasons; `metadata`: the files' own."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: Dict[str, int] = {}
        self.why: List[str] = []
        self.metadata: Dict[str, str] = {}
        self.copied = 0


def _count(out: Loaded, done: _core.Done, want: int, path: str) -> None:
    if done.value() != want:
        raise FormatError(f"{path}: became shorter while it was read")
    out.paths[done.path] = out.paths.get(done.path, 0) + want
    out.copied += done.copied
    if done.reason and done.reason not in out.why:
        out.why.append(done.reason)


def _read(headers: List[_Header], bases: List[int], memory: _core.Memory, out: Loaded, way: str,
          context: Optional[_core.Context]) -> None:
    with _core.Ring(_DEPTH, context=context) as ring:
        for h, base in zip(headers, bases):
            with _core.File(h.path, way=way, context=context) as f:
                at = h.data
                while at < h.end or ring.inflight:
                    while at < h.end and ring.inflight < _DEPTH:
                        n = min(PIECE - at % PIECE, h.end - at)
                        ring.read(f, memory, base + at, n, at, n)
                        at += n
                    for done in ring.wait():
                        _count(out, done, done.cookie, h.path)


def _cached(h: _Header) -> bool:
    """Is the file in the page cache, as far as some of its pages tell? Asking reads nothing."""
    with open(h.path, "rb", buffering=0) as f:
        for i in range(9):
            try:
                if not os.preadv(f.fileno(), [bytearray(1)], h.data + (h.end - h.data - 1) * i // 8, os.RWF_NOWAIT):
                    return False
            except OSError:
                return False
    return True


def _memory(device: str, size: int, headers: List[_Header], context: Optional[_core.Context]) -> _core.Memory:
    """Of the host's, memory that nobody touches before it is read into: the library's own is zeroed when it is
    allocated, which is a pass more. Where a drive writes, huge pages: there are fewer to pin. Where the page cache
    is copied, small ones: about as fast, and much faster where the host of a virtual machine takes back free memory,
    by huge pages, and has to be asked for each."""
    if device != "host":
        return _core.Memory(device, size, context)
    m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if not all(_cached(h) for h in headers if h.end > h.data):
        try:
            m.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            pass       # a kernel without them
    return _core.Memory.from_pointer("host", c.addressof(c.c_char.from_buffer(m)), size, m, context)


def load(path: Any, device: str = "host", *, way: str = "auto", context: Optional[_core.Context] = None) -> Loaded:
    """Loads every tensor of a safetensors file, or of all files of an index (*.json), into `device`.

    The tensors share one memory, freed with the last of them. `way` forces a path.
    """
    headers = _shards(os.fspath(path))
    bases, size = _layout(headers)
    out = Loaded()
    memory = _memory(device, size, headers, context) if any(h.end > h.data for h in headers) else None
    if memory is not None:
        _read(headers, bases, memory, out, way, context)
    for h, base in zip(headers, bases):
        out.metadata.update(h.metadata)
        for name, e in h.entries.items():
            out[name] = Tensor(memory, base + e.begin, e.shape, e.dtype)    # an empty one is on the device, too
    return out


def _plan(tensors: Dict[str, Any], metadata: Optional[Dict[str, str]], context: Any) -> Tuple[bytes, list]:
    ours = {k: t if isinstance(t, Tensor) else from_dlpack(t, context, writable=False) for k, t in tensors.items()}
    for name, t in ours.items():
        if t.strides is not None:
            raise ValueError(f"tensor {name!r} is not contiguous: copy it first")
    header: Dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at, plan = 0, []
    # The widest elements first: then all of them are aligned.
    for name, t in sorted(ours.items(), key=lambda i: (-DTYPES[i[1].dtype][1], i[0])):
        header[name] = {"dtype": t.dtype, "shape": list(t.shape), "data_offsets": [at, at + t.nbytes]}
        plan.append((t, at))
        at += t.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % BLOCK)    # the data begins at a block
    return len(text).to_bytes(8, "little") + text, plan


def save(tensors: Dict[str, Any], path: Any, metadata: Optional[Dict[str, str]] = None, *,
         context: Optional[_core.Context] = None) -> None:
    """Writes tensors (ours, or anything with __dlpack__) as a safetensors file; the file is there whole or not at all."""
    if "__metadata__" in tensors:
        raise ValueError("no tensor can be called __metadata__")
    head, plan = _plan(tensors, metadata, context)
    path = os.fspath(path)
    fd, temporary = tempfile.mkstemp(prefix=os.path.basename(path) + ".", dir=os.path.dirname(path) or ".")
    try:
        with os.fdopen(fd, "wb") as f:
            f.write(head)
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(f.fileno(), 0o666 & ~mask)
        with _core.File(temporary, os.O_RDWR, context=context) as f:
            for t, at in plan:
                if t.nbytes and f.write(t.memory, t.offset, t.nbytes, len(head) + at).value() != t.nbytes:
                    raise OSError(f"{temporary}: written short")
            f.sync()
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
