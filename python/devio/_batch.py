# SPDX-License-Identifier: MIT
"""Batch and Item: what a loader delivers."""
import ctypes as c
import weakref
from typing import Any, Dict, Iterator, List, Optional, Tuple

from . import _core
from ._dlpack import DTYPES, steps
from ._load import ITEM_WORDS
from ._tensor import Tensor


def columns(items: int, nr: int) -> Tuple[list, list, list, list, list]:
    """struct devio_item[nr] at an address, as lists: ids, offsets, lengths, field and error, how they came."""
    words = memoryview(c.string_at(items, nr * ITEM_WORDS * 8)).cast("Q")
    return tuple(words[i::ITEM_WORDS].tolist() for i in range(5))


class Item:
    """A field of an item: a tensor, a member of a sample, or a record. Its bytes are the batch's."""

    def __init__(self, batch: "Batch", index: int) -> None:
        self.batch, self.id = batch, batch.ids[index]
        #: in the batch's memory
        self.offset: int = batch.offsets[index]
        self.length: int = batch.lengths[index]
        field = batch._fields[index]
        #: number of the field in the item
        self.field: int = field & 0xffffffff
        #: 0, or the errno for which its bytes are not there
        self.errno: int = -c.c_int32(field >> 32).value
        self._fate = batch._fates[index]
        self._info: Any = None

    @property
    def info(self) -> Any:
        """What the source knows of it: key, name, path, dtype, shape, offset, length."""
        if self._info is None:
            self._info = self.batch.source.field(self.id, self.field)
        return self._info

    @property
    def key(self) -> str:
        """The tensor's name, or the sample's key."""
        return self.info.key

    @property
    def name(self) -> str:
        """The extension of a member of a sample: "jpg"."""
        return self.info.name

    @property
    def way(self) -> str:
        """The path that the bytes took."""
        return _core.lib.devio_path_name(self._fate & 0xffff).decode()

    @property
    def why(self) -> str:
        """Why no better path, or ""."""
        reason = self._fate >> 32 & 0xffff
        return _core.lib.devio_reason_text(reason).decode() if reason else ""

    def tensor(self) -> Tensor:
        """Its elements as a safetensors file says, else its bytes. The batch lives as long as any view of it."""
        if self.errno:
            raise _core.Error(self.errno, f"item {self.id} {self.info.name!r} of {self.info.path} could not be read")
        memory = self.batch._use()
        if self.batch.source.kind == "safetensors":
            return Tensor(memory if self.length else None, self.offset, self.info.shape, self.info.dtype,
                          owner=self.batch)
        return Tensor(memory if self.length else None, self.offset, (self.length,), "U8", owner=self.batch)


class Batch:
    """Items in a piece of the loader's memory, which takes another batch when this one is released: by
    release(), by `with`, or as soon as neither it nor a view of it is left. After release() old views
    show other items; until then they are good, even when the loader is closed.
    """

    def __init__(self, loader: Any, raw: Any, sentence: str) -> None:
        self.source, self._memory = loader.source, loader.memory
        self._loader, self._back = weakref.ref(loader), loader._back
        self._slot: Optional[int] = raw.slot
        #: number in the epoch's order, from 0
        self.seq: int = raw.seq
        self.failed: int = raw.failed
        self._sentence = sentence
        #: of each entry: the item's number, where it lies, how long it is
        self.ids, self.offsets, self.lengths, self._fields, self._fates = columns(raw.items, raw.nr)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Item:
        return Item(self, index)

    def __iter__(self) -> Iterator[Item]:
        return (Item(self, i) for i in range(len(self.ids)))

    def _use(self) -> _core.Memory:
        if self._slot is None:
            raise ValueError("the batch was released")
        return self._memory

    @property
    def items(self) -> int:
        """Items, not their fields."""
        return sum(not f & 0xffffffff for f in self._fields)

    def check(self) -> "Batch":
        """Raises Error if something of it could not be read."""
        if self.failed:
            raise _core.Error(next(item.errno for item in self if item.errno), self._sentence)
        return self

    def samples(self) -> List[Dict[str, Any]]:
        """As WebDataset gives them: {"__key__": ..., "jpg": Tensor, ...} for each item."""
        out: List[Dict[str, Any]] = []
        for item in self:
            if not item.field:
                out.append({"__key__": item.key})
            out[-1][item.name] = item.tensor()
        return out

    def tensors(self) -> Dict[str, Tensor]:
        """Tensors of a safetensors source, by name."""
        return {item.key: item.tensor() for item in self}

    def _grid(self) -> Tuple[int, int, List[int]]:
        """Where the first row lies, the step to the next, the items in that order; ValueError if there is none."""
        n, offsets, ids = len(self.ids), self.offsets, self.ids
        if not n or self.lengths.count(self.lengths[0]) != n:
            raise ValueError("the items are not of one length")
        step = offsets[1] - offsets[0] if n > 1 else self.lengths[0]
        if step <= 0 or offsets != list(range(offsets[0], offsets[0] + n * step, step)):
            ids = [i for _, i in sorted(zip(offsets, ids))]
            offsets = sorted(offsets)
            step = offsets[1] - offsets[0]
            if not step or offsets != list(range(offsets[0], offsets[0] + n * step, step)):
                raise ValueError("the items lie at irregular places: open the loader with align=1")
        return offsets[0], step, ids

    def stack(self, dtype: str = "U8", shape: Optional[tuple] = None, offset: int = 0) -> Tensor:
        """Records as one tensor, without a copy: row i has `shape` elements of `dtype` from byte `offset` of its
        record, by default the whole of it. Its rows are in the order of `rows`. ValueError where the records do not
        lie so that strides reach them."""
        first, step, _ids = self.check()._grid()
        size = DTYPES[dtype][1] // 8
        if shape is None:
            shape = ((self.lengths[0] - offset) // size,)
        length = size
        for n in shape:
            length *= n
        if offset < 0 or offset + length > self.lengths[0]:
            raise ValueError(f"{dtype} {tuple(shape)} from byte {offset} leave a record of {self.lengths[0]} bytes")
        memory = self._use()
        if step % size or ((memory.device_ptr or memory.map()) + first + offset) % size:
            raise ValueError(f"records of {step} bytes: {dtype} from byte {offset} would lie askew")
        return Tensor(memory, first + offset, (len(self.ids), *shape), dtype, (step // size, *steps(tuple(shape))), self)

    @property
    def rows(self) -> List[int]:
        """The items' numbers in the order of stack()'s rows: that of the memory."""
        return self._grid()[2]

    def bytes(self) -> Tuple[Tensor, int]:
        """All of it, from the first item's begin to the last one's end, with what lies between and a little before
        (so that it is aligned); and where in the loader's memory that begins."""
        ends = [a + n for a, n in zip(self.offsets, self.lengths) if n]
        if not ends:
            return Tensor(None, 0, (0,), "U8"), 0
        begin = min(a for a, n in zip(self.offsets, self.lengths) if n) & ~63
        memory = self._use()
        end = min(-(-max(ends) // 64) * 64, memory.size)
        return Tensor(memory, begin, (end - begin,), "U8", owner=self), begin

    def release(self) -> None:
        """Its memory takes the next batch, now."""
        slot, self._slot = self._slot, None
        loader = self._loader()
        if slot is not None and loader is not None:
            loader._release(slot)

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, *_exc: Any) -> None:
        self.release()

    def __del__(self) -> None:
        slot = getattr(self, "_slot", None)
        if slot is not None:
            self._back.append(slot)      # in whatever thread this is: the loader takes it at its next turn
