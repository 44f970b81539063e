# SPDX-License-Identifier: MIT
"""devio.data: what loaders deliver, against other tools' reading of the same files; order, lifetimes, errors."""
import errno
import gc
import multiprocessing
import os
import pickle
import tarfile
import threading
import unittest
import weakref

import devio
from common import Dir, pattern
from devio import _load, data

try:
    import numpy as np
except ImportError:
    np = None
try:
    import safetensors.numpy as other
except ImportError:
    other = None

needs_numpy = unittest.skipIf(np is None, "python3-numpy is not installed")


def ids(batches):
    return [i for batch in batches for i in batch.ids]


@needs_numpy
class Records(Dir):
    def test_equal_to_numpy(self):
        for size in (4096, 1032, 257):
            rows, paths = self.records(400, size)
            source = data.Source.records(paths, size)
            self.assertEqual((len(source), source.bytes, source.kind), (400, 400 * size, "records"))
            for options in ({}, {"shuffle": True}, {"shuffle": True, "align": 4096}, {"align": 1},
                            {"shuffle": True, "shuffle_block": 5, "path": "file-buffered"}, {"ordered": False}):
                with self.subTest(size=size, **options), data.Loader(source, batch=33, **options) as loader:
                    seen = []
                    for batch in loader:
                        for item in batch:
                            self.assertEqual(item.tensor().numpy().tobytes(), rows[item.id].tobytes())
                        seen += batch.ids
                    self.assertEqual(sorted(seen), list(range(400)))
                    self.assertEqual(sum(loader.paths.values()), 400 * size)

    def test_stack_is_a_view_with_strides(self):
        rows, paths = self.records(300, 1032)
        for options in ({}, {"shuffle": True}, {"shuffle": True, "shuffle_block": 7}):
            with data.Loader(data.Source.records(paths, 1032), batch=50, **options) as loader:
                regular = 0
                for batch in loader:
                    try:
                        x = batch.stack("F32", (16, 16), 8).numpy()
                    except ValueError:
                        continue          # across two files, read directly
                    regular += 1
                    number = batch.stack("I64", ()).numpy()
                    self.assertEqual(number.tolist(), batch.rows)
                    self.assertEqual(sorted(batch.rows), sorted(batch.ids))
                    want = rows[batch.rows][:, 8:].reshape(-1).view("<f4").reshape(-1, 16, 16)
                    self.assertEqual(x.tobytes(), want.tobytes())
                    self.assertEqual((x.strides, x.base is None), ((1032, 64, 4), False))
                    self.assertTrue(loader.memory.device_ptr <= x.ctypes.data <
                                    loader.memory.device_ptr + loader.memory.size)
                    with self.assertRaises(ValueError):
                        batch.stack("F32", (17, 16), 8)
                    misaligned = batch.stack("F32", (1,), 2).numpy()      # a copy, at an address that fits
                    self.assertTrue(misaligned.flags.aligned)
                    self.assertEqual(misaligned.tobytes(), rows[batch.rows][:, 2:6].tobytes())
                self.assertGreaterEqual(regular, 5)

    def test_header_and_tail(self):
        path = self.file("f", b"head" + pattern(1000) + b"tail")
        with self.assertRaises(devio.Error) as e:
            data.Source.records(path, 100, header=4)
        self.assertEqual(e.exception.errno, errno.EBADMSG)
        self.assertIn(path, str(e.exception))
        with data.Loader(data.Source.records(path, 100, header=4, tail=True)) as loader:
            self.assertEqual(next(loader).stack().numpy().tobytes(), pattern(1000))


class Tar(Dir):
    def test_equal_to_tarfile(self):
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            shards = [self.shard(f"{n}.tar", {
                f"d/{n}{i:03}": {"jpg": pattern(i * 997 % 9001, i), "cls": b"%d" % (i % 7), "meta.json": b""}
                for i in range(40)}, form) for n in range(2)]
            want = []
            for shard in shards:
                with tarfile.open(shard) as t:
                    want += [(m.name, t.extractfile(m).read()) for m in t]
            got = []
            with data.Loader(data.Source.tar(shards), batch=16) as loader:
                for batch in loader:
                    for sample in batch.samples():
                        key = sample.pop("__key__")
                        got += [(f"{key}.{name}", memory(t)) for name, t in sample.items()]
            self.assertEqual(got, want)

    def test_field_and_find(self):
        source = data.Source.tar([self.shard("a.tar", {"k/\u00e9": {"txt": b"x"}, "l": {"txt": b"yz"}})])
        self.assertEqual(source.find("l"), 1)
        self.assertEqual(source.field(0).key, "k/\u00e9")
        self.assertEqual(source.field(1)[:2] + source.field(1)[6:], ("l", "txt", 2))
        with self.assertRaises(KeyError):
            source.find("none")
        with self.assertRaises(devio.Error):
            source.field(2)

    def test_what_is_no_tar(self):
        with self.assertRaises(devio.Error) as e:
            data.Source.tar(self.file("f", pattern(5000)))
        self.assertEqual(e.exception.errno, errno.EBADMSG)
        self.assertIn(self.path("f"), str(e.exception))


def memory(tensor):
    return tensor.memory.copy_out(tensor.offset, tensor.nbytes) if tensor.nbytes else b""


@needs_numpy
class Safetensors(Dir):
    def tensors(self):
        rng = np.random.default_rng(3)
        return {"a": rng.random((301, 7)), "b": np.zeros((0, 3), np.int16), "c": rng.integers(0, 99, 5),
                "d": rng.random(70001).astype(np.float32), "e": np.array(2.5)}

    def check(self, path, want):
        source = data.Source.safetensors(path)
        got = {}
        with data.Loader(source, batch=2) as loader:
            for batch in loader:
                got.update((k, t.numpy().copy()) for k, t in batch.tensors().items())
        self.assertEqual(set(got), set(want))
        for k, a in want.items():
            self.assertEqual((got[k].dtype, got[k].shape, got[k].tobytes()), (a.dtype, a.shape, a.tobytes()))
        return source

    def test_equal_to_what_was_saved(self):
        devio.save(self.tensors(), self.path("m.safetensors"), {"k": "v"})
        self.assertEqual(self.check(self.path("m.safetensors"), self.tensors()).metadata, {"k": "v"})

    @unittest.skipIf(other is None, "python3-safetensors is not installed")
    def test_equal_to_safetensors_own(self):
        other.save_file(self.tensors(), self.path("m.safetensors"), {"k": "v"})
        self.check(self.path("m.safetensors"), other.load_file(self.path("m.safetensors")))
        loaded = devio.load(self.path("m.safetensors"))
        devio.save(loaded, self.path("n.safetensors"))
        for k, a in other.load_file(self.path("n.safetensors")).items():
            self.assertEqual((a.dtype, a.shape, a.tobytes()),
                             (loaded[k].numpy().dtype, loaded[k].shape, memory(loaded[k])))


class Order(Dir):
    def source(self, items=1000):
        return data.Source.records(self.file("f", pattern(items * 64)), 64)

    def test_parts_have_every_item_once(self):
        source = self.source()
        for options in ({}, {"shuffle": True}, {"shuffle": True, "shuffle_block": 16}):
            for epoch in (0, 9):
                seen = []
                for rank in range(3):
                    for worker in range(2):
                        with data.Loader(source, rank=rank, world_size=3, worker=worker, num_workers=2, **options) as loader:
                            part = ids(loader.epoch(epoch))
                            self.assertEqual(len(part), loader.info().items)
                            seen += part
                self.assertEqual(sorted(seen), list(range(1000)))

    def test_seed_and_epoch_make_the_order(self):
        source = self.source()

        def order(epoch, **options):
            with data.Loader(source, shuffle=True, **options) as loader:
                return ids(loader.epoch(epoch))
        self.assertEqual(order(3, seed=5), order(3, seed=5, slots=9, path="file-buffered"))
        self.assertNotEqual(order(3, seed=5), order(4, seed=5))
        self.assertNotEqual(order(3, seed=5), order(3, seed=6))
        self.assertNotEqual(order(3), list(range(1000)))

    def test_resume(self):
        source = self.source(500)
        for options in ({}, {"shuffle": True, "shuffle_block": 8}):
            with data.Loader(source, batch=37, **options) as loader:
                whole, places = [], [0]
                for batch in loader.epoch(2):
                    whole += batch.ids
                    places.append(loader.taken)
                self.assertEqual(places[-1], 500)
                for place in places:
                    self.assertEqual(ids(loader.epoch(2, place)), whole[place:])

    def test_taken_of_batches_as_they_come(self):
        with data.Loader(self.source(), batch=10, ordered=False) as loader:
            self.assertEqual(sorted(ids(loader)), list(range(1000)))
            self.assertEqual(loader.taken, 1000)

    def test_drop_last(self):
        with data.Loader(self.source(), batch=300, drop_last=True) as loader:
            self.assertEqual([len(b) for b in loader], [300, 300, 300])


class Lifetimes(Dir):
    def loader(self, items=1000, **options):
        return data.Loader(data.Source.records(self.file("f", pattern(items * 64)), 64), batch=50, **options)

    def test_all_slots_with_the_caller(self):
        loader, kept = self.loader(slots=3), []
        with self.assertRaises(devio.Error) as e:
            for batch in loader:
                kept.append(batch.stack())
                del batch
        self.assertEqual((e.exception.errno, len(kept)), (errno.EAGAIN, 3))
        self.assertIn("release", str(e.exception))
        kept.pop(1)
        self.assertEqual(next(loader).ids[0], 150)      # nothing was lost

    @needs_numpy
    def test_views_outlive_everything(self):
        before = _load.views()
        loader = self.loader()
        gone = weakref.ref(loader.memory)
        view = np.from_dlpack(next(loader).stack())
        loader.close()
        del loader
        gc.collect()
        self.assertEqual(view.tobytes(), pattern(64000)[:3200])
        self.assertEqual(_load.views(), before + 1)
        self.assertIsNotNone(gone())
        del view
        gc.collect()
        self.assertEqual(_load.views(), before)
        self.assertIsNone(gone())

    def test_nothing_leaks(self):
        gone, descriptors = [], len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            with self.loader() as loader:
                for batch in loader:
                    batch.stack().__dlpack__()
                gone.append(weakref.ref(loader.memory))
            del loader, batch
        gc.collect()
        self.assertEqual([g for g in gone if g() is not None], [])
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), descriptors + 2)

    def test_released_in_another_thread(self):
        loader, box = self.loader(slots=2), []
        for batch in loader:
            box.append(batch.stack())
            del batch
            thread = threading.Thread(target=box.clear)
            thread.start()
            thread.join()
        self.assertEqual(loader.taken, 1000)

    def test_release_by_hand_and_by_with(self):
        loader = self.loader(slots=1)
        batch = next(loader)
        batch.release()
        batch.release()
        with self.assertRaisesRegex(ValueError, "released"):
            batch.stack()
        with next(loader) as batch:
            self.assertEqual(batch.ids[0], 50)
        self.assertEqual(next(loader).ids[0], 100)

    def test_memory_of_the_application(self):
        memory = devio.Memory("host", 1 << 20)
        with self.loader(memory=memory, slots=2) as loader:
            self.assertEqual(next(loader)[0].tensor().memory, memory)
            self.assertEqual(loader.info().slot_bytes, 1 << 19)

    def test_a_child_opens_its_own(self):
        loader = self.loader()
        next(loader)
        source = loader.source

        def child(queue):
            try:
                loader.next()
            except devio.Error as e:
                queue.put(str(e))
            loader.close()
            with data.Loader(source) as own:
                queue.put(len(ids(own)))
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=child, args=(queue,))
        process.start()
        self.assertIn("fork", queue.get(timeout=60))
        self.assertEqual(queue.get(timeout=60), 1000)
        process.join()
        self.assertEqual(len(ids(loader)), 950)

    def test_pickled_sources_open_again(self):
        for source in (self.loader().source, data.Source.tar([self.shard("a.tar", {"a": {"b": b"c"}})])):
            again = pickle.loads(pickle.dumps(source))
            self.assertEqual((len(again), again.field(0)), (len(source), source.field(0)))


class Errors(Dir):
    def test_files_that_change(self):
        path = self.file("f", pattern(200 * 4096))
        with data.Loader(data.Source.records(path, 4096), batch=10, keep_failed=True) as loader:
            os.truncate(path, 100 * 4096)
            good = [item.id for batch in loader.epoch(0) for item in batch if not item.errno]
            self.assertLess(len(good), 200)
            last = next(item for batch in loader.epoch(0, 190) for item in batch if item.errno)
            with self.assertRaises(devio.Error) as e:
                last.tensor()
            self.assertIn(path, str(e.exception))
        with data.Loader(data.Source.records(self.file("f", pattern(200 * 4096)), 4096), batch=10) as loader:
            os.truncate(path, 100 * 4096)
            loader.start(0)
            with self.assertRaises(devio.Error) as e:
                ids(loader)
            self.assertIn(e.exception.errno, (errno.ENODATA, errno.ESTALE))
            self.assertIn(path, str(e.exception))

    def test_options(self):
        source = data.Source.records(self.file("f", pattern(64000)), 64)
        for options, kind in (({"path": "file-magic"}, ValueError), ({"batch": 0}, ValueError), ({"slots": -1}, ValueError),
                              ({"rank": 2, "world_size": 2}, devio.Error), ({"align": 3}, devio.Error),
                              ({"slots": 5000}, devio.Error), ({"device": "nonsense:1"}, devio.Error)):
            with self.subTest(**options), self.assertRaises(kind):
                data.Loader(source, **options)
        with self.assertRaises(devio.Error) as e:
            data.Loader(data.Source.records(self.path("f"), 32000), memory=devio.Memory("host", 65536))
        self.assertEqual(e.exception.errno, errno.EMSGSIZE)
        self.assertIn("budget", str(e.exception))
        with self.assertRaises(devio.Error):
            data.Source.records(self.path("f"), 0)
        with self.assertRaises(devio.Error) as e:
            data.Source.safetensors(self.path("none"))
        self.assertEqual(e.exception.errno, errno.ENOENT)

    def test_closed(self):
        loader = data.Loader(data.Source.records(self.file("f", pattern(6400)), 64))
        loader.close()
        loader.close()
        with self.assertRaises(ValueError):
            loader.next()

    @needs_numpy
    def test_strided_tensors_are_not_saved(self):
        _rows, paths = self.records(10, 128, 1)
        loader = data.Loader(data.Source.records(paths, 128))
        with self.assertRaisesRegex(ValueError, "contiguous"):
            devio.save({"x": next(loader).stack("F32", (3,), 8)}, self.path("m"))
        again = next(loader.epoch(0)).stack("F32", (3,), 8).view("U8")
        self.assertEqual((again.shape, again.strides), ((10, 3, 4), (128, 4, 1)))


if __name__ == "__main__":
    unittest.main()
