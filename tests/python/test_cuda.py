# SPDX-License-Identifier: MIT
"""Tensors of a device that the CPU does not see: the fake libcuda of tests/mem, in a process of its own."""
import os
import subprocess
import sys
import unittest

import devio
from common import Dir, pattern
from devio import _load, data

FAKE = os.path.join(os.environ.get("DEVIO_BUILD", "."), "tests/mem/.libs/libfakecuda.so")


class Words:
    """A consumer's words for __dlpack__()."""

    def __init__(self, tensor, **words):
        self.tensor, self.words = tensor, words

    def __dlpack__(self, **words):
        return self.tensor.__dlpack__(**dict(words, **self.words))


class _Inside(Dir):
    """Run by the process below."""

    def tensor(self, dtype="F32", shape=(4, 2), **words):
        memory = devio.Memory("cuda", 4096)
        self.assertEqual(memory.spec, "cuda:0")
        memory.copy_in(0, pattern(4096))
        return devio.Tensor(memory, 16, shape, dtype, **words)

    def contents(self, t):
        return t.memory.copy_out(t.offset, t.nbytes)

    def test_where_it_is(self):
        t = self.tensor()
        self.assertEqual(t.__dlpack_device__(), (2, 0))
        got = devio.from_dlpack(Words(t))
        self.assertEqual((got.memory.spec, got.memory.device_ptr), ("cuda:0", t.memory.device_ptr + 16))
        for call in (t.numpy, lambda: memoryview(t), lambda: memoryview(t.memory)):
            with self.assertRaisesRegex((BufferError, ImportError), "CPU|numpy"):
                call()

    def test_copies(self):
        t = self.tensor()
        for words, spec in (({"dl_device": (1, 0)}, "host"), ({"dl_device": (1, 0), "copy": True}, "host"),
                            ({"copy": True}, "cuda:0"), ({"dl_device": (2, 0), "copy": True}, "cuda:0")):
            got = devio.from_dlpack(Words(t, **words))
            self.assertEqual((got.memory.spec, self.contents(got)), (spec, pattern(4096)[16:48]))
            self.assertNotEqual(got.memory.device_ptr, t.memory.device_ptr + 16)
        strided = self.tensor("U8", (3, 2), strides=(5, 1))
        for words in ({"dl_device": (1, 0)}, {"copy": True}):
            got = devio.from_dlpack(Words(strided, **words))
            self.assertEqual(self.contents(got), b"".join(pattern(4096)[16 + 5 * i:18 + 5 * i] for i in range(3)))
        with self.assertRaisesRegex(BufferError, "copy=False"):
            t.__dlpack__(dl_device=(1, 0), copy=False)
        with self.assertRaises(BufferError):
            t.__dlpack__(dl_device=(2, 1))

    def test_cuda_array_interface(self):
        before = _load.views()
        t = self.tensor("I16", (3, 2), strides=(4, 1))
        memory = t.memory
        got = t.__cuda_array_interface__
        self.assertEqual((got["shape"], got["typestr"], got["strides"], got["version"]), ((3, 2), "<i2", (8, 2), 3))
        self.assertEqual(got["data"], (memory.device_ptr + 16, False))
        self.assertIsNone(self.tensor().__cuda_array_interface__["strides"])
        memory.close()               # the consumer has the tensor: the bytes stay
        self.assertEqual(_load.views(), before + 1)
        del t
        self.assertEqual(_load.views(), before)
        self.assertFalse(hasattr(self.tensor("BF16"), "__cuda_array_interface__"))

    def test_load_and_save(self):
        t = self.tensor()
        devio.save({"w": t, "h": pattern(100)}, self.path("m"))
        got = devio.load(self.path("m"), device="cuda")
        self.assertEqual(self.contents(got["w"]), pattern(4096)[16:48])
        self.assertEqual(self.contents(got["h"]), pattern(100))
        self.assertEqual(got["w"].memory.spec, "cuda:0")
        with data.Loader(data.Source.safetensors(self.path("m")), "cuda:0") as loader:
            got = {k: self.contents(v) for b in loader for k, v in b.tensors().items()}
        self.assertEqual(got, {"w": pattern(4096)[16:48], "h": pattern(100)})

    def test_misaligned(self):
        with data.Loader(data.Source.records(self.file("r", pattern(130)), 13), "cuda:0") as loader:
            batch = next(loader)
            t = batch.stack("F32", (2,), 1)
            at = {n: i for i, n in enumerate(batch.rows)}
            self.assertEqual(t.memory.spec, "cuda:0")
            for n in range(10):
                self.assertEqual(self.contents(t)[8 * at[n]:8 * at[n] + 8], pattern(130)[13 * n + 1:13 * n + 9])


if os.environ.get("DEVIO_CUDA_LIBRARY") == FAKE:
    Inside = _Inside
del _Inside


class Cuda(unittest.TestCase):
    @unittest.skipUnless(os.path.exists(FAKE), "tests/mem/libfakecuda.so was not built")
    def test_with_a_fake_library(self):
        r = subprocess.run([sys.executable, "-m", "unittest", "-v", "test_cuda.Inside"], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, cwd=os.path.dirname(os.path.abspath(__file__)),
                           env=dict(os.environ, DEVIO_CUDA_LIBRARY=FAKE), timeout=120)
        self.assertEqual(r.returncode, 0, r.stdout.decode(errors="replace"))
        self.assertIn(b"Ran 5 tests", r.stdout)


if __name__ == "__main__":
    unittest.main()
