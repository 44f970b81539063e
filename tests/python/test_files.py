# SPDX-License-Identifier: MIT
"""load(), save() and the loader over safetensors files: what is taken, where it lies, what it costs, what stays."""
import errno
import json
import mmap
import os
import resource
import signal
import stat
import subprocess
import sys
import unittest
from unittest import mock

import devio
from common import Dir, pattern
from devio import data

try:
    import numpy as np
except ImportError:
    np = None

needs_numpy = unittest.skipIf(np is None, "python3-numpy is not installed")


def contents(t):
    return t.memory.copy_out(t.offset, t.nbytes) if t.nbytes else b""


class Model(Dir):
    def write(self, name, tensors, pad=0, **more):
        """tensors: {name: (dtype, shape, bytes)}; `more` members of the header."""
        head, at = dict(more), 0
        for key, (dtype, shape, raw) in tensors.items():
            head[key] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(raw)]}
            at += len(raw)
        text = json.dumps(head).encode() + b" " * pad
        return self.file(name, len(text).to_bytes(8, "little") + text + \
                         b"".join(raw for _d, _s, raw in tensors.values()))

    def by_loader(self, path, **options):
        got = {}
        with data.Loader(data.Source.safetensors(path), **options) as loader:
            for batch in loader:
                got.update((k, (t.dtype, t.shape, contents(t))) for k, t in batch.tensors().items())
        return got

    def check(self, path, want):
        loaded = devio.load(path)
        self.assertEqual({k: (t.dtype, list(t.shape), contents(t)) for k, t in loaded.items()}, want)
        self.assertEqual({k: (d, list(s), raw) for k, (d, s, raw) in self.by_loader(path).items()}, want)
        return loaded


class Formats(Model):
    W = ("F32", [2], pattern(8))

    def test_what_safetensors_takes(self):
        loaded = self.check(self.write("null", {"w": self.W}, __metadata__=None), {"w": self.W})
        self.assertEqual(loaded.metadata, {})
        path = self.write("more", {"w": self.W})
        with open(path, "rb") as f:
            raw = f.read()
        text = raw[8:-8].replace(b'"dtype"', b'"note": {"x": [1, null]}, "dtype"')
        self.check(self.file("more", len(text).to_bytes(8, "little") + text + raw[-8:]), {"w": self.W})

    def test_new_dtypes(self):
        want = {
    "ok": self.W, "e8m0": (
        "F8_E8M0", [4], b"abcd"), "f4": (
            "F4", [
                2, 4], b"efgh"), "e4": (
                    "F8_E4M3FNUZ", [4], b"ijkl"), "e5": (
                        "F8_E5M2FNUZ", [
                            2, 2], b"mnop"), "f6": (
                                "F6_E2M3", [4], b"qrs"), "f6b": (
                                    "F6_E3M2", [
                                        2, 4], b"tuvwxy")}
        loaded = self.check(self.write("m", want), want)
        for key, shape in (("f4", (2, 2)), ("f6b", (2, 3)), ("e5", (2, 2)), ("f6", (3,))):
            view = loaded[key].view("U8")
            self.assertEqual((view.shape, memoryview(view).tobytes()), (shape, want[key][2]))
        devio.save(loaded, self.path("again"))
        self.check(self.path("again"), want)

    def test_a_dtype_that_nobody_knows(self):
        want = {"ok": self.W, "x": ("I3_of_2031", [7, 3], b"12345")}
        loaded = self.check(self.write("m", want), want)
        self.assertEqual(repr(loaded["x"]), "devio.Tensor(I3_of_2031, (7, 3), host)")
        self.assertEqual(memoryview(loaded["x"].view("U8")).tobytes(), b"12345")
        with self.assertRaisesRegex(BufferError, "I3_of_2031"):
            loaded["x"].__dlpack__()
        with self.assertRaisesRegex(BufferError, "I3_of_2031"):
            memoryview(loaded["x"])
        with self.assertRaisesRegex(TypeError, "I3_of_2031"):
            loaded["x"].numpy()
        devio.save(loaded, self.path("again"))
        self.check(self.path("again"), want)

    def test_the_index_decides(self):
        self.write("m-1", {"a": self.W, "unlisted": ("U8", [3], b"xyz")})
        self.write("m-2", {"b": ("U8", [5], b"abcde"), "a": ("F32", [2], b"_________"[:8])})
        path = self.file("m.index.json", json.dumps({"metadata": {}, "weight_map": {"a": "m-1", "b": "m-2"}}).encode())
        loaded = self.check(path, {"a": self.W, "b": ("U8", [5], b"abcde")})
        self.assertEqual(sum(loaded.paths.values()), 13)

    def test_one_parser(self):
        """load() and Source refuse the same, with the same words."""
        for text in (b"{}x", b'{"a":7}', b'{"a":{"dtype":"F32"}}', b'{"__metadata__":[]}'):
            path = self.file("bad", len(text).to_bytes(8, "little") + text)
            words = []
            for call in (devio.load, data.Source.safetensors):
                with self.assertRaises(devio.FormatError) as e:
                    call(path)
                self.assertIsInstance(e.exception, ValueError)
                self.assertIsInstance(e.exception, devio.Error)
                self.assertEqual(e.exception.errno, errno.EBADMSG)
                words.append(str(e.exception))
            self.assertEqual(words[0], words[1])

    def test_a_shape_of_many_sides_is_refused_soon(self):
        text = b'{"a":{"dtype":"U8","shape":[' + \
            b",".join([b"9223372036854775807"] * 100000) + b'],"data_offsets":[0,0]}}'
        with self.assertRaises(devio.FormatError):
            devio.load(self.file("m", len(text).to_bytes(8, "little") + text))


class Places(Model):
    """Data that begins where its elements do not."""

    def model(self, pad):
        return self.write("m", {"a": ("F32", [3000], pattern(12000)), "odd": ("U8", [3], b"xyz"),
                                "b": ("F32", [5000], pattern(20000, 3)), "c": ("F64", [100], pattern(800, 9)),
                                "d": ("U8", [70001], pattern(70001, 5))}, pad)

    def test_elements_lie_at_their_multiples(self):
        for pad in range(9):
            path = self.model(pad)
            loaded = devio.load(path)
            for k, (dtype, shape, raw) in self.by_loader(path).items():
                t = loaded[k]
                self.assertEqual((t.dtype, t.shape, contents(t)), (dtype, shape, raw))
                self.assertEqual((t.memory.device_ptr + t.offset) % (devio.DTYPES[dtype][0] // 8), 0)
                with memoryview(t) as view:
                    self.assertEqual(view.tobytes(), raw)
            with data.Loader(data.Source.safetensors(path)) as loader:
                for batch in loader:
                    for t in batch.tensors().values():
                        self.assertEqual((t.memory.device_ptr + t.offset) % (devio.DTYPES[t.dtype][0] // 8), 0)

    def test_what_is_misaligned_does_not_take_the_direct_path_from_the_rest(self):
        path = self.write("m", {"odd": ("U8", [3], b"xyz"), "a": ("F32", [3], pattern(12)),
                                "big": ("U8", [8 << 20], bytes(8 << 20))})
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
        try:
            with devio.File(path, path="file-host") as f:
                f.read(devio.Memory("host", 4096), 0, 4096, 0)
        except devio.Error:
            self.skipTest("no O_DIRECT here")
        loaded = devio.load(path)
        self.assertGreaterEqual(loaded.paths.get("file-host", 0), (8 << 20) - 4096)
        self.assertEqual(contents(loaded["a"]), pattern(12))

    def test_where_direct_paths_are_asked_for_an_error_says_so(self):
        path = next(p for p in map(self.model, range(4)) if data.Source.safetensors(p).field(0).offset % 4)
        for words in ({"path": "file-host"}, {"direct_only": True}):
            with self.assertRaisesRegex(devio.Error, "'a' begins at byte [0-9]+, which is no multiple") as e:
                devio.load(path, **words)
            self.assertEqual(e.exception.errno, errno.EOPNOTSUPP)
        source = data.Source.safetensors(path)
        try:
            loader = data.Loader(source, path="file-host")
            batch = next(loader)
        except devio.Error:
            self.skipTest("no O_DIRECT here")
        with self.assertRaisesRegex(devio.Error, "multiples of their size") as e:
            batch.tensors()
        self.assertEqual(e.exception.errno, errno.EOPNOTSUPP)
        self.assertEqual(contents(next(i for i in batch if i.key == "odd").tensor()), b"xyz")

    def test_records_misaligned(self):
        path = self.file("r", pattern(10 * 13))
        with data.Loader(data.Source.records(path, 13)) as loader:
            batch = next(loader)
            t = batch.stack("F32", (2,), 1)
            self.assertEqual((t.shape, t.strides), ((10, 2), None))
            rows = [batch.ids.index(i) for i in batch.rows]
            self.assertEqual(
    contents(t),
    b"".join(
        pattern(130)[
            13 *
            batch.ids[i] +
            1:13 *
            batch.ids[i] +
             9] for i in rows))
        with data.Loader(data.Source.records(path, 13), direct_only=True, keep_failed=True) as loader:
            batch = next(loader)
            if not batch.failed:
                with self.assertRaisesRegex(devio.Error, "multiples of their size"):
                    batch.stack("F32", (2,), 1)


class Costs(Model):
    def sparse(self, mib, items=1):
        n = (mib << 20) // items
        head = json.dumps({f"w{i}": {"dtype": "U8", "shape": [n], "data_offsets": [i * n, i * n + n]}
                           for i in range(items)}).encode()
        path = self.file("big", len(head).to_bytes(8, "little") + head)
        os.truncate(path, 8 + len(head) + n * items)
        return path

    def test_memory_of_a_loader(self):
        for mib, items, most in ((64, 1, 64), (64, 2, 64), (300, 1, 300), (640, 10, 700), (64, 64, 200)):
            with self.subTest(mib=mib, items=items), \
                    data.Loader(data.Source.safetensors(self.sparse(mib, items))) as loader:
                self.assertLessEqual(loader.memory.size, (most << 20) + (1 << 20))
                self.assertEqual(sum(b.items for b in loader), items)

    def test_memory_of_load(self):
        code = ("import resource, sys; sys.path.insert(0, sys.argv[2])\nimport devio\n"
                "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nt = devio.load(sys.argv[1])\n"
                "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, t['w0'].memory.size >> 20)")
        out = subprocess.check_output([sys.executable, "-c", code, self.sparse(64), os.path.dirname(__file__)])
        rss, size = map(int, out.split())
        self.assertEqual(size, 64)
        self.assertLess(rss, 80)

    def test_what_is_no_file_is_refused_at_once(self):
        os.mkfifo(self.path("fifo"))
        os.symlink(self.path("fifo"), self.path("link"))
        for name in (self.path("fifo"), self.path("link"), "/dev/zero", "/dev/tty", self._dir.name):
            for call in (
    devio.load,
    data.Source.safetensors,
    data.Source.tar,
    lambda n: data.Source.records(
        n,
        4),
         devio.File):
                signal.alarm(5)      # ends the test's process, if it waits
                with self.assertRaises((OSError, ValueError)):
                    call(name)
                signal.alarm(0)

    def test_a_fifo_in_the_files_place(self):
        path = self.file("f", pattern(64000))
        source = data.Source.records(path, 64)
        os.unlink(path)
        os.mkfifo(path)
        signal.alarm(10)
        with data.Loader(source, keep_failed=True) as loader:
            self.assertTrue(next(loader).failed)
        signal.alarm(0)


class Save(Dir):
    def setUp(self):
        super().setUp()
        self.tensor = devio.from_dlpack(pattern(10000), writable=False)

    def save(self, name="m"):
        devio.save({"w": self.tensor}, self.path(name))

    def mode(self, name="m"):
        return stat.S_IMODE(os.stat(self.path(name)).st_mode)

    def loads(self, name="m"):
        self.assertEqual(contents(devio.load(self.path(name))["w"]), pattern(10000))

    def test_mode_of_a_new_file(self):
        old = os.umask(0o027)
        try:
            with mock.patch("os.umask", side_effect=AssertionError("os.umask() is the process's own")):
                self.save()
        finally:
            os.umask(old)
        self.assertEqual(self.mode(), 0o640)

    def test_mode_of_an_old_file_stays(self):
        for mode, after in ((0o600, 0o600), (0o644, 0o644), (0o4755, 0o755), (0o400, 0o400)):
            os.chmod(self.file("m", b"old"), mode)
            self.save()
            self.assertEqual(self.mode(), after)
            self.loads()

    @unittest.skipIf(os.getuid(), "only root may give files away")
    def test_owner_of_an_old_file_stays(self):
        os.chown(self.file("m", b"old"), 12345, 23456)
        self.save()
        st = os.stat(self.path("m"))
        self.assertEqual((st.st_uid, st.st_gid), (12345, 23456))

    def test_links_stay(self):
        self.file("real", b"old")
        for link in ("link", "dangling"):
            os.symlink({"link": "real", "dangling": "fresh"}[link], self.path(link))
            self.save(link)
            self.assertTrue(os.path.islink(self.path(link)))
            self.loads(link)
        self.loads("real")
        self.loads("fresh")
        self.assertEqual(sorted(os.listdir(self._dir.name)), ["dangling", "fresh", "link", "real"])

    def test_only_files_are_replaced(self):
        os.mkfifo(self.path("fifo"))
        os.mkdir(self.path("dir"))
        for name in ("fifo", "dir"):
            with self.assertRaisesRegex(ValueError, "regular file"):
                self.save(name)

    def test_a_failure_leaves_what_was_there(self):
        self.file("m", b"old")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
            with self.assertRaises(OSError):
                self.save()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, old)
        with mock.patch("os.replace", side_effect=OSError(errno.EIO, "no")), self.assertRaises(OSError):
            self.save()
        with open(self.path("m"), "rb") as f:
            self.assertEqual(f.read(), b"old")
        self.assertEqual(os.listdir(self._dir.name), ["m"])

    def test_whole_after_a_kill(self):
        """A process is killed at many points of its saves: the name has one version or the other, whole."""
        code = (
    "import devio, sys\nm = devio.Memory('host', 1 << 20)\nt = devio.Tensor(m, 0, (1 << 20,), 'U8')\nn = 0\n"
    "while True:\n    m.copy_in(0, bytes([n % 251]) * (1 << 20)); devio.save({'w': t}, sys.argv[1]); n += 1\n"
    "    print(n, flush=True)")
        path = self.path("m")
        for round in range(12):
            p = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
            p.stdout.readline()
            try:
                p.wait(0.003 * round)
            except subprocess.TimeoutExpired:
                p.kill()
            p.wait()
            p.stdout.close()
            got = contents(devio.load(path)["w"])
            self.assertEqual(len(set(got)), 1)

    def test_it_is_synced_before_it_has_the_name(self):
        calls = []
        for name in ("fsync", "replace"):
            real = getattr(os, name)
            patch = mock.patch(
    "os." + name,
    side_effect=lambda *a,
    real=real,
    name=name: (
        calls.append(name),
        real(
            *a))[1])
            patch.start()
            self.addCleanup(patch.stop)
        self.save()
        self.assertEqual(calls, ["fsync", "replace", "fsync"])

    @needs_numpy
    def test_what_is_saved(self):
        with open(self.path("a.npy"), "wb") as f:
            np.save(f, np.arange(4.0))
        raw = mmap.mmap(-1, 16)
        want = {"mask": np.array([True, False]), "const": np.frombuffer(b"12345678", np.float32), "mapped": np.load(
            self.path("a.npy"), mmap_mode="r"), "raw": raw, "bytes": b"abc", "zero": np.zeros((0, 2))}
        devio.save(want, self.path("m"), {"k": "v"})
        loaded = devio.load(self.path("m"))
        for k, a in want.items():
            self.assertEqual(contents(loaded[k]), bytes(a) if k in ("raw", "bytes") else a.tobytes())
        self.assertEqual(loaded["mask"].numpy().tolist(), [True, False])
        with self.assertRaises(ValueError):
            devio.save({"__metadata__": b"x"}, self.path("n"))

    def test_a_released_batch_is_not_saved(self):
        with open(self.path("f"), "wb") as f:
            f.write(pattern(6400))
        with data.Loader(data.Source.records(self.path("f"), 64), batch=10, slots=1) as loader:
            batch = next(loader)
            t = batch[0].tensor()
            batch.release()
            with self.assertRaisesRegex(ValueError, "released"):
                devio.save({"w": t}, self.path("m"))


if __name__ == "__main__":
    unittest.main()
