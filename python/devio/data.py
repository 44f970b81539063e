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
from typing import Any, Dict, Iterator, NamedTuple, Optional

from . import _core, _load
from ._load import Batch, Field, Item, Source

__all__ = ["Batch", "Field", "Info", "Item", "Loader", "Source"]
SLOT_MAX = 256 << 20       # of the memory that a loader takes by itself for a batch, unless one item is larger
SLOTS = 4
BLOCK = 4096
_DIRECT_ONLY, _SHUFFLE, _UNORDERED, _DROP_LAST = 1 << 0, 1 << 16, 1 << 17, 1 << 18


class Info(NamedTuple):
    """Of a loader: items of this epoch and part; reads and bytes since it was opened."""

    items: int
    slot_bytes: int
    slots: int
    reads: int
    read_bytes: int
    item_bytes: int
    batches: int


def _align(source: Source, device: str, block: int, shuffle: bool) -> int:
    """Records that the host takes one by one are packed, so that they are one tensor; else files and memory
    agree on a block, so that everything goes directly."""
    regular = source.record_size % BLOCK == 0 and source.header % BLOCK == 0
    small = shuffle and block * source.record_size < 16 * BLOCK
    return 1 if source.kind == "records" and device == "host" and small and not regular else BLOCK


def _up(n: float) -> int:
    return -(-int(n) // BLOCK) * BLOCK


def _need(source: Source, items: int, batch: int, align: int, run: int, max_read: int, slots: int,
          least: int) -> tuple:
    """Bytes of a slot, and how many: room for batches of the usual size, each of its reads with what alignment
    adds, and for the largest item; but no more than this part of the source takes."""
    per, fields = source.bytes / max(len(source), 1), max(source.max_fields, 1)
    largest = _up(source.max_bytes + fields * 3 * BLOCK)
    whole = items * per + items * fields * 3 * BLOCK
    batch = min(batch, max(items, 1))
    if source.kind == "records":
        runs = batch // min(run, batch) + 2 + int(batch * per) // (max_read or 8 << 20)
    else:
        runs = batch * fields
    usual = batch * per * (1 if source.kind == "records" else 1.25) + runs * (2 * align if align > 1 else 0)
    if usual > SLOT_MAX:
        usual = min(SLOT_MAX, whole / (slots or SLOTS))
    size = max(_up(usual if source.kind == "records" else min(usual, whole)), largest)
    batches = -(-items // batch)
    if source.kind != "records":
        batches = max(batches, int(-(-whole // size)))
    return size, slots or max(least, min(SLOTS, batches))


def _counts(options: Dict[str, int]) -> None:
    """These are whole numbers of 32 bits, and some of them at least 1."""
    for name, n in options.items():
        if not (1 if name in ("slots", "batch", "shuffle_block", "world_size", "num_workers") else 0) <= n < 1 << 32:
            raise ValueError(f"{name} {n} is out of range")


class Loader(_load.Loader):
    """Batches of a source's items, read ahead into `slots` pieces of memory. Iterating goes through what is left
    of the epoch; epoch() and start() begin another. Of one thread; views of its batches are for all.

    batch: items at most, fewer where a slot is full; slots: batches in memory at once, as many as the source takes
    and at most 4 if None; slot_bytes: of each (0: enough for a usual batch); memory: take this Memory (all of it)
    instead of a new one on `device`; shuffle, seed, shuffle_block: neighbours that stay together in the shuffled
    order, and so are read together; rank, world_size, worker, num_workers: this part of how many: all together
    have every item once; ordered=False: batches as they come; keep_failed: deliver batches with items that could
    not be read, instead of raising; align: places in file and memory agree modulo it; path: force a path;
    direct_only: direct paths or Error. The rest is as in devio_loader(3). Raises Error, ValueError.
    """

    keep_failed: bool
    part: Any = None       # for who keeps several

    def __new__(cls, source: Source, device: Any = "host", *, memory: Optional[_core.Memory] = None, batch: int = 64,
                slots: Optional[int] = None, slot_bytes: int = 0, shuffle: bool = False, shuffle_block: int = 1,
                seed: int = 0, rank: int = 0, world_size: int = 1, worker: int = 0, num_workers: int = 1,
                ordered: bool = True, drop_last: bool = False, keep_failed: bool = False, align: int = 0,
                max_read: int = 0, merge_gap: int = 0, depth: int = 0, max_files: int = 0, path: str = "auto",
                direct_only: bool = False, context: Optional[_core.Context] = None, _least_slots: int = 1) -> "Loader":
        counts = dict(batch=batch, shuffle_block=shuffle_block, rank=rank, world_size=world_size, worker=worker,
                      num_workers=num_workers, max_read=max_read, depth=depth, max_files=max_files)
        _counts(dict(counts, slots=SLOTS if slots is None else slots, align=align, merge_gap=merge_gap))
        context = context or _core.default()
        device = memory.spec if memory else _core._spec(device)
        align = align or _align(source, device, shuffle_block, shuffle)
        if not merge_gap and source.kind == "records":
            merge_gap = 1      # a gap would make the places of records irregular
        if memory is None:
            parts = world_size * num_workers
            blocks = -(-len(source) // shuffle_block)
            items = min(-(-blocks // parts) * shuffle_block, len(source))
            size, slots = _need(source, items, batch, align, shuffle_block if shuffle else batch, max_read, slots or 0,
                                _least_slots)
            memory = _core.Memory(device, _up(slot_bytes or size) * slots, context)
        flags = shuffle * _SHUFFLE | drop_last * _DROP_LAST | direct_only * _DIRECT_ONLY | (not ordered) * _UNORDERED
        self = super().__new__(cls, source, memory, context, slots=slots or SLOTS, seed=seed & (
            1 << 64) - 1, align=align, merge_gap=merge_gap, path=path, flags=flags, **counts)
        self.keep_failed = keep_failed
        self._begin(0, 0)
        return self

    def _begin(self, epoch: int, skip: int) -> None:
        self.current_epoch = epoch
        #: items of this epoch and part delivered so far, skipped ones too: what start() takes to go on here.
        #: With ordered=False those before the first batch that is missing.
        self.taken = skip
        self._seq = 0
        self._early: Dict[int, int] = {}

    def start(self, epoch: int, skip: int = 0) -> None:
        """Begins an epoch behind its first `skip` items. The order depends on source, options, seed and epoch alone."""
        super().start(epoch, skip)
        self._begin(epoch, skip)

    def epoch(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """start(), and the batches."""
        self.start(epoch, skip)
        return iter(self)

    def next(self, timeout: Optional[float] = None) -> Optional[Batch]:
        """The next batch, or None at the end of the epoch. Error: ETIMEDOUT after `timeout` seconds; EAGAIN where
        all slots are with the caller; what went wrong with an item (unless keep_failed), then the next call goes on."""
        batch = super().next(timeout)
        if batch is None:
            return None
        if batch.seq == self._seq and not self._early:
            self.taken += batch.items
            self._seq += 1
        else:
            self._early[batch.seq] = batch.items
            while self._seq in self._early:
                self.taken += self._early.pop(self._seq)
                self._seq += 1
        return batch if self.keep_failed else batch.check()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = self.next()
        if batch is None:
            raise StopIteration
        return batch

    def info(self) -> Info:
        """Counters."""
        return Info(*super().info())
