# SPDX-License-Identifier: MIT
"""The Python package: bytes at the destination, lifetimes, errors. NumPy's part skips without NumPy."""
import asyncio
import errno
import gc
import json
import os
import subprocess
import sys
import unittest

import devio
from common import Dir, pattern
from devio import _load

try:
    import numpy as np
except ImportError:
    np = None

needs_numpy = unittest.skipIf(np is None, "python3-numpy is not installed")


class Basics(Dir):
    def test_import_is_quick_and_lazy(self):
        code = (
    "import sys, time; t = time.process_time(); import devio; t = time.process_time() - t;"
    "assert 'asyncio' not in sys.modules and 'numpy' not in sys.modules;"
    "assert 'torch' not in sys.modules and 'devio.data' not in sys.modules;"
    "assert not any(n in open('/proc/self/maps').read() for n in ('libcuda', 'libamdhip', 'libze', 'devio-load'));"
    "print(t)")
        times = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)]
        self.assertLess(min(times), 0.05)

    def test_every_path_gives_the_bytes(self):
        data = pattern(300001)
        path = self.file("f", data)
        for name in ("auto", "file-host", "file-bounce", "file-buffered"):
            for off, n in ((0, 300001), (1, 100), (4096, 8192), (4097, 65537), (511, 1)):
                with self.subTest(path=name, off=off), devio.File(path, path=name) as f, \
                        devio.Memory("host", 400000) as m:
                    m.copy_in(0, b"\xee" * 400000)
                    try:
                        done = f.read(m, 3, n, off)
                    except devio.Error as e:
                        self.assertEqual((e.errno, name in ("file-host", "file-bounce")), (errno.EOPNOTSUPP, True))
                        continue
                    self.assertEqual(done.value(), n)
                    self.assertIn(done.path, devio.PATHS)
                    self.assertEqual(m.copy_out(0, 400000),
                                     b"\xee" * 3 + data[off:off + n] + b"\xee" * (400000 - 3 - n))

    def test_write_then_read(self):
        data = pattern(70001, 5)
        with devio.Memory("host", 80000) as m, devio.File(self.path("w"), os.O_RDWR | os.O_CREAT) as f:
            m.copy_in(7, data)
            self.assertEqual(f.write(m, 7, len(data), 513).value(), len(data))
            f.sync()
            self.assertEqual(f.size, 513 + len(data))
        with open(self.path("w"), "rb") as f:
            self.assertEqual(f.read(), bytes(513) + data)

    def test_errors_have_errno_and_text(self):
        with self.assertRaises(devio.Error) as e:
            devio.File(self.path("none"))
        self.assertEqual(e.exception.errno, errno.ENOENT)
        self.assertIn(self.path("none"), str(e.exception))
        with self.assertRaises(devio.Error) as e:
            devio.Memory("nonsense:7", 4096)
        self.assertIn("nonsense", str(e.exception))
        with self.assertRaises(ValueError):
            devio.File(self.path("none"), path="file-magic")

    def test_out_of_range_is_refused(self):
        path = self.file("f", pattern(9000))
        with devio.File(path) as f, devio.Memory("host", 4096) as m, devio.Ring() as r:
            for args in ((4000, 97, 0), (4097, 1, 0)):
                with self.assertRaises(devio.Error) as e:
                    f.read(m, *args)
                self.assertEqual(e.exception.errno, errno.ERANGE)
            for args in ((-1, 1, 0), (0, -1, 0), (0, 1, -1), (0, 1 << 64, 0)):
                with self.assertRaises(ValueError):
                    f.read(m, *args)
                with self.assertRaises(ValueError):
                    r.read(f, m, *args)
            with self.assertRaises(ValueError):
                m.copy_out(4000, 97)
            self.assertEqual(r.inflight, 0)

    def test_closed_is_an_error(self):
        m = devio.Memory("host", 4096)
        m.close()
        m.close()
        with self.assertRaises(ValueError):
            m.copy_out(0, 1)

    def test_ring_carries_cookies(self):
        data = pattern(1 << 20)
        path = self.file("f", data)
        with devio.File(path) as f, devio.Memory("host", 1 << 20) as m, devio.Ring(entries=8) as r:
            got, at = {}, 0
            while len(got) < 64:
                try:
                    while at < 64:
                        r.read(f, m, at << 14, 1 << 14, at << 14, ("piece", at))
                        at += 1
                except devio.Error as e:
                    self.assertEqual(e.errno, errno.EAGAIN)
                got.update((d.cookie, d.value()) for d in r.wait())
            self.assertEqual(got, {("piece", i): 1 << 14 for i in range(64)})
            self.assertEqual(m.copy_out(0, 1 << 20), data)

    def test_ring_closes_with_work_in_flight(self):
        path = self.file("f", pattern(1 << 20))
        f, m, r = devio.File(path), devio.Memory("host", 1 << 20), devio.Ring()
        for i in range(32):
            r.read(f, m, 0, 1 << 20, 0)
        r.submit()
        del f, m
        gc.collect()
        r.close()

    def test_asyncio(self):
        data = pattern(300 * 1001)
        paths = [self.file(str(i), data[i * 30030:(i + 1) * 30030]) for i in range(10)]

        async def go():
            m = devio.Memory("host", len(data))
            files = [devio.File(p) for p in paths]
            async with devio.aio.Ring(entries=4) as ring:
                done = await asyncio.gather(*(
                    ring.read(files[i // 30], m, i * 1001, 1001, i % 30 * 1001) for i in range(300)))
                with self.assertRaises(devio.Error) as e:
                    await ring.write(files[0], m, 0, 10, 0)
                self.assertEqual(e.exception.errno, errno.EBADF)
            self.assertEqual([d.result for d in done], [1001] * 300)
            self.assertEqual(m.copy_out(0, len(data)), data)

        asyncio.run(go())


@needs_numpy
class Dlpack(Dir):
    def test_out_without_a_copy(self):
        m = devio.Memory("host", 4096)
        m.copy_in(0, pattern(4096))
        a = np.from_dlpack(devio.Tensor(m, 16, (5, 7), "I32"))
        self.assertEqual(a.ctypes.data, m.device_ptr + 16)
        self.assertEqual(a.tobytes(), pattern(4096)[16:16 + 140])

    def test_memory_lives_as_long_as_a_view(self):
        m = devio.Memory("host", 1 << 20)
        m.copy_in(0, pattern(1 << 20))
        before = _load.views()
        a = np.from_dlpack(devio.Tensor(m, 0, (1 << 20,), "U8"))
        del m
        gc.collect()
        self.assertEqual(a.tobytes(), pattern(1 << 20))
        self.assertEqual(_load.views(), before + 1)
        del a
        gc.collect()
        self.assertEqual(_load.views(), before)

    def test_capsules_nobody_takes(self):
        t = devio.from_dlpack(np.arange(10))
        before = _load.views()
        for version in (None, (0, 8), (1, 0), (2, 1)):
            capsule = t.__dlpack__(max_version=version)
            self.assertIn("versioned" if version and version[0] else '"dltensor"', repr(capsule))
            self.assertEqual(_load.views(), before + 1)
            del capsule
            self.assertEqual(_load.views(), before)

    def test_versioned_round_trip(self):
        a = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
        inner = devio.from_dlpack(a)

        class Modern:
            def __dlpack__(self, max_version=None):
                return inner.__dlpack__(max_version=max_version)

        t = devio.from_dlpack(Modern())
        self.assertEqual((t.shape, t.dtype, t.memory.device_ptr), ((2, 3, 4), "F64", a.ctypes.data))

    def test_in_reads_into_the_array(self):
        data = pattern(40000)
        path = self.file("f", data)
        a = np.zeros(10000, np.uint32)
        t = devio.from_dlpack(a)
        with devio.File(path) as f:
            f.read(t.memory, 0, 40000, 0).value()
        self.assertEqual(a.tobytes(), data)

    def test_strides_are_refused(self):
        for a in (np.zeros((4, 4))[:, :2], np.zeros((3, 4)).T, np.zeros(8)[::2]):
            with self.assertRaisesRegex(ValueError, "contiguous"):
                devio.from_dlpack(a)
        devio.from_dlpack(np.zeros((4, 1, 4))[:, :, :])

    def test_empty_ones_have_any_strides(self):
        self.assertEqual(devio.from_dlpack(np.zeros((0, 6))[:, ::2]).shape, (0, 3))

    def test_application_keeps_ownership(self):
        a = np.arange(1000)
        count = sys.getrefcount(a)
        t = devio.from_dlpack(a)
        self.assertGreater(sys.getrefcount(a), count)
        del t
        gc.collect()
        self.assertEqual(sys.getrefcount(a), count)

    def test_leaves_no_memory_and_no_dtype_behind(self):
        with self.assertRaises(ValueError):
            devio.Tensor(devio.Memory("host", 4096), 4000, (100,), "U8")
        with self.assertRaises(ValueError):
            devio.Tensor(None, 0, (1,), "F12")


@needs_numpy
class Load(Dir):
    def tensors(self):
        rng = np.random.default_rng(3)
        return {
            "big": rng.integers(0, 1 << 32, (2501, 1003), np.uint32), "odd": rng.integers(0, 255, (7, 11), np.uint8),
            "scalar": np.array(2.5), "empty": np.zeros((0, 4), np.int16), "half": rng.random(33).astype(np.float16),
            "long": rng.integers(-9, 9, 77), "c": (rng.random(5) + 1j).astype(np.complex64),
        }

    def same(self, got, want):
        self.assertEqual(set(got), set(want))
        for k, a in want.items():
            b = got[k].numpy()
            self.assertEqual((b.dtype, b.shape, b.tobytes()), (a.dtype, a.shape, a.tobytes()), k)

    def test_save_and_load(self):
        want = self.tensors()
        devio.save(want, self.path("m.safetensors"), {"format": "np"})
        for name in ("auto", "file-bounce", "file-buffered"):
            try:
                got = devio.load(self.path("m.safetensors"), path=name)
            except devio.Error as e:
                self.assertEqual((e.errno, name), (errno.EOPNOTSUPP, "file-bounce"))
                continue
            self.same(got, want)
            self.assertEqual(got.metadata, {"format": "np"})
            self.assertEqual(sum(got.paths.values()), sum(a.nbytes for a in want.values()))
        self.assertEqual(os.listdir(self._dir.name), ["m.safetensors"])

    def test_headers_of_every_length(self):
        """Data that begins anywhere: as other writers leave it."""
        want = {"x": np.arange(20000, dtype=np.uint16), "y": np.arange(9, dtype=np.uint8)}
        for pad in (0, 1, 2, 7, 8, 500, 4095):
            head = {"x": {"dtype": "U16", "shape": [20000], "data_offsets": [0, 40000]},
                    "y": {"dtype": "U8", "shape": [9], "data_offsets": [40000, 40009]}}
            text = json.dumps(head).encode() + b" " * pad
            got = devio.load(self.file("f", len(text).to_bytes(8, "little") + text + b"".join(
                a.tobytes() for a in want.values())))
            self.same(got, want)
            self.assertTrue(got["x"].numpy().flags.aligned)

    def test_tensors_go_from_file_to_file(self):
        want = self.tensors()
        devio.save(want, self.path("a.safetensors"))
        devio.save(devio.load(self.path("a.safetensors")), self.path("b.safetensors"))
        self.same(devio.load(self.path("b.safetensors")), want)

    def test_shards(self):
        want = self.tensors()
        names = sorted(want)
        parts = {"one.safetensors": names[:3], "two.safetensors": names[3:]}
        for file, keys in parts.items():
            devio.save({k: want[k] for k in keys}, self.path(file))
        index = {"weight_map": {k: f for f, keys in parts.items() for k in keys}}
        self.same(devio.load(self.file("i.index.json", json.dumps(index).encode())), want)
        for bad in ({}, {"weight_map": {"a": 1}}, {"weight_map": {"a": "../one.safetensors"}},
                    {"weight_map": dict(index["weight_map"], more="one.safetensors")},
                    {"weight_map": {names[0]: "two.safetensors"}}):
            with self.assertRaises(devio.FormatError):
                devio.load(self.file("bad.json", json.dumps(bad).encode()))

    def test_bfloat16(self):
        head = json.dumps({"b": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}).encode()
        t = devio.load(self.file("f", len(head).to_bytes(8, "little") + head + pattern(6)))["b"]
        with self.assertRaisesRegex(TypeError, "BF16"):
            t.numpy()
        self.assertEqual(t.view("U16").numpy().tobytes(), pattern(6))
        self.assertEqual(t.view("U8").numpy().shape, (3, 2))

    def test_a_failed_save_leaves_what_was_there(self):
        path = self.file("m", b"before")
        with self.assertRaises(ValueError):
            devio.save({"x": np.zeros((4, 4))[:, 1]}, path)
        with self.assertRaises(OSError):
            devio.save({"x": np.zeros(4)}, self.path("no/such/place"))
        with open(path, "rb") as f:
            self.assertEqual(f.read(), b"before")


class Malformed(Dir):
    """One field of a good file is broken at a time."""

    GOOD = {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "b": {"dtype": "U8", "shape": [5], "data_offsets": [24, 29]}}

    def write(self, text, data=29, length=None):
        n = len(text) if length is None else length
        return self.file("f", n.to_bytes(8, "little") + text + bytes(data))

    def refused(self, path, why):
        with self.assertRaisesRegex(devio.FormatError, why):
            devio.load(path)

    def test_the_good_one(self):
        self.assertEqual(devio.load(self.write(json.dumps(self.GOOD).encode()))["b"].nbytes, 5)

    def test_fields(self):
        for name, field, value, why in (
                ("a", "dtype", 7, "dtype"), ("a", "dtype", None, "dtype"),
                ("a", "shape", [2, 4], "bytes"), ("a", "shape", [-2, -3], "counts"), ("a", "shape", [2.0, 3], "counts"),
                ("a", "shape", [1 << 63, 2], "counts"), ("a", "shape", "23", "counts"), ("a", "shape", [True, 6], "counts"),
                ("a", "shape", [1 << 40, 1 << 40], r"2\^64"), ("a", "data_offsets", [0], "pair"),
                ("a", "data_offsets", [24, 0], "truncated"), ("a", "data_offsets", [4, 28], "hole"),
                ("b", "data_offsets", [23, 28], "overlaps"), ("b", "data_offsets", [25, 30], "truncated"),
                ("b", "data_offsets", [1 << 62, (1 << 62) + 5], "truncated")):
            with self.subTest(field=field, value=value):
                bad = json.loads(json.dumps(self.GOOD))
                bad[name][field] = value
                self.refused(self.write(json.dumps(bad).encode()), why)

    def test_the_whole(self):
        good = json.dumps(self.GOOD).encode()
        self.refused(self.file("f", b""), "truncated")
        self.refused(self.file("f", b"1234567"), "truncated")
        self.refused(self.write(good, length=1 << 40), "header")
        self.refused(self.write(good, length=len(good) - 1), "JSON")
        self.refused(self.write(good, data=28), "truncated")
        self.refused(self.write(good, data=30), "follow the last")
        self.refused(self.write(b"[]"), "object")
        self.refused(self.write(b"{\xff}"), "JSON")
        self.refused(self.write(b"[" * 100000), "JSON")
        self.refused(self.write(b"{" * 100000), "JSON")
        self.refused(self.write(good[:-1] + b"," + good[1:]), "duplicate")
        self.refused(self.write(b'{"__metadata__": {"x": 1}}', 0), "metadata")


if __name__ == "__main__":
    unittest.main()
