# SPDX-License-Identifier: MIT
"""Tensors in and out: DLPack 0 and 1, buffers, dtypes; bytes at both ends."""
import array
import gc
import hashlib
import sys
import unittest
import weakref

import devio
from common import Dir, pattern
from devio import _load, data

try:
    import numpy as np
except ImportError:
    np = None

needs_numpy = unittest.skipIf(np is None, "python3-numpy is not installed")
SIMPLE = ("BOOL", "U8", "I8", "U16", "I16", "F16", "U32", "I32", "F32", "U64", "I64", "F64", "C64")


class Exporter:
    """Gives what a tensor's __dlpack__() gives, and nothing besides."""

    def __init__(self, tensor, **words):
        self.tensor, self.words, self.asked = tensor, words, []

    def __dlpack__(self, **words):
        self.asked.append(words)
        return self.tensor.__dlpack__(**dict(words, **self.words))


class Old(Exporter):
    """Of DLPack 0: knows no max_version."""

    def __dlpack__(self):
        return self.tensor.__dlpack__(**self.words)


def tensor(dtype="U8", shape=(16,), offset=0, **words):
    memory = devio.Memory("host", 4096)
    memory.copy_in(0, pattern(4096))
    return devio.Tensor(memory, offset, shape, dtype, **words)


def contents(t):
    return t.memory.copy_out(t.offset, t.nbytes)


class Dtypes(Dir):
    def test_the_table(self):
        self.assertGreaterEqual(set(devio.DTYPES), {*SIMPLE, "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ",
                                                    "F8_E5M2FNUZ", "F4", "F6_E2M3", "F6_E3M2"})
        for name, (bits, _code, _torch) in devio.DTYPES.items():
            t = tensor(name, (8,))
            self.assertEqual((t.dtype, t.nbytes), (name, bits))

    def test_what_has_no_whole_bytes(self):
        self.assertEqual(tensor("F4", (2, 4)).view("U8").shape, (2, 2))
        self.assertEqual(tensor("F6_E2M3", (2, 4)).view("U8").shape, (2, 3))
        self.assertEqual(tensor("F6_E2M3", (4, 2)).view("U8").shape, (6,))
        for bad in (lambda: tensor("F4", (3,)), lambda: tensor("F4", (2, 4), strides=(8, 1)), lambda: tensor(
            "U8").view("F4"), lambda: tensor("U8").view("U16"), lambda: tensor("U8").view("F12")):
            with self.assertRaises(ValueError):
                bad()

    def test_buffers(self):
        for name in SIMPLE:
            t = tensor(name, (2, 3))
            with memoryview(t) as view:
                self.assertEqual((view.shape, view.itemsize, view.nbytes),
                                 ((2, 3), devio.DTYPES[name][0] // 8, t.nbytes))
                self.assertEqual(view.tobytes() if name != "C64" else bytes(view.cast("B")), contents(t))
        for name in ("BF16", "F8_E5M2", "F4"):
            with self.assertRaisesRegex(BufferError, name):
                memoryview(tensor(name, (8,)))
        strided = tensor("I16", (3, 2), strides=(4, 1))
        with memoryview(strided) as view:
            self.assertEqual((view.strides, view.c_contiguous), ((8, 2), False))
        with self.assertRaises(BufferError):
            hashlib.sha256(strided)
        with memoryview(tensor("U8", (0, 3))) as view:
            self.assertEqual((view.nbytes, view.shape), (0, (0, 3)))
        with memoryview(tensor("F64", ())) as view:
            self.assertEqual((view.ndim, view.nbytes), (0, 8))

    @needs_numpy
    def test_numpy(self):
        for name in SIMPLE:
            t = tensor(name, (2, 3))
            a = t.numpy()
            self.assertEqual((a.tobytes(), a.shape, a.itemsize), (contents(t), (2, 3), devio.DTYPES[name][0] // 8))
            self.assertEqual(str(a.dtype), "bool" if name == "BOOL" else devio.DTYPES[name][2])
            self.assertTrue(a.flags.writeable)
        self.assertEqual(np.asarray(tensor("I32", (3,)), dtype=np.int64).dtype, np.int64)
        for name in ("BF16", "F8_E8M0", "F4"):
            with self.assertRaisesRegex(TypeError, name):
                tensor(name, (8,)).numpy()


class Dlpack(Dir):
    def test_versions(self):
        t = tensor()
        for version in (None, (0, 8)):
            self.assertIn('"dltensor"', repr(t.__dlpack__(max_version=version)))
        for version in ((1, 0), (1, 3), (2, 0)):
            self.assertIn('"dltensor_versioned"', repr(t.__dlpack__(max_version=version)))
        self.assertEqual(t.__dlpack_device__(), (1, 0))
        self.assertIsNotNone(t.__dlpack__(stream=-1))

    def test_copies(self):
        t = tensor("I32", (3, 2), 16, strides=(4, 1))
        for words in ({"copy": True}, {"copy": True, "max_version": (1, 0)}, {"copy": True, "dl_device": (1, 0)}):
            got = devio.from_dlpack(Old(t, **words))
            self.assertNotEqual(got.memory.device_ptr, t.memory.device_ptr)
            self.assertEqual(contents(got), b"".join(pattern(4096)[16 + 16 * i:24 + 16 * i] for i in range(3)))
        t = tensor("U8", (100,))
        for words in ({"copy": False}, {"copy": None}, {"dl_device": (1, 0)}, {"copy": False, "dl_device": (1, 0)}):
            self.assertEqual(devio.from_dlpack(Old(t, **words)).memory.device_ptr, t.memory.device_ptr)
        big = devio.Memory("host", 20 << 20)
        big.copy_in(0, pattern(1 << 16) * 320)
        got = devio.from_dlpack(Old(devio.Tensor(big, 0, (20 << 20,), "U8"), copy=True))
        self.assertEqual(got.memory.copy_out(0, 20 << 20), pattern(1 << 16) * 320)
        for words, kind in (({"dl_device": (2, 0)}, BufferError),
                            ({"dl_device": 3}, TypeError), ({"copy": [][:0] and 1}, None)):
            if kind:
                with self.assertRaises(kind):
                    t.__dlpack__(**words)

    def test_in_of_either_version(self):
        for kind in (Exporter, Old):
            t = tensor("F32", (2, 3), 8)
            got = devio.from_dlpack(kind(t))
            self.assertEqual((got.dtype, got.shape, got.memory.device_ptr), ("F32", (2, 3), t.memory.device_ptr + 8))
            got.memory.copy_in(0, b"\1\2\3\4")
            self.assertEqual(t.memory.copy_out(8, 4), b"\1\2\3\4")

    def test_every_dtype_goes_round(self):
        for name in devio.DTYPES:
            t = tensor(name, (8,))
            got = devio.from_dlpack(t)
            self.assertEqual((got.dtype, got.nbytes, contents(got)), (name, t.nbytes, contents(t)))

    def test_read_only(self):
        raw = pattern(64)
        t = devio.from_dlpack(raw, writable=False)
        self.assertTrue(t.readonly and t.memory.readonly and memoryview(t).readonly)
        self.assertEqual(contents(t), raw)
        again = devio.from_dlpack(Exporter(t), writable=False)
        self.assertTrue(again.readonly)
        with self.assertRaisesRegex(ValueError, "read-only"):
            devio.from_dlpack(Exporter(t))
        with self.assertRaisesRegex(BufferError, "read-only"):
            t.__dlpack__()
        self.assertFalse(devio.from_dlpack(Old(t, copy=True)).readonly)
        file, ring = devio.File(self.file("f", bytes(64))), devio.Ring()
        for read in (lambda: file.read(t.memory, 0, 1, 0), lambda: ring.read(file, t.memory, 0, 1, 0),
                     lambda: t.memory.copy_in(0, b"x"),
                     lambda: data.Loader(data.Source.records(file.name, 1), memory=t.memory)):
            with self.assertRaisesRegex(ValueError, "read-only"):
                read()
        self.assertEqual(raw, pattern(64))

    def test_used_capsules_and_none(self):
        capsule = tensor().__dlpack__()

        class Same:
            def __dlpack__(self):
                return capsule
        devio.from_dlpack(Same())
        with self.assertRaisesRegex(ValueError, "used already"):
            devio.from_dlpack(Same())
        for bad in (3, "text", None, object()):
            with self.assertRaises((TypeError, ValueError)):
                devio.from_dlpack(bad)

    def test_the_users_exception_comes_out(self):
        class Bad:
            def __dlpack__(self, **_words):
                raise ZeroDivisionError("mine")
        with self.assertRaisesRegex(ZeroDivisionError, "mine"):
            devio.from_dlpack(Bad())

    def test_empty_tensors_have_any_strides(self):
        t = devio.from_dlpack(Exporter(devio.Tensor(None, 0, (0, 4), "F32", (1, 1))))
        self.assertEqual((t.shape, t.memory), ((0, 4), None))
        with self.assertRaisesRegex(ValueError, "contiguous"):
            devio.from_dlpack(Exporter(tensor("F32", (3, 4), strides=(1, 1))))

    def test_capsules_keep_everything(self):
        memory, before = devio.Memory("host", 4096), _load.views()
        gone = weakref.ref(memory)
        capsules = [devio.Tensor(memory, 0, (8,), "U8").__dlpack__(max_version=(n, 0)) for n in (0, 1)]
        del memory
        gc.collect()
        self.assertIsNotNone(gone())
        self.assertEqual(_load.views(), before + 2)
        capsules.clear()
        gc.collect()
        self.assertIsNone(gone())
        self.assertEqual(_load.views(), before)

    def test_cuda_interface_is_of_cuda_alone(self):
        self.assertFalse(hasattr(tensor(), "__cuda_array_interface__"))


class Buffers(Dir):
    def test_in(self):
        for obj, dtype, shape in (
    (array.array(
        "d", [
            1, 2]), "F64", (2,)), (bytearray(5), "U8", (5,)), (memoryview(
                bytearray(8)).cast("?"), "BOOL", (8,)), (array.array(
                    "h", [7]), "I16", (1,)), (memoryview(
                        bytearray(12)).cast(
                            "i", (3, 1)), "I32", (3, 1)), (bytearray(), "U8", (0,))):
            t = devio.from_dlpack(obj)
            self.assertEqual((t.dtype, t.shape, t.readonly), (dtype, shape, False))
            self.assertEqual(contents(t) if t.nbytes else b"", bytes(memoryview(obj).cast("B")))
        for bad in (memoryview(bytearray(8))[::2], (1, 2)):
            with self.assertRaises((ValueError, TypeError)):
                devio.from_dlpack(bad)
        with self.assertRaisesRegex(ValueError, "read-only"):
            devio.from_dlpack(b"12")

    def test_a_buffer_is_kept(self):
        raw = bytearray(64)
        t = devio.from_dlpack(raw)
        with self.assertRaises(BufferError):
            raw.append(1)
        t.memory.copy_in(3, b"x")
        self.assertEqual(raw[3], ord("x"))
        del t
        gc.collect()
        raw.append(1)

    @needs_numpy
    def test_old_exporters(self):
        """What NumPy 1.24 does not export by DLPack."""
        for a in (np.array([True, False, True]), np.frombuffer(pattern(8), np.float32), np.arange(3.0)[None]):
            t = devio.from_dlpack(a, writable=False)
            self.assertEqual((contents(t), t.shape), (a.tobytes(), a.shape))
        mask = np.zeros(4, bool)
        devio.from_dlpack(mask).memory.copy_in(1, b"\1")
        self.assertEqual(mask.tolist(), [False, True, False, False])
        with self.assertRaises((ValueError, BufferError)):
            devio.from_dlpack(np.frombuffer(b"12345678", np.float32))
        with self.assertRaises((ValueError, BufferError, TypeError)):
            devio.from_dlpack(np.zeros(3, ">f4"))
        count = sys.getrefcount(mask)
        t = devio.from_dlpack(mask)
        del t
        gc.collect()
        self.assertEqual(sys.getrefcount(mask), count)


if __name__ == "__main__":
    unittest.main()
