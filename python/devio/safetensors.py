# SPDX-License-Identifier: MIT
"""safetensors files into and out of device memory, single or sharded by an index."""
import contextlib
import errno
import json
import os
import secrets
import stat
from typing import Any, Dict, List, Optional, Tuple

from . import _core, _load
from ._core import FormatError
from ._load import DTYPES, Source, Tensor, from_dlpack

__all__ = ["FormatError", "Loaded", "load", "save"]
BLOCK = 4096               # file and memory agree on this, so that reads can go directly
_GAP = 16 * BLOCK          # what lies between two tensors, of which nothing is wanted, is read with them
_DIRECT = ("file-dmabuf", "file-p2p", "file-host")


class Loaded(Dict[str, Tensor]):
    """Tensors by name. paths: bytes by the path that they took; reasons: why no better one; metadata: the files' own;
    copied: bytes that were copied through host memory."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.paths: Dict[str, int] = {}
        self.reasons: List[str] = []
        self.metadata: Dict[str, str] = {}
        self.copied = 0


def _size(dtype: str) -> int:
    """Bytes of an element; packed and unknown ones are bytes."""
    return max(DTYPES.get(dtype, (8,))[0] // 8, 1)


def _cached(path: str, offset: int, length: int) -> bool:
    """Is that part of the file in the page cache, as far as some of its pages show? Asking reads nothing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return all(os.preadv(fd, [bytearray(1)], offset + (length - 1) * i // 8, os.RWF_NOWAIT) for i in range(9))
    except OSError:
        return False
    finally:
        os.close(fd)


def _memory(device: str, size: int, parts: Dict[str, Tuple[int, int]], context: _core.Context) -> _core.Memory:
    """Of the host's, memory that nobody touches before it is read into: the library's own is zeroed when it is
    allocated, which is a pass more. Where a drive writes, huge pages: there are fewer to pin. Where the page cache
    is copied, small ones: about as fast, and much faster where the host of a virtual machine takes back free memory,
    by huge pages, and has to be asked for each."""
    if device != "host":
        return _core.Memory(device, size, context)
    return _load.host_memory(size, not all(_cached(path, *part) for path, part in parts.items()), context)


def load(file: Any, device: Any = "host", *, path: str = "auto", direct_only: bool = False,
         context: Optional[_core.Context] = None) -> Loaded:
    """Loads every tensor of a safetensors file, or of the files of an index (*.json), into `device`.

    file: a name, or tcp://HOST:PORT/PATH of a devio-serve; device: as in Memory, or a torch.device; path: forces a
    path; direct_only: a direct path or Error (EOPNOTSUPP), never a copy. The tensors share one memory, freed with
    the last of them. Raises FormatError (the text names the file and the tensor), Error.
    """
    context = context or _core.default()
    source = Source.safetensors(file)
    plan, size, misaligned = _load.plan(source)
    if misaligned >= 0 and (direct_only or path in _DIRECT):
        f = source.field(misaligned)
        raise _core.Error(errno.EOPNOTSUPP,
    f"load {f.path}: tensor {f.key!r} begins at byte {f.offset}, which is no multiple of the "
    f"size of its {f.dtype}: it has to be copied, and path= or direct_only= excludes that")
    out = Loaded()
    memory = _memory(_core._spec(device), size, _load.plan_parts(plan), context) if size else None
    if memory is not None:
        out.paths, out.reasons, out.copied = _load.read_plan(context, source, memory, plan, path, direct_only, _GAP)
    out.metadata = source.metadata
    _load.plan_tensors(plan, memory, out)
    return out


def _plan(tensors: Dict[str, Any], metadata: Optional[Dict[str, str]], context: Any) -> Tuple[bytes, list]:
    ours = {k: t if isinstance(t, Tensor) else from_dlpack(t, context, writable=False) for k, t in tensors.items()}
    for name, t in ours.items():
        if t.strides is not None:
            raise ValueError(f"tensor {name!r} is not contiguous: copy it first")
    header: Dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at, plan = 0, []
    # The widest elements first: then all of them are aligned.
    for name, t in sorted(ours.items(), key=lambda i: (-_size(i[1].dtype), i[0])):
        header[name] = {"dtype": t.dtype, "shape": list(t.shape), "data_offsets": [at, at + t.nbytes]}
        plan.append((t, at))
        at += t.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % BLOCK)    # the data begins at a block
    return len(text).to_bytes(8, "little") + text, plan


def _create(target: str, old: Optional[os.stat_result]) -> Tuple[int, str]:
    """A new file beside the target. Nobody but its owner reads what replaces a file before that one's mode is set."""
    directory, name = os.path.split(target)
    for _ in range(100):
        temporary = os.path.join(directory, f".{name[:200]}.{secrets.token_hex(6)}")
        try:
            return os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL |
                           os.O_CLOEXEC, 0o600 if old else 0o666), temporary
        except FileExistsError:
            continue
    raise FileExistsError(f"{target}: no new name beside it is free")


def _keep_mode(fd: int, old: os.stat_result) -> None:
    """The owner where that may be, and the permissions; never setuid and the like for other bytes."""
    with contextlib.suppress(OSError):
        os.fchown(fd, old.st_uid, old.st_gid)
    os.fchmod(fd, stat.S_IMODE(old.st_mode) & 0o777 & (~0 if os.fstat(fd).st_gid == old.st_gid else ~0o070))


def _replace(temporary: str, target: str) -> None:
    """The new file takes the target's name, whatever happens then."""
    os.replace(temporary, target)
    fd = os.open(os.path.dirname(target) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):     # some file systems have no fsync of directories
            os.fsync(fd)
    finally:
        os.close(fd)


def _write(fd: int, temporary: str, head: bytes, plan: list, old: Optional[os.stat_result], context: Any) -> None:
    rest = memoryview(head)
    while rest:
        rest = rest[os.write(fd, rest):]
    with _core.File(temporary, os.O_RDWR, context=context) as f:
        for t, at in plan:
            hold = t._hold()       # a batch's slot is not read into meanwhile
            if t.nbytes and f.write(t.memory, t.offset, t.nbytes, len(head) + at).value() != t.nbytes:
                raise OSError(f"{temporary}: written short")
            del hold
        f.sync()
    if old:
        _keep_mode(fd, old)
    os.fsync(fd)


def save(tensors: Dict[str, Any], file: Any, metadata: Optional[Dict[str, str]] = None, *,
         context: Optional[_core.Context] = None) -> None:
    """Writes tensors (ours, or anything that from_dlpack() takes) as a safetensors file, whole or not at all.

    A file of that name is replaced: its mode stays, its owner where this process may give files away; a symbolic link
    stays one, to the new file. Raises ValueError (not contiguous), Error, OSError.
    """
    if "__metadata__" in tensors:
        raise ValueError("no tensor can be called __metadata__")
    head, plan = _plan(tensors, metadata, context)
    target = os.path.realpath(os.fsdecode(file))
    old: Optional[os.stat_result] = None
    with contextlib.suppress(FileNotFoundError):
        old = os.stat(target)
    if old and not stat.S_ISREG(old.st_mode):
        raise ValueError(f"{target}: only a regular file can be replaced")
    fd, temporary = _create(target, old)
    try:
        try:
            _write(fd, temporary, head, plan, old, context)
        finally:
            os.close(fd)
        _replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
