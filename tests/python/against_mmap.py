#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""devio.load() of a safetensors file into host memory against mmap and copy, as the format's
own library does it for NumPy; cold and warm, one after the other in each round.

    DEVIO_LIBRARY=... PYTHONPATH=python tests/python/against_mmap.py DIRECTORY [GIB [ROUNDS]]
"""
import mmap
import os
import resource
import statistics
import sys
import time

import numpy as np

import devio
from devio import safetensors


def by_mmap(path):
    h = safetensors.read_header(path)
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
        out = {k: np.frombuffer(m, np.uint8, e.end - e.begin, e.begin).copy() for k, e in h.entries.items()}
    return out


def timed(load, path, cold):
    if cold:
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
    else:
        with open(path, "rb") as f:
            while f.read(1 << 24):
                pass
    cpu, t = time.process_time(), time.perf_counter()
    out = load(path)
    t, cpu = time.perf_counter() - t, time.process_time() - cpu
    return t, cpu, out


def main():
    path = os.path.join(sys.argv[1], "against-mmap.safetensors")
    gib, rounds = float(sys.argv[2]) if len(sys.argv) > 2 else 2, int(sys.argv[3]) if len(sys.argv) > 3 else 5
    n = int(gib * (1 << 30)) // 16
    rng = np.random.default_rng(1)
    devio.save({f"t{i}": rng.integers(0, 256, n, np.uint8) for i in range(16)}, path)
    try:
        for cold in (True, False):
            rows = []
            for _ in range(rounds):
                t1, c1, ours = timed(devio.load, path, cold)
                ways = ours.paths
                keep = ours["t7"].numpy()[:4097].tobytes()
                del ours
                t2, c2, theirs = timed(by_mmap, path, cold)
                assert theirs["t7"][:4097].tobytes() == keep
                del theirs
                rows.append((t2 / t1, t1, t2, c1, c2))
            ratio, t1, t2, c1, c2 = (statistics.median(r[i] for r in rows) for i in range(5))
            print(f"{'cold' if cold else 'warm'}: {ratio:.2f} times mmap and copy ({min(r[0] for r in rows):.2f} to "
                  f"{max(r[0] for r in rows):.2f}); {gib / t1:.2f} against {gib / t2:.2f} GiB/s; "
                  f"CPU {c1 / gib:.2f} against {c2 / gib:.2f} s/GiB; {ways}")
        print(f"largest resident set: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")
    finally:
        os.unlink(path)


if __name__ == "__main__":
    main()
