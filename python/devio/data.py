# SPDX-License-Identifier: MIT
"""Data sets: tensors, samples and records, batch after batch into a bounded piece of device memory.

    source = devio.data.Source.tar(["shard-000.tar", "shard-001.tar"])
    with devio.data.Loader(source, "cuda:0", batch=64, shuffle=True, seed=1) as loader:
        for epoch in range(3):
            for batch in loader.epoch(epoch):
                for sample in batch.samples():
                    image = torch.from_dlpack(sample["jpg"])     # no copy

The library behind it is libdevio-load: devio_source(3), devio_loader(3).
"""
import collections
import ctypes as c
import errno
import gc
import os
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import _core, _load
from ._batch import Batch, Item
from ._lib import PATHS
from ._load import lib

__all__ = ["Batch", "Field", "Info", "Item", "Loader", "Source"]
SLOT_MAX = 256 << 20       # of the memory that a loader takes by itself for a batch, unless one item is larger
BLOCK = 4096
Paths = Union[str, os.PathLike, Sequence[Union[str, os.PathLike]]]


class Field(NamedTuple):
    """Part of an item: bytes [offset, offset + length) of a file. dtype and shape are those of a safetensors file."""

    key: str
    name: str
    path: str
    dtype: str
    shape: Tuple[int, ...]
    offset: int
    length: int


class Info(NamedTuple):
    """Of a loader: items of this epoch and part; reads and bytes since it was opened."""

    items: int
    slot_bytes: int
    slots: int
    reads: int
    read_bytes: int
    item_bytes: int
    batches: int


def _text(s: bytes) -> str:
    return s.decode(errors="surrogateescape")


class Source(_core._Object):
    """Which bytes of which files are an item. Opening checks the files' headers and reads no data. Any thread, a
    child of fork() too, may use it; pickling takes along how it was opened, and opens it again."""

    _free = staticmethod(lib.devio_source_close)

    def __init__(self, kind: str, paths: Paths, **options: Any) -> None:
        self._args = (kind, paths, options)
        names = [paths] if isinstance(paths, (str, bytes, os.PathLike)) else list(paths)
        array = (c.c_char_p * max(len(names), 1))(*map(os.fsencode, names))
        h = c.c_void_p()
        if kind == "safetensors":
            _core.check(lib.devio_source_open_safetensors(array[0], c.byref(h)))
        elif kind == "tar":
            _core.check(lib.devio_source_open_tar(array, len(names), c.byref(h)))
        elif kind == "records":
            o = _load.RecordsOpts(record_size=_core._unsigned(options["record_size"], "record_size"),
                                  header=_core._unsigned(options["header"], "header"),
                                  flags=_load.RECORDS_TAIL if options["tail"] else 0)
            _core.check(lib.devio_source_open_records(array, len(names), c.byref(o), c.byref(h)))
        else:
            raise ValueError(f"no kind of source is called {kind!r}: safetensors, tar, records are")
        self._h = h.value
        info = _load.SourceInfo()
        _core.check(lib.devio_source_get_info(self._h, c.byref(info)))
        #: "safetensors", "tar" or "records"
        self.kind = kind
        self.bytes: int = info.bytes
        self.max_bytes: int = info.max_bytes
        self.files: int = info.files
        self.max_fields: int = info.max_fields
        self._items, self._metas = info.items, info.metas
        self.record_size: int = options.get("record_size", 0)
        self.header: int = options.get("header", 0)

    @classmethod
    def safetensors(cls, path: Union[str, os.PathLike]) -> "Source":
        """A safetensors file, or, by the name of its index (*.json), a sharded model. An item is a tensor."""
        return cls("safetensors", path)

    @classmethod
    def tar(cls, paths: Paths) -> "Source":
        """Shards as WebDataset makes them, not compressed. An item is a sample: neighbours with one key."""
        return cls("tar", paths)

    @classmethod
    def records(cls, paths: Paths, record_size: int, *, header: int = 0, tail: bool = False) -> "Source":
        """Files of records of one size behind `header` bytes. `tail`: pass over an incomplete one at the end."""
        return cls("records", paths, record_size=record_size, header=header, tail=tail)

    def __reduce__(self) -> tuple:
        return _reopen, self._args

    def __len__(self) -> int:
        return self._items

    def count(self, item: int) -> int:
        """The number of fields of an item."""
        return _core.check(lib.devio_source_count(self.handle, _core._unsigned(item, "item")))

    def field(self, item: int, n: int = 0) -> Field:
        """Field n of an item."""
        f = _load.Field()
        _core.check(lib.devio_source_get_field(self.handle, _core._unsigned(item, "item"), n, c.byref(f)))
        return Field(_text(f.key), _text(f.name), os.fsdecode(f.path), _text(f.dtype), tuple(f.shape[:f.rank]), f.off,
                     f.len)

    def find(self, key: str) -> int:
        """The number of the first item with that key; KeyError."""
        n = lib.devio_source_find(self.handle, key.encode(errors="surrogateescape"))
        if n == -errno.ENOENT:
            raise KeyError(key)
        return _core.check(n)

    @property
    def metadata(self) -> Dict[str, str]:
        """The __metadata__ of safetensors files."""
        key, value, out = c.c_char_p(), c.c_char_p(), {}
        for n in range(self._metas):
            _core.check(lib.devio_source_get_meta(self.handle, n, c.byref(key), c.byref(value)))
            out[_text(key.value)] = _text(value.value)
        return out


def _reopen(kind: str, paths: Paths, options: dict) -> Source:
    return Source(kind, paths, **options)


def _align(source: Source, device: str, block: int, shuffle: bool) -> int:
    """Records that the host takes one by one are packed, so that they are one tensor; else files and memory
    agree on a block, so that everything goes directly."""
    regular = source.record_size % BLOCK == 0 and source.header % BLOCK == 0
    small = shuffle and block * source.record_size < 16 * BLOCK
    return 1 if source.kind == "records" and device == "host" and small and not regular else BLOCK


def _slot_bytes(source: Source, batch: int, align: int, run: int, max_read: int) -> int:
    """Room for a batch of the usual size, each of its reads with what alignment adds, and for the largest item."""
    per = source.bytes / max(len(source), 1)
    runs = batch * max(source.max_fields, 1) if source.kind != "records" else \
        batch // run + 2 + int(batch * per) // (max_read or 8 << 20)
    usual = int(batch * per * (1 if source.kind == "records" else 1.25)) + runs * (2 * align if align > 1 else 0)
    largest = source.max_bytes + max(source.max_fields, 1) * 3 * BLOCK
    return -(-max(min(usual, SLOT_MAX), largest) // BLOCK) * BLOCK


class Loader(_core._Object):
    """Batches of a source's items, read ahead into `slots` pieces of memory. Iterating goes through what is left
    of the epoch; epoch() and start() begin another. Of one thread; views of its batches are for all.

    batch: items at most, fewer where a slot is full; slot_bytes: of each (0: enough for a usual batch);
    memory: take this Memory (all of it) instead of a new one on `device`; shuffle, seed, shuffle_block: neighbours
    that stay together in the shuffled order, and so are read together; rank, world_size, worker, num_workers: this
    part of how many: all together have every item once; ordered=False: batches as they come;
    keep_failed: deliver batches with items that could not be read, instead of raising; align: places in file and
    memory agree modulo it; way: force a path. The rest is as in devio_loader(3).
    """

    _free = staticmethod(lib.devio_loader_close)

    def __init__(self, source: Source, device: str = "host", *, memory: Optional[_core.Memory] = None,
                 batch: int = 64, slots: int = 4, slot_bytes: int = 0, shuffle: bool = False, shuffle_block: int = 1,
                 seed: int = 0, rank: int = 0, world_size: int = 1, worker: int = 0, num_workers: int = 1,
                 ordered: bool = True, drop_last: bool = False, keep_failed: bool = False, align: int = 0,
                 max_read: int = 0, merge_gap: int = 0, depth: int = 0, max_files: int = 0, way: str = "auto",
                 direct_only: bool = False, context: Optional[_core.Context] = None) -> None:
        if way not in PATHS:
            raise ValueError(f"no path is called {way!r}: {', '.join(PATHS)}")
        counts = dict(slots=slots, batch=batch, shuffle_block=shuffle_block, rank=rank, world_size=world_size,
                      worker=worker, num_workers=num_workers)
        for name, n in dict(counts, align=align, max_read=max_read, merge_gap=merge_gap, depth=depth,
                            max_files=max_files).items():
            if not (0 if name in ("rank", "worker") or name not in counts else 1) <= n < 1 << 32:
                raise ValueError(f"{name} {n} is out of range")
        device = memory.spec if memory else device
        align = align or _align(source, device, shuffle_block, shuffle)
        if not merge_gap and source.kind == "records":
            merge_gap = 1      # a gap would make the places of records irregular
        if memory is None:
            run = shuffle_block if shuffle else batch
            size = slot_bytes or _slot_bytes(source, batch, align, min(run, batch), max_read)
            memory = _core.Memory(device, -(-size // BLOCK) * BLOCK * slots, context)
        self.source, self.memory, self.keep_failed = source, memory, keep_failed
        self._ctx = context or _core.default()
        flags = shuffle * _load.SHUFFLE | drop_last * _load.DROP_LAST | direct_only * _load.DIRECT_ONLY
        o = _load.LoaderOpts(seed=seed & (1 << 64) - 1, align=align, max_read=max_read, merge_gap=merge_gap, depth=depth,
                             max_files=max_files, path=PATHS.index(way), flags=flags | (not ordered) * _load.UNORDERED,
                             **counts)
        self._back: collections.deque = collections.deque()     # slots of batches that nobody has any more
        self._raw = _load.Batch()
        #: called before slots of collected batches are read into: to wait for a device that still computes
        self.before_reuse: Any = None
        #: bytes by the way they took, and why no better one, since the opening
        self.paths: Dict[str, int] = {}
        self.why: List[str] = []
        h = c.c_void_p()
        _core.check(lib.devio_loader_open(self._ctx.handle, source.handle, memory.handle, c.byref(o), c.byref(h)))
        self._h = h.value
        self._begin(0, 0)

    def _begin(self, epoch: int, skip: int) -> None:
        self.current_epoch = epoch
        #: items of this epoch and part delivered so far, those passed over too: what start() takes to go on here.
        #: With ordered=False those before the first batch that is missing.
        self.taken = skip
        self._seq, self._early = 0, {}

    def start(self, epoch: int, skip: int = 0) -> None:
        """Begins an epoch behind its first `skip` items. The order depends on source, options, seed and epoch alone."""
        _core.check(lib.devio_loader_start(self.handle, _core._unsigned(epoch, "epoch"), _core._unsigned(skip, "skip")))
        self._begin(epoch, skip)

    def epoch(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """start(), and the batches."""
        self.start(epoch, skip)
        return iter(self)

    def _release(self, slot: int) -> None:
        if self._h is not None:
            _core.check(lib.devio_loader_release(self._h, slot))

    def _reuse(self) -> bool:
        if not self._back:
            return False
        slots = [self._back.popleft() for _ in range(len(self._back))]
        if self.before_reuse is not None:
            self.before_reuse()
        for slot in slots:
            self._release(slot)
        return True

    def next(self, timeout: Optional[float] = None) -> Optional[Batch]:
        """The next batch, or None at the end of the epoch. Error: ETIMEDOUT after `timeout` seconds; EAGAIN where
        all slots are with the caller; what went wrong with an item (unless keep_failed), then the next call goes on."""
        self._reuse()
        ns = -1 if timeout is None else int(timeout * 1e9)
        rc = lib.devio_loader_next(self.handle, c.byref(self._raw), ns)
        if rc == -errno.EAGAIN:
            gc.collect()           # cycles may hold views
            if self._reuse():
                rc = lib.devio_loader_next(self.handle, c.byref(self._raw), ns)
        if not _core.check(rc):
            return None
        sentence = _text(_core.lib.devio_errmsg() or b"") if self._raw.failed else ""
        batch = Batch(self, self._raw, sentence)
        self._count(batch)
        return batch if self.keep_failed else batch.check()

    def _count(self, batch: Batch) -> None:
        self._early[batch.seq] = batch.items
        while self._seq in self._early:
            self.taken += self._early.pop(self._seq)
            self._seq += 1
        for fate in set(batch._fates):
            item = Item(batch, batch._fates.index(fate))
            if item.length:
                n = sum(n for n, f in zip(batch.lengths, batch._fates) if f == fate)
                self.paths[item.way] = self.paths.get(item.way, 0) + n
                if item.why and item.why not in self.why:
                    self.why.append(item.why)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = self.next()
        if batch is None:
            raise StopIteration
        return batch

    def info(self) -> Info:
        """Counters."""
        i = _load.LoaderInfo()
        _core.check(lib.devio_loader_get_info(self.handle, c.byref(i)))
        return Info(i.items, i.slot_bytes, i.slots, i.reads, i.read_bytes, i.item_bytes, i.batches)
