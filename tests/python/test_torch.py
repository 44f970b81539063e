# SPDX-License-Identifier: MIT
"""devio.torch, and torch's tensors by DLPack. Skips without python3-torch."""
import gc
import multiprocessing
import os
import re
import subprocess
import sys
import unittest

import devio
from common import Dir, pattern
from devio import _load, data

try:
    import numpy as np
    import torch
    from torch.utils.data import DataLoader

    import devio.torch as dt
    missing = ""
except ImportError as e:
    missing = f"python3-torch and python3-numpy are not both installed: {e}"

ROWS, SIZE = 1000, 96
COLUMNS = {"id": ("I64", (), 0), "x": ("F32", (2, 11), 8)}


@unittest.skipIf(missing, missing)
class Dlpack(Dir):
    def test_out_without_a_copy(self):
        m = devio.Memory("host", 4096)
        m.copy_in(0, pattern(4096))
        for dtype, kind in (("BF16", torch.bfloat16), ("I64", torch.int64),
                            ("U8", torch.uint8), ("F16", torch.float16)):
            t = torch.from_dlpack(devio.Tensor(m, 64, (5, 7), dtype))
            self.assertEqual((t.dtype, tuple(t.shape), t.data_ptr()), (kind, (5, 7), m.device_ptr + 64))

    def test_strides(self):
        m = devio.Memory("host", 4096)
        m.copy_in(0, pattern(4096))
        t = torch.from_dlpack(devio.Tensor(m, 4, (5, 3), "I32", (8, 1)))
        want = np.frombuffer(pattern(4096), "<i4")[1:41].reshape(5, 8)[:, :3]
        self.assertEqual((t.tolist(), t.stride()), (want.tolist(), (8, 1)))

    def test_in_reads_into_the_tensor(self):
        path = self.file("f", pattern(40000))
        t = torch.zeros(100, 100)
        with devio.File(path) as f:
            f.read(devio.from_dlpack(t).memory, 0, 40000, 0).value()
        self.assertEqual(t.numpy().tobytes(), pattern(40000))
        with self.assertRaisesRegex(ValueError, "contiguous"):
            devio.from_dlpack(t.t())

    def test_lifetimes(self):
        before = _load.views()
        t = torch.from_dlpack(devio.Tensor(devio.Memory("host", 4096), 0, (4096,), "U8"))[5:]
        gc.collect()
        self.assertEqual(_load.views(), before + 1)
        del t
        gc.collect()
        self.assertEqual(_load.views(), before)

    def test_save_and_load(self):
        want = {"w": torch.rand(33, 7).to(torch.bfloat16), "b": torch.arange(5)}
        devio.save(want, self.path("m"))
        got = {k: torch.from_dlpack(t) for k, t in devio.load(self.path("m")).items()}
        self.assertTrue(all(torch.equal(got[k], want[k]) and got[k].dtype == want[k].dtype for k in want))


@unittest.skipIf(missing, missing)
class Dataset(Dir):
    def dataset(self, **options):
        if not hasattr(self, "rows"):
            self.rows, self.paths = self.records(ROWS, SIZE)
        options.setdefault("columns", COLUMNS)
        return dt.Dataset(data.Source.records(self.paths, SIZE), batch=64, **options)

    def check(self, batches):
        """The items' numbers; their bytes are right."""
        seen = []
        for batch in batches:
            number = batch["id"].tolist()
            self.assertEqual(batch["x"].contiguous().numpy().tobytes(), self.rows[number][:, 8:].tobytes())
            self.assertEqual(tuple(batch["x"].shape), (len(number), 2, 11))
            seen += number
        return seen

    def test_every_item_once(self):
        for options in ({}, {"shuffle": True}, {"shuffle": True, "align": 4096}, {"shuffle": True, "shuffle_block": 9}):
            for workers in (0, 2):
                with self.subTest(workers=workers, **options):
                    loader = DataLoader(self.dataset(**options), batch_size=None, num_workers=workers)
                    self.assertEqual(sorted(self.check(loader)), list(range(ROWS)))

    def test_spawned_workers(self):
        loader = DataLoader(self.dataset(shuffle=True), batch_size=None, num_workers=1, multiprocessing_context="spawn")
        self.assertEqual(sorted(self.check(loader)), list(range(ROWS)))

    def test_no_copy_where_rows_are_regular(self):
        dataset = self.dataset(shuffle=True)
        for batch in dataset:
            memory = dataset.loader.memory
            self.assertTrue(memory.device_ptr <= batch["x"].data_ptr() < memory.device_ptr + memory.size)
            self.assertEqual(batch["x"].stride(), (SIZE // 4, 11, 1))
        del batch
        gc.collect()
        self.assertEqual(dataset.loader._returned, 1)

    def test_iterations_at_once(self):
        dataset = self.dataset(shuffle=True)
        one, two = iter(dataset), iter(dataset)
        a, b = self.check([next(one)]), self.check([next(two)])
        self.assertEqual(a, b)
        self.assertEqual(sorted(a + self.check(one)), sorted(b + self.check(two)))

    def test_epochs(self):
        dataset = self.dataset(shuffle=True, seed=4)
        again = self.dataset(shuffle=True, seed=4)
        loader = DataLoader(dataset, batch_size=None, num_workers=1, persistent_workers=True)
        orders = []
        for epoch in (0, 1, 0):
            dataset.set_epoch(epoch)
            again.set_epoch(epoch)
            orders.append(self.check(loader))
            self.assertEqual(orders[-1], self.check(again))
        self.assertEqual(orders[0], orders[2])
        self.assertNotEqual(orders[0], orders[1])

    def test_resume(self):
        for workers in (0, 2):
            dataset = self.dataset(shuffle=True, seed=3)
            dataset.set_epoch(5)
            whole = self.check(dt.DataLoader(dataset, workers))
            loader = dt.DataLoader(dataset, workers)
            batches = iter(loader)
            got = self.check(next(batches) for _ in range(5))
            state = loader.state_dict()
            del batches
            fresh = dt.DataLoader(self.dataset(shuffle=True, seed=3), workers)
            fresh.load_state_dict(state)
            self.assertEqual(fresh.state_dict(), state)
            rest = self.check(fresh)
            if workers:     # who begins is another
                self.assertEqual((sorted(got + rest), len(got)), (list(range(ROWS)), 320))
            else:
                self.assertEqual(got + rest, whole)
            self.assertEqual(sum(fresh.paths.values()), len(rest) * SIZE)

    def test_resume_of_the_dataset_itself(self):
        dataset = self.dataset(shuffle=True)
        batches = iter(dataset)
        got = self.check(next(batches) for _ in range(3))
        fresh = self.dataset(shuffle=True)
        fresh.load_state_dict(dataset.state_dict())
        self.assertEqual(sorted(got + self.check(fresh)), list(range(ROWS)))
        self.assertEqual(sorted(got + self.check(fresh)), list(range(ROWS)))     # until set_epoch()
        fresh.set_epoch(0)
        self.assertEqual(len(self.check(fresh)), ROWS)
        fresh.load_state_dict(dict(dataset.state_dict(), num_workers=2))
        with self.assertRaisesRegex(ValueError, "2 workers"):
            next(iter(fresh))

    def test_ranks(self):
        seen = []
        for rank in range(3):
            loader = DataLoader(self.dataset(rank=rank, world_size=3), batch_size=None, num_workers=rank)
            seen += self.check(loader)
        self.assertEqual(sorted(seen), list(range(ROWS)))

    def test_distributed(self):
        if not torch.distributed.is_available():
            self.skipTest("this torch has no torch.distributed")
        dataset = self.dataset(shuffle=True)
        context = multiprocessing.get_context("fork")
        queue = context.Queue()

        def member(rank):
            try:
                torch.distributed.init_process_group(
    "gloo", f"file://{self.path('rendezvous')}", rank=rank, world_size=2)
                queue.put(self.check(DataLoader(dataset, batch_size=None, num_workers=rank)))
            except BaseException as e:
                queue.put(repr(e))
        members = [context.Process(target=member, args=(rank,)) for rank in range(2)]
        for m in members:
            m.start()
        got = [queue.get(timeout=120) for _ in members]
        for m in members:
            m.join()
        self.assertEqual([type(g) for g in got], [list, list], got)
        self.assertEqual(sorted(got[0] + got[1]), list(range(ROWS)))

    def test_tar_and_safetensors(self):
        samples = {f"{i:03}": {"jpg": pattern(i * 97, i), "cls": b"%d" % i} for i in range(100)}
        shard = self.shard("a.tar", samples)
        devio.save({"w": torch.arange(777.0).reshape(7, 111), "n": torch.zeros(0, 2)}, self.path("m.safetensors"))
        for workers in (0, 2):
            loader = DataLoader(dt.Dataset(data.Source.tar(shard), batch=8), batch_size=None, num_workers=workers)
            got = {s.pop("__key__"): {k: bytes(v.tolist()) for k, v in s.items()} for batch in loader for s in batch}
            self.assertEqual(got, samples)
            got = {}
            dataset = dt.Dataset(data.Source.safetensors(self.path("m.safetensors")))
            for batch in DataLoader(dataset, batch_size=None, num_workers=workers):
                got.update(batch)
            self.assertTrue(torch.equal(got["w"], torch.arange(777.0).reshape(7, 111)))
            self.assertEqual(tuple(got["n"].shape), (0, 2))

    def test_collate_and_errors(self):
        dataset = self.dataset(columns=None, collate=lambda batch: (len(batch.ids), batch.rows("I32", (4,), 8)))
        n, rows = next(iter(dataset))
        self.assertEqual((n, tuple(rows.shape), rows.dtype), (64, (64, 4), torch.int32))
        self.assertEqual(tuple(next(iter(self.dataset(columns=None))).shape), (64, SIZE))
        for columns in ({"x": ("F32", (25,), 0)}, {"x": ("F32", (1,), -1)}):
            with self.assertRaisesRegex(ValueError, "record"):
                next(iter(self.dataset(columns=columns)))
        with self.assertRaises(TypeError):
            next(iter(self.dataset(columns={"x": ("F12", (1,), 0)})))
        with self.assertRaises(ValueError):
            self.dataset(rank=1)
        self.assertEqual(next(iter(self.dataset(columns={"x": ("F32", (3,), 1)})))[
                         "x"].shape, (64, 3))    # misaligned: a copy


@unittest.skipIf(missing, missing)
class Example(Dir):
    def test_train(self):
        script = os.path.join(os.path.dirname(__file__), "..", "..", "examples", "train.py")
        out = subprocess.run([sys.executable,
    os.path.abspath(script),
    "--items",
    "4000",
    "--batch",
    "64",
    "--device",
    "host"],
    cwd=self._dir.name,
    stdout=subprocess.PIPE,
    check=True,
     timeout=300).stdout.decode()
        losses = [float(x) for x in re.findall(r"loss ([0-9.]+)", out)]
        self.assertEqual(len(losses), 3)
        self.assertLess(losses[2], losses[0] * 0.8)
        self.assertRegex(out, r"path: file-[a-z]+: 49152000 bytes")


if __name__ == "__main__":
    unittest.main()
