# SPDX-License-Identifier: MIT
"""PyTorch: a torch.utils.data.IterableDataset over devio.data, and what fits to it.

    source = devio.data.Source.records(paths, 4096)
    columns = {"x": ("F32", (1020,), 0), "y": ("I64", (), 4080)}
    dataset = devio.torch.Dataset(source, "cuda:0", columns=columns, batch=256, shuffle=True)
    for epoch in range(3):
        dataset.set_epoch(epoch)
        for batch in torch.utils.data.DataLoader(dataset, batch_size=None):
            loss = model(batch["x"], batch["y"])

The dataset makes the batches: give the DataLoader batch_size=None. Importing this imports torch.
"""
import math
import os
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Union

import torch
from torch.utils import data as _data

from . import _core, data
from ._load import DTYPES

__all__ = ["Batch", "DataLoader", "Dataset", "dtype"]
Columns = Dict[str, Tuple[Union[str, torch.dtype], Tuple[int, ...], int]]


def dtype(name: Union[str, torch.dtype]) -> torch.dtype:
    """torch's dtype for a name as safetensors spells it; TypeError if this torch has none."""
    if isinstance(name, torch.dtype):
        return name
    known = DTYPES.get(name)
    if known is None:
        raise TypeError(f"no dtype is called {name!r}: {', '.join(DTYPES)}")
    if not known[2] or not hasattr(torch, known[2]):
        raise TypeError(f"torch {torch.__version__} has no {name}")
    return getattr(torch, known[2])


def _size(kind: torch.dtype) -> int:
    return torch.empty(0, dtype=kind).element_size()


def _view(row: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """Bytes (the last side of `row`) as elements; copied only where they are misaligned."""
    size = _size(kind)
    if row.storage_offset() % size or row.data_ptr() % size or any(n % size for n in row.stride()[:-1]):
        row = row.contiguous() if not row.is_contiguous() else row.clone()
    return row.view(kind)


def _elements(data: torch.Tensor, name: str, shape: Tuple[int, ...]) -> torch.Tensor:
    """A tensor of a file. What this torch has no dtype for is bytes: by rows, if these end at a byte."""
    bits = DTYPES.get(name, (0, 0, ""))[0]
    try:
        kind = dtype(name)
    except TypeError:
        kind = torch.uint8
    if bits >= 8 and kind is not torch.uint8 or name == "U8":
        return _view(data, kind).reshape(shape)
    if bits and shape and shape[-1] * bits % 8 == 0:       # packed: torch's own kinds have several elements in a byte
        return data.reshape((*shape[:-1], shape[-1] * bits // 8)).view(kind)
    return data


class Batch:
    """A batch as torch's tensors: views of one tensor, `base`, over the loader's memory. In a worker process that
    is copied, once, into memory that torch shares between processes."""

    def __init__(self, batch: data.Batch, shared: bool = False) -> None:
        tensor, begin = batch.bytes()
        self.base: torch.Tensor = torch.from_dlpack(tensor) if tensor.nbytes else torch.empty(0, dtype=torch.uint8)
        if shared:
            self.base.share_memory_()
        self.source = batch.source
        #: the items' numbers in the source
        self.ids: List[int] = batch.ids
        self._at = [(item.id, item.field, item.offset - begin if item.length else 0, item.length)
                    for item in batch] if batch.source.kind != "records" else []
        if not self._at:
            self._first, self._step = 0, 0
            self._places: List[int] = [a - begin for a in batch.offsets]
            try:
                first, self._step, self.ids = batch._grid()
                self._first = first - begin
            except ValueError:
                pass          # rows() gathers

    def rows(self, kind: Union[str, torch.dtype] = torch.uint8, shape: Optional[tuple] = None,
             offset: int = 0) -> torch.Tensor:
        """Records as one tensor (items, *shape), from byte `offset` of each; without a copy where they lie regularly.
        The items are in the order of `ids`."""
        kind = dtype(kind)
        if shape is None:
            shape = ((self.source.record_size - offset) // _size(kind),)
        length = math.prod(shape) * _size(kind)
        if offset < 0 or offset + length > self.source.record_size:
            raise ValueError(
                f"{kind} {tuple(shape)} from byte {offset} leave a record of {self.source.record_size} bytes")
        if self._step:
            rows = self.base.as_strided((len(self.ids), length), (self._step, 1), self._first + offset)
        else:
            places = torch.tensor(self._places, device=self.base.device) + offset
            rows = self.base.unfold(0, length, 1)[places]
        return _view(rows, kind).reshape(len(self.ids), *shape)

    def samples(self) -> List[Dict[str, Any]]:
        """{"__key__": ..., "jpg": bytes as a tensor, ...} for each sample."""
        out: List[Dict[str, Any]] = []
        for item, field, at, length in self._at:
            info = self.source.field(item, field)
            if not field:
                out.append({"__key__": info.key})
            out[-1][info.name] = self.base[at:at + length]
        return out

    def tensors(self) -> Dict[str, torch.Tensor]:
        """Tensors of a safetensors source, by name."""
        out = {}
        for item, field, at, length in self._at:
            info = self.source.field(item, field)
            out[info.key] = _elements(self.base[at:at + length], info.dtype, info.shape)
        return out


def _collate(columns: Optional[Columns]) -> Callable[[Batch], Any]:
    def collate(batch: Batch) -> Any:
        if columns is not None:
            return {name: batch.rows(*column) for name, column in columns.items()}
        if batch.source.kind == "records":
            return batch.rows()
        return batch.samples() if batch.source.kind == "tar" else batch.tensors()
    return collate


def _rank() -> Tuple[int, int]:
    d = torch.distributed
    return (d.get_rank(), d.get_world_size()) if d.is_available() and d.is_initialized() else (0, 1)


class Dataset(_data.IterableDataset):
    """Batches of a source. Every process of torch.distributed (or rank of world_size) and every worker of a
    DataLoader takes its share; the library is opened in the worker. With workers the bytes go through host memory.

    columns: of records, {name: (dtype, shape, byte offset)}, makes each batch a dict of tensors; without, a batch is
    a tensor of bytes (records), a list of samples (tar), a dict (safetensors). collate: a function that makes
    of a Batch whatever is needed instead. Other options (batch, shuffle, seed, slots, ...) are devio.data.Loader's.

    The tensors are views: a batch's memory is read into again when none of its tensors is left. What keeps
    tensors for longer has to clone() them, or `slots` has to be larger.
    """

    def __init__(self, source: data.Source, device: str = "host", *, columns: Optional[Columns] = None,
                 collate: Optional[Callable[[Batch], Any]] = None, rank: Optional[int] = None,
                 world_size: Optional[int] = None, **options: Any) -> None:
        super().__init__()
        if columns is not None and source.kind != "records":
            raise ValueError(f"columns are of records, this is {source.kind}")
        if (rank is None) != (world_size is None):
            raise ValueError("give both rank and world_size, or neither")
        self.source, self.device, self.columns, self.collate = source, device, columns, collate
        self.options = options
        self._rank = None if rank is None else (rank, world_size)
        # Seen by workers that live for several epochs, too.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()
        self._resume: dict = {}
        self._idle: List[data.Loader] = []
        self._last: Optional[data.Loader] = None

    def __getstate__(self) -> dict:
        rank = self._rank or _rank()      # a spawned worker has no torch.distributed
        return dict(self.__dict__, _rank=rank, _idle=[], _last=None)

    @property
    def loader(self) -> Optional[data.Loader]:
        """The loader of the latest iteration in this process: its paths, reasons, info()."""
        return self._last

    def set_epoch(self, epoch: int) -> None:
        """The epoch of the next iterations, from its begin: another order, if shuffled."""
        self._epoch[0] = epoch
        self._resume = {}

    def _part(self) -> Tuple[int, int, int, int]:
        info = _data.get_worker_info()
        return (*(self._rank or _rank()), info.id if info else 0, info.num_workers if info else 1)

    def state_dict(self) -> dict:
        """Where this process's iteration is. With workers it is DataLoader.state_dict() that knows."""
        rank, world, worker, workers = self._part()
        if self._last is None:
            taken = dict(self._resume.get("taken", {}))
        else:
            taken = {worker: self._last.taken}
        return {"epoch": int(self._epoch), "rank": rank, "world_size": world, "num_workers": workers, "taken": taken}

    def load_state_dict(self, state: dict) -> None:
        """Goes on there: the next iterations begin behind what was taken, until set_epoch()."""
        self._epoch[0] = state["epoch"]
        self._resume = dict(state)
        self._last = None

    def _skip(self, part: Tuple[int, int, int, int]) -> int:
        was = self._resume
        if not was or was["epoch"] != int(self._epoch):
            return 0
        if (was["rank"], was["world_size"], was["num_workers"]) != (part[0], part[1], part[3]):
            raise ValueError(f"the state is of rank {was['rank']} of {was['world_size']} with {was['num_workers']} "
                             f"workers, this is rank {part[0]} of {part[1]} with {part[3]}")
        return was["taken"].get(part[2], 0)

    def _open(self, part: Tuple[int, int, int, int]) -> data.Loader:
        wanted = (*part, os.getpid())
        while self._idle:
            loader = self._idle.pop()
            if loader.part == wanted:
                return loader
        # Two slots at least: a training loop still has the last batch of an epoch when the next one begins.
        loader = data.Loader(self.source, self.device, rank=part[0], world_size=part[1], worker=part[2],
                             num_workers=part[3], **{"_least_slots": 2, **self.options})
        loader.part = wanted
        if loader.memory.spec.partition(":")[0] in ("cuda", "hip"):
            device = torch.device("cuda", int(loader.memory.spec.partition(":")[2] or 0))
            loader.before_reuse = lambda: torch.cuda.current_stream(device).synchronize()
        return loader

    def __iter__(self) -> Iterator[Any]:
        return (out for _report, out in self.batches())

    def batches(self) -> Iterator[Tuple[tuple, Any]]:
        """Each batch with (worker, items taken, paths, reasons)."""
        shared, part = _data.get_worker_info() is not None, self._part()
        if shared and _core._spec(self.device) != "host":
            raise ValueError(f"workers hand batches on through host memory: device {self.device!r} needs num_workers=0")
        collate = self.collate or _collate(self.columns)
        self._last = loader = self._open(part)
        loader.start(int(self._epoch), self._skip(part))
        try:
            for batch in loader:
                out = collate(Batch(batch, shared))
                del batch
                yield (part[2], loader.taken, loader.paths, loader.reasons), out
                del out
        finally:
            self._idle.append(loader)


class _Reporting(_data.IterableDataset):
    """A Dataset, each batch with what its worker knows."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        self.inner = dataset

    def __iter__(self) -> Iterator[Tuple[tuple, Any]]:
        return self.inner.batches()


class DataLoader(_data.DataLoader):
    """torch's DataLoader for a Dataset, which also knows where its workers are: state_dict() is what the training
    loop has got, load_state_dict() goes on there; paths and reasons are those of all workers."""

    def __init__(self, dataset: Dataset, num_workers: int = 0, **options: Any) -> None:
        super().__init__(_Reporting(dataset), batch_size=None, num_workers=num_workers, **options)
        self._taken: Dict[int, int] = {}
        self._reports: Dict[int, tuple] = {}

    def __iter__(self) -> Iterator[Any]:
        self._taken = dict(self.dataset.inner._resume.get("taken", {}))
        for (worker, taken, paths, reasons), out in super().__iter__():
            self._taken[worker], self._reports[worker] = taken, (paths, reasons)
            yield out

    @property
    def paths(self) -> Dict[str, int]:
        """Bytes by the path that they took, since the workers began."""
        sums: Dict[str, int] = {}
        for paths, _reasons in self._reports.values():
            for path, n in paths.items():
                sums[path] = sums.get(path, 0) + n
        return sums

    @property
    def reasons(self) -> List[str]:
        """Why no better path was taken."""
        return sorted({reason for _paths, reasons in self._reports.values() for reason in reasons})

    def state_dict(self) -> dict:
        """What the loop has got of this epoch."""
        return dict(self.dataset.inner.state_dict(), num_workers=max(self.num_workers, 1), taken=dict(self._taken))

    def load_state_dict(self, state: dict) -> None:
        """The next iteration goes on there."""
        self.dataset.inner.load_state_dict(state)
        self._taken = dict(state["taken"])
