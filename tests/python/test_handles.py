# SPDX-License-Identifier: MIT
"""One owner for each handle, whatever the program does: copies, views, threads, signals, fork(), the end."""
import array
import copy
import ctypes
import errno
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
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
HEAD = b'{"w":{"dtype":"%s","shape":[%d],"data_offsets":[0,%d]}}'


def run(code, *args):
    """The exit status of another interpreter, and what it printed."""
    r = subprocess.run([sys.executable, "-c", "import devio, os, sys\n" + code, *args], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=120)
    return r.returncode, r.stdout.decode(errors="replace")


class Owner:
    """Somebody's memory: an array that says when it is gone."""

    def __init__(self, size):
        self.array = array.array("B", bytes(size))

    def memory(self):
        return devio.Memory.from_pointer("host", self.array.buffer_info()[0], len(self.array), self)


class Copies(Dir):
    def model(self):
        head = HEAD % (b"F32", 2, 8)
        return self.file("m.st", len(head).to_bytes(8, "little") + head + bytes(8))

    def test_handles_are_not_copied(self):
        memory = devio.Memory("host", 4096)
        tensor = devio.Tensor(memory, 0, (8,), "U8")
        loader = data.Loader(data.Source.records(self.file("f", bytes(4096)), 64))
        for o in (memory, tensor, devio.load(self.model()), devio.Ring(), devio.Context(), loader, next(loader)):
            for how in (
    copy.deepcopy,
    pickle.dumps) if isinstance(
        o,
        dict) else (
            copy.copy,
            copy.deepcopy,
             pickle.dumps):
                with self.subTest(type(o).__name__, how=how.__name__), \
                        self.assertRaisesRegex(TypeError, "cannot be copied"):
                    how(o)
        memory.copy_in(0, b"x")
        self.assertEqual(memory.copy_out(0, 2), b"x\0")

    def test_a_copy_of_what_was_loaded_has_the_same_tensors(self):
        loaded = devio.load(self.model())
        again = copy.copy(loaded)
        self.assertIs(again["w"], loaded["w"])
        self.assertEqual(again.paths, loaded.paths)

    def test_files_open_again_by_their_name(self):
        path = self.file("f", pattern(5000))
        file = devio.File(os.path.relpath(path), os.O_RDWR | os.O_CREAT, path="file-buffered")
        for again in (copy.copy(file), copy.deepcopy(file), pickle.loads(pickle.dumps(file))):
            self.assertEqual((again.size, again.name), (5000, path))
            again.close()
        self.assertEqual(file.size, 5000)
        made = devio.File(self.path("new"), os.O_RDWR | os.O_CREAT | os.O_EXCL)
        self.assertEqual(copy.copy(made).size, 0)
        os.unlink(self.path("new"))
        with self.assertRaises(devio.Error) as e:
            copy.copy(made)
        self.assertEqual(e.exception.errno, errno.ENOENT)
        stream = pickle.dumps(file)
        code = "import pickle; print(pickle.loads(bytes.fromhex(sys.argv[1])).size)"
        self.assertEqual(run(code, stream.hex()), (0, "5000\n"))

    def test_sources_open_again(self):
        source = data.Source.records(self.file("f", bytes(6400)), 64, header=64, tail=True)
        for again in (copy.copy(source), copy.deepcopy(source), pickle.loads(pickle.dumps(source))):
            source.close()
            self.assertEqual((len(again), again.record_size, again.header), (99, 64, 64))
            source = again


class Views(Dir):
    def test_closed_under_a_memoryview(self):
        owner = Owner(4096)
        gone = weakref.ref(owner)
        memory = owner.memory()
        del owner
        with memory:
            view = memoryview(memory)
            part = memoryview(devio.Tensor(memory, 8, (4,), "U8"))
        with self.assertRaisesRegex(ValueError, "closed"):
            memory.copy_out(0, 1)
        with self.assertRaisesRegex(ValueError, "closed"):
            memoryview(memory)
        view[8:12] = b"abcd"
        self.assertEqual(part.tobytes(), b"abcd")
        view.release()
        self.assertIsNotNone(gone())
        part.release()
        gc.collect()
        self.assertIsNone(gone())

    @needs_numpy
    def test_closed_under_an_array(self):
        for size in (4096, 64 << 20):
            with devio.Memory("host", size) as memory:
                a = devio.Tensor(memory, 0, (6,), "U8").numpy()
                b = np.from_dlpack(devio.Tensor(memory, 0, (6,), "U8"))
                c = np.asarray(memory)
                a[:] = 7
            other = devio.Memory("host", size)
            other.copy_in(0, b"secret")
            self.assertEqual((a.tobytes(), b.tobytes(), c[:6].tobytes()), (b"\7" * 6,) * 3)
            with self.assertRaisesRegex(ValueError, "closed"):
                devio.Tensor(memory, 0, (6,), "U8").numpy()
            with self.assertRaisesRegex(ValueError, "closed"):
                devio.Tensor(memory, 0, (6,), "U8").__dlpack__()

    def test_closed_under_operations(self):
        path = self.file("f", pattern(1 << 20))
        owner = Owner(1 << 20)
        gone = weakref.ref(owner)
        memory, ring, file = owner.memory(), devio.Ring(), devio.File(path)
        del owner
        for i in range(16):
            ring.read(file, memory, i << 16, 1 << 16, i << 16, i)
        memory.close()
        file.close()
        gc.collect()
        self.assertIsNotNone(gone())
        done = []
        while len(done) < 16:
            done += ring.wait(16 - len(done))
        self.assertEqual(sorted(d.cookie for d in done), list(range(16)))
        self.assertEqual([d.result for d in done], [1 << 16] * 16)
        del memory
        gc.collect()
        self.assertIsNone(gone())

    def test_a_released_batch_keeps_its_bytes_under_a_view(self):
        source = data.Source.records(self.file("f", pattern(6400)), 64)
        with data.Loader(source, batch=10, slots=1) as loader:
            batch = next(loader)
            view = memoryview(batch.stack())
            tensor = batch[0].tensor()
            batch.release()
            for use in (batch.stack, batch.bytes, batch[0].tensor, tensor.numpy if np else batch.stack,
                        tensor.__dlpack__):
                with self.assertRaisesRegex(ValueError, "released"):
                    use()
            with self.assertRaises(devio.Error) as e:
                next(loader)
            self.assertEqual(e.exception.errno, errno.EAGAIN)
            self.assertEqual(view.tobytes(), pattern(6400)[:640])
            view.release()
            self.assertEqual(next(loader).ids, list(range(10, 20)))

    def test_the_last_batch_of_an_epoch_is_not_in_the_way(self):
        source = data.Source.records(self.file("f", pattern(640)), 64)
        with data.Loader(source, batch=10) as loader:
            self.assertEqual(loader.info().slots, 1)
            for epoch in range(3):
                for batch in loader.epoch(epoch):
                    self.assertEqual(batch.ids, list(range(10)))

    def test_memory_of_a_loader_stays(self):
        memory = devio.Memory("host", 1 << 20)
        loader = data.Loader(data.Source.records(self.file("f", pattern(64000)), 64), memory=memory)
        memory.close()
        self.assertEqual([i for b in loader for i in b.ids], list(range(1000)))

    def test_cycles(self):
        before = _load.views()
        for _ in range(3):
            owner = Owner(4096)
            owner.itself = [owner, owner.memory()]
            owner.itself.append(memoryview(owner.itself[1]))
            gone = weakref.ref(owner)
            ring = devio.Ring()
            file = devio.File(self.file("f", bytes(4096)))
            ring.read(file, owner.itself[1], 0, 4096, 0, [ring, owner])
            del owner, ring, file
            gc.collect()
            self.assertIsNone(gone())
        self.assertEqual(_load.views(), before)


class Deleters(Dir):
    def capsule(self):
        """A managed tensor that a consumer took, as (address, address of its deleter)."""
        api = ctypes.pythonapi
        api.PyCapsule_GetPointer.restype = ctypes.c_void_p
        api.PyCapsule_GetPointer.argtypes = (ctypes.py_object, ctypes.c_char_p)
        api.PyCapsule_SetName.argtypes = (ctypes.py_object, ctypes.c_char_p)
        capsule = devio.Tensor(devio.Memory("host", 4096), 0, (8,), "U8").__dlpack__()
        at = api.PyCapsule_GetPointer(capsule, b"dltensor")
        self.name = ctypes.c_char_p(b"used_dltensor")      # a capsule keeps the pointer alone
        api.PyCapsule_SetName(capsule, self.name)
        return at, ctypes.c_void_p.from_address(at + 56).value

    def test_in_a_thread_that_python_does_not_know(self):
        before = _load.views()
        libc, thread = ctypes.CDLL(None), ctypes.c_ulong()
        for _ in range(20):
            at, deleter = self.capsule()
            self.assertEqual(_load.views(), before + 1)
            self.assertEqual(
    libc.pthread_create(
        ctypes.byref(thread),
        None,
        ctypes.c_void_p(deleter),
        ctypes.c_void_p(at)),
         0)
            libc.pthread_join(thread, None)
            self.assertEqual(_load.views(), before)

    def test_while_an_exception_is_on_its_way(self):
        before = _load.views()

        def samples():
            keep = devio.Tensor(devio.Memory("host", 4096), 0, (8,), "U8").__dlpack__()
            yield keep
            raise ValueError("a bad sample")
        for take in (list, sorted, tuple, lambda g: [*g]):
            with self.assertRaisesRegex(ValueError, "bad sample"):
                take(samples())
        self.assertEqual(_load.views(), before)

    @needs_numpy
    def test_of_what_a_consumer_refuses(self):
        head = HEAD % (b"BF16", 4, 8)
        path = self.file("b.st", len(head).to_bytes(8, "little") + head + bytes(8))
        before = _load.views()
        for _ in range(5):
            with self.assertRaises((BufferError, RuntimeError, TypeError)):
                np.from_dlpack(devio.load(path)["w"])
        gc.collect()
        self.assertEqual(_load.views(), before)

    def test_our_borrowing_ends_so_too(self):
        owner = devio.Memory("host", 4096)
        gone = weakref.ref(owner)
        tensor = devio.from_dlpack(devio.Tensor(owner, 0, (8,), "U8"))
        del owner
        gc.collect()
        self.assertIsNotNone(gone())
        try:
            raise ValueError
        except ValueError:
            del tensor
        gc.collect()
        self.assertIsNone(gone())


class Ends(Dir):
    maxDiff = None
    def test_in_whatever_order(self):
        path = self.file("f", pattern(1 << 20))
        start = f"f = devio.File({path!r}); m = devio.Memory('host', 1 << 20)\n"
        for code in (
                "v = memoryview(m); m.close(); f.close()",
                "t = devio.Tensor(m, 0, (8,), 'U8'); c = t.__dlpack__(); d = t.__dlpack__(max_version=(1, 0))\n"
                "m.close()",
                "r = devio.Ring()\nfor i in range(64): r.read(f, m, 0, 1 << 20, 0, r)\nr.submit()",
                "devio.default().close(); n = devio.Memory('host', 4096); v = memoryview(n)",
                "from devio import data; l = data.Loader(data.Source.records(f.name, 64)); b = next(l)\n"
                "v = memoryview(b.stack())",
                "sys.views = [memoryview(m), devio.Tensor(m, 0, (8,), 'U8').__dlpack__()]; del m, f",
                "import atexit; v = memoryview(m); atexit.register(lambda: (m.close(), v.release()))",
                "import threading, time\ndef go():\n  while True:\n    devio.Tensor(m, 0, (8,), 'U8').__dlpack__()\n"
                "    f.read(m, 0, 4096, 0)\n"
                "for i in range(4): threading.Thread(target=go, daemon=True).start()\ntime.sleep(0.1)",
                "class A:\n  def __del__(self): self.m.copy_out(0, 8); self.m.close()\na = A(); a.m = m; a.a = a"):
            with self.subTest(code):
                self.assertEqual(run(start + code), (0, ""))

    @needs_numpy
    def test_with_arrays(self):
        for code in (
    "a = np.from_dlpack(t); sys.keep = a; m.close()",
    "sys.keep = t.numpy(); del t, m",
    "t = devio.from_dlpack(np.zeros(1000)); sys.keep = t",
     "a = np.asarray(m)[5:]; m.close(); a[:] = 1"):
            with self.subTest(code):
                self.assertEqual(run("import numpy as np; m = devio.Memory('host', 4096); t = devio.Tensor(m, 0, (8,), 'U8')\n" +
                                     code), (0, ""))


class Timer:
    """Signals to this process, while `with` lasts; the handler runs `does`."""

    def __init__(self, first, interval, does=lambda: None):
        self.times, self.does, self.seen = (first, interval), does, 0

    def handle(self, *_args):
        self.seen += 1
        self.does()

    def __enter__(self):
        self.old = signal.signal(signal.SIGALRM, self.handle)
        signal.setitimer(signal.ITIMER_REAL, *self.times)
        return self

    def __exit__(self, *_exc):
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.old)


def interrupt():
    raise KeyboardInterrupt


class Signals(Dir):
    SIZE = 256 << 20

    def big(self):
        head = HEAD % (b"U8", self.SIZE, self.SIZE)
        path = self.file("big.st", len(head).to_bytes(8, "little") + head)
        os.truncate(path, 8 + len(head) + self.SIZE)
        return path

    def calls(self, path):
        """Long calls, by name."""
        def ring():
            with devio.Ring(entries=64) as r, devio.File(path, path="file-host") as f, devio.Memory("host", 8 << 20) as m:
                for _ in range(64):
                    r.read(f, m, 0, 8 << 20, 4096)
                got = 0
                while got < 64:
                    got += len(r.wait(64))

        def file():
            with devio.File(path, path="file-host") as f, devio.Memory("host", self.SIZE) as m:
                f.read(m, 0, self.SIZE, 4096).value()

        def loader():
            with data.Loader(data.Source.records(path, 4096, tail=True), batch=256, path="file-host") as got:
                for _batch in got:
                    pass
        return {"load": lambda: devio.load(path), "Loader": loader, "Ring": ring, "File": file}

    def test_a_handler_that_returns_ends_nothing(self):
        for name, call in self.calls(self.big()).items():
            with self.subTest(name), Timer(0.001, 0.001) as timer:
                try:
                    call()
                except devio.Error as e:       # a file system without O_DIRECT
                    self.assertEqual(e.errno, errno.EOPNOTSUPP)
                    continue
            self.assertGreater(timer.seen, 0)

    def test_what_a_handler_raises_comes_out_and_nothing_leaks(self):
        path = self.big()
        descriptors, views = len(os.listdir("/proc/self/fd")), _load.views()
        for name, call in self.calls(path).items():
            with self.subTest(name):
                begin = time.monotonic()
                try:
                    with self.assertRaises(KeyboardInterrupt), Timer(0.005, 0, interrupt):
                        while True:
                            call()
                except devio.Error as e:
                    self.assertEqual(e.errno, errno.EOPNOTSUPP)
                self.assertLess(time.monotonic() - begin, 20)
        gc.collect()
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), descriptors + 2)     # the default context's own
        self.assertEqual(_load.views(), views)
        self.assertEqual(devio.load(path)["w"].nbytes, self.SIZE)

    def test_completions_are_not_lost_to_an_exception(self):
        path, raised = self.file("f", os.urandom(64 << 20)), []      # of holes a drive reads nothing

        def below_a_wait():
            try:
                r.submit()
            except RuntimeError:      # in use: not between two lines of Python, where the result could get lost
                raised.append(1)
                raise KeyboardInterrupt
        with devio.Ring(entries=64) as r, devio.File(path, path="file-host") as f, devio.Memory("host", 64 << 20) as m:
            for _ in range(5):
                try:
                    for i in range(64):
                        r.read(f, m, i << 20, 1 << 20, i << 20, i)
                except devio.Error as e:
                    self.assertEqual(e.errno, errno.EOPNOTSUPP)
                    self.skipTest("no O_DIRECT here")
                got = []
                with Timer(0.0005, 0.0005, below_a_wait):
                    while len(got) < 64:
                        try:
                            got += r.wait(64)
                        except KeyboardInterrupt:
                            pass
                self.assertEqual(sorted(d.cookie for d in got), list(range(64)))
        self.assertGreater(len(raised), 0)

    def test_a_handler_may_not_use_the_ring_that_waits(self):
        seen = []

        def use():
            try:
                ring.wait(0)
            except RuntimeError as e:
                seen.append(str(e))
        path = self.big()
        with devio.Ring() as ring, devio.File(path) as f, devio.Memory("host", 64 << 20) as m:
            with Timer(0.001, 0.001, use):
                for _ in range(20):
                    ring.read(f, m, 0, 64 << 20, 0)
                    ring.wait()
        self.assertTrue(all("in use" in s for s in seen))


class Processes(Dir):
    def child(self, code):
        """What `code` returns in a child of fork(), as text."""
        out, into = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                os.write(into, str(code()).encode())
            except BaseException as e:
                os.write(into, repr(e).encode())
            os._exit(0)
        os.close(into)
        with os.fdopen(out) as f:
            text = f.read()
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        return text

    def test_the_child_is_told_and_has_its_own(self):
        path = self.file("f", pattern(9000))
        memory, file, ring = devio.Memory("host", 16384), devio.File(path), devio.Ring()
        ring.read(file, memory, 0, 9000, 0)
        for call in (
    lambda: file.read(
        memory,
        0,
        9000,
        0),
        lambda: ring.wait(),
        lambda: ring.read(
            file,
            memory,
            0,
            1,
             0)):
            text = self.child(call)
            self.assertIn("ECHILD", text)
            self.assertIn("fork", text)
        self.assertEqual(self.child(lambda: (memory.close(), file.close(), ring.close())), "(None, None, None)")

        def own():
            with devio.File(path) as f, devio.Memory("host", 9000) as m:
                f.read(m, 0, 9000, 0).value()
                return m.copy_out(0, 9000) == pattern(9000)
        self.assertEqual(self.child(own), "True")
        self.assertEqual(ring.wait()[0].value(), 9000)
        self.assertEqual(memory.copy_out(0, 9000), pattern(9000))


class Threads(Dir):
    def test_readers_of_one_file(self):
        contents = pattern(1 << 20)
        file, bad = devio.File(self.file("f", contents)), []

        def go(seed):
            memory = devio.Memory("host", 1 << 20)
            for i in range(20):
                off = (seed * 7919 + i * 4099) % (1 << 19)
                file.read(memory, 0, 1 << 18, off).value()
                if memory.copy_out(0, 1 << 18) != contents[off:off + (1 << 18)]:
                    bad.append((seed, i))
        threads = [threading.Thread(target=go, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(bad, [])

    def test_closed_under_a_reader(self):
        path, other = self.file("f", pattern(1 << 20)), []

        def go():
            try:
                while True:
                    file.read(memory, 0, 1 << 20, 0)
            except ValueError as e:
                other.append(str(e))
            except BaseException as e:
                other.append(repr(e))
        for _ in range(5):
            file, memory = devio.File(path), devio.Memory("host", 1 << 20)
            threads = [threading.Thread(target=go) for _ in range(3)]
            for t in threads:
                t.start()
            time.sleep(0.02)
            file.close()
            memory.close()
            for t in threads:
                t.join(timeout=60)
                self.assertFalse(t.is_alive())
        self.assertEqual(set(other) - {"File is closed", "Memory is closed"}, set())

    def test_waits_let_others_run(self):
        path = self.file("f", pattern(4096))
        turns = [0]
        with devio.Ring() as ring, devio.File(path) as f, devio.Memory("host", 4096) as m:
            def go():
                while not stop:
                    turns[0] += 1
            stop = []
            thread = threading.Thread(target=go)
            thread.start()
            for _ in range(200):
                ring.read(f, m, 0, 4096, 0)
                ring.wait()
            stop.append(1)
            thread.join()
        self.assertGreater(turns[0], 0)

    def test_a_ring_of_two_threads_is_an_error(self):
        path = self.file("f", pattern(1 << 20))
        with devio.Ring() as ring, devio.File(path) as f, devio.Memory("host", 1 << 20) as m:
            seen = []

            def go():
                for _ in range(300):
                    try:
                        ring.read(f, m, 0, 1 << 20, 0)
                        ring.wait()
                    except (RuntimeError, devio.Error) as e:
                        seen.append(e)
            threads = [threading.Thread(target=go) for _ in range(3)]
            for t in threads:
                t.start()
            for t in threads:
                t.join(timeout=120)
                self.assertFalse(t.is_alive())
            for e in seen:
                if isinstance(e, RuntimeError):
                    self.assertIn("in use", str(e))


class Words(Dir):
    def test_arguments_are_named(self):
        path = self.file("f", bytes(10))
        memory = devio.Memory("host", 64)
        for call, kind, word in (
                (lambda: devio.File(path, "r"), TypeError, "os.O_RDONLY"), (lambda: devio.File(path, path=3), TypeError, "path"),
                (lambda: devio.File(path, path="file-magic"), ValueError, "devio.PATHS"),
                (lambda: devio.File(path).read(b"", 0, 1, 0), TypeError, "mem is a devio.Memory"),
                (lambda: devio.Ring().read(path, memory, 0, 1, 0), TypeError, "file is a devio.File"),
                (lambda: devio.File(path).read(memory, 0, 1.5, 0), TypeError, "length"),
                (lambda: devio.File(path).read(memory, -1, 1, 0), ValueError, "mem_off -1"),
                (lambda: devio.Memory("host", "4096"), TypeError, "size"),
                (lambda: devio.Memory("host", 4096, context=3), TypeError, "context is a devio.Context"),
                (lambda: devio.Ring().wait(timeout=-1), ValueError, "timeout"),
                (lambda: devio.Ring().wait(timeout=float("nan")), ValueError, "timeout"),
                (lambda: devio.Tensor(memory, 0, (-1,), "U8"), ValueError, "negative"),
                (lambda: devio.Tensor(memory, 0, 8, "U8"), TypeError, "shape"),
                (lambda: devio.Tensor(memory, 1, (1,), "F32"), ValueError, "multiple of 4"),
                (lambda: devio.from_dlpack(object()), TypeError, "__dlpack__")):
            with self.assertRaisesRegex(kind, word):
                call()

    def test_devices(self):
        self.assertEqual(devio.devices()[-1], "host")

        class Device:          # as torch.device
            def __str__(self):
                return "cpu"
        for name in ("host", "cpu", "cpu:0", Device()):
            self.assertEqual(devio.Memory(name, 64).spec, "host")
        if not any(d.startswith("cuda") for d in devio.devices()):
            for name, spec in (("cuda", "cuda"), ("cuda:3", "cuda"), ("xpu:1", "ze")):
                with self.assertRaisesRegex(devio.Error, f"mem {spec}"):
                    devio.Memory(name, 64)

    def test_what_there_is(self):
        for name in (
    "File",
    "Memory",
    "Tensor",
    "load",
    "save",
    "data",
    "aio",
    "torch",
    "Completion",
    "__version__",
     "DTYPES"):
            self.assertIn(name, dir(devio))
        self.assertEqual(devio.__version__, devio.version())
        self.assertEqual(sorted(set(devio.__all__) - set(dir(devio))), [])
        for name in devio.__all__:
            if name != "torch":
                getattr(devio, name)
        with self.assertRaises(AttributeError):
            devio.nothing


if __name__ == "__main__":
    unittest.main()
