#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""devio.load() of a safetensors file into host memory against mmap and copy, and against safetensors' own
load_file() where python3-safetensors is there; one after the other, in another order each round.

    DEVIO_LIBRARY=... PYTHONPATH=python tests/python/against_mmap.py DIRECTORY [GIB [ROUNDS]]

cold: the file is not in the page cache. warm: it is, and as much memory as is needed was freed a moment ago.
warm, memory at rest: nothing was freed for some seconds; a virtual machine's host may have taken it back.
"""
import mmap
import os
import random
import resource
import statistics
import sys
import time

import numpy as np

import devio
from devio import data

try:
    import safetensors.numpy as other
except ImportError:
    other = None


def by_mmap(path):
    source = data.Source.safetensors(path)
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
        out = {f.key: np.frombuffer(m, np.uint8, f.length, f.offset).copy()
                                    for f in map(source.field, range(len(source)))}
    return out


def prepare(state, path):
    fd = os.open(path, os.O_RDONLY)
    if state == "cold":
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    else:
        piece = bytearray(1 << 20)
        while os.readv(fd, [piece]):
            pass
    if state == "warm, memory at rest":
        time.sleep(4)
    else:
        devio.Memory("host", os.fstat(fd).st_size).close()
    os.close(fd)


def timed(load, path):
    cpu, t = time.process_time(), time.perf_counter()
    out = load(path)
    return out, time.perf_counter() - t, time.process_time() - cpu


def compare(state, path, ways, rounds, gib):
    rows = {name: [] for name in ways}
    took = {}
    for _ in range(rounds):
        seen = set()
        for name in random.sample(list(ways), len(ways)):
            prepare(state, path)
            out, t, cpu = timed(ways[name], path)
            rows[name].append((t, cpu))
            took = out.paths if name == "devio" else took
            piece = out["t7"].numpy() if name == "devio" else out["t7"]
            seen.add(piece[:4097].tobytes())
            del out, piece
        assert len(seen) == 1
    for name in ways:
        t, cpu = (statistics.median(r[i] for r in rows[name]) for i in range(2))
        line = f"{state}: {name}: {gib / t:.2f} GiB/s, CPU {cpu / gib:.2f} s/GiB"
        if name != "devio":
            ratios = [b[0] / a[0] for a, b in zip(rows["devio"], rows[name])]
            line += (f"; devio is {statistics.median(ratios):.2f} times as fast ({min(ratios):.2f} to "
                     f"{max(ratios):.2f})")
        print(line + (f"; {took}" if name == "devio" else ""), flush=True)


def main():
    path = os.path.join(sys.argv[1], "against-mmap.safetensors")
    gib, rounds = float(sys.argv[2]) if len(sys.argv) > 2 else 2, int(sys.argv[3]) if len(sys.argv) > 3 else 7
    n = int(gib * (1 << 30)) // 16
    rng = np.random.default_rng(1)
    devio.save({f"t{i}": rng.integers(0, 256, n, np.uint8) for i in range(16)}, path)
    ways = {"devio": devio.load, "mmap and copy": by_mmap}
    if other:
        ways["safetensors"] = other.load_file
    try:
        for state in "cold", "warm", "warm, memory at rest":
            compare(state, path, ways, rounds, gib)
        print(f"{rounds} rounds of {gib} GiB, medians; load average {os.getloadavg()[0]:.0f}; largest resident set: "
              f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")
    finally:
        os.unlink(path)


if __name__ == "__main__":
    main()
