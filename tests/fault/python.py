# SPDX-License-Identifier: MIT
"""The package in place of driver.c: loads, saves and iterates once, from and into a directory.

    python.py DIRECTORY

What is delivered as good has the right bytes; what fails raises an exception of Python's or devio.Error; no
descriptor is left behind.
"""
import asyncio
import errno
import gc
import os
import sys
import traceback

import devio

devio.data, devio.aio, devio.load, devio.save, devio.Tensor    # imported before anything fails
SIZE = 64 << 10
CLEAN = (OSError, MemoryError, devio.FormatError)              # devio.Error is an OSError
wrong = []
errors = 0


def want(k):
    return bytes((i * 7 + k) % 251 for i in range(SIZE))


WANT = [want(k) for k in range(4)]


def attempt(what, fn):
    global errors
    try:
        return fn()
    except CLEAN:
        errors += 1
    except BaseException:
        wrong.append(what + ": " + traceback.format_exc())
    return None


def same(what, got, k):
    if got is not None and bytes(got) != WANT[k]:
        wrong.append(f"{what}: wrong bytes")


def load():
    tensors = devio.load("model.safetensors")
    for k in range(4):
        same("load", memoryview(tensors[f"t{k}"]), k)


def records():
    source = devio.data.Source.records(["records"], SIZE)
    n = 0
    with devio.data.Loader(source, batch=2, shuffle=True) as loader:
        for batch in loader:
            for item in batch:
                same("a record", memoryview(item.tensor()), item.id)
                n += 1
            del item
            batch.release()
    if n != 4:
        wrong.append(f"{n} records of 4")


def save():
    memory = devio.Memory("host", SIZE)
    memory.copy_in(0, WANT[1])
    name = "saved.safetensors"
    old = os.path.exists(name)
    try:
        devio.save({"a": devio.Tensor(memory, 0, [SIZE], "U8")}, name)
    except CLEAN:
        left = [n for n in os.listdir(".") if n.startswith(".saved")]
        if left or os.path.exists(name) != old:
            wrong.append(f"a save that failed leaves {left or name}")
        raise
    same("what was saved", memoryview(devio.load(name)["a"]), 1)


async def read_aio():
    memory = devio.Memory("host", SIZE)
    with devio.File("records") as file:
        async with devio.aio.Ring() as ring:
            done = await asyncio.wait_for(ring.read(file, memory, 0, SIZE, SIZE), 10)
            if done.value() == SIZE:
                same("aio", memoryview(memory), 1)


def fds():
    """By a call that is not among those that fail."""
    n = 0
    for fd in range(100):
        try:
            os.lseek(fd, 0, os.SEEK_CUR)
            n += 1
        except OSError as e:
            n += e.errno != errno.EBADF
    return n


def everything():
    for what in (load, records, save):
        attempt(what.__name__, what)
    attempt("aio", lambda: asyncio.run(read_aio()))


def main():
    os.chdir(sys.argv[1])
    for name in os.listdir("."):
        os.unlink(name)        # each run does the same calls
    with open("records", "wb") as f:
        f.write(b"".join(WANT))
    memory = devio.Memory("host", 4 * SIZE)
    memory.copy_in(0, b"".join(WANT))
    devio.save({f"t{k}": devio.Tensor(memory, k * SIZE, [SIZE], "U8") for k in range(4)}, "model.safetensors")
    memory.close()
    everything()               # what the interpreter opens and keeps of the first time
    gc.collect()
    if wrong or errors:
        print(*wrong, f"{errors} errors without a fault", sep="\n")
        return 2
    before = fds()
    os.getppid()               # run-faults.sh counts from here ...
    everything()
    gc.collect()
    os.getppid()               # ... to here
    if fds() > before:         # a ring that was kept may be gone
        wrong.append(f"{before} descriptors before, {fds()} after")
    print(*wrong, "wrong" if wrong else "right", f"{errors} errors", sep="\n")
    return 1 if wrong else 0


sys.exit(main())
