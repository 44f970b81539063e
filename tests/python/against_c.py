#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""devio.data.Loader against the same loader from C, on the shards of tests/perf/perf-load: shuffled records of
4 KiB into host memory, summed up. From the build directory, after `make perf-programs`:

    DEVIO_LIBRARY=... PYTHONPATH=python tests/python/against_c.py DIRECTORY [ROUNDS]
"""
import os
import statistics
import subprocess
import sys
import time

import devio
from devio import data

FILES, RECORDS = 16, 16384


def by_c(directory, block, warm):
    out = subprocess.check_output(["tests/perf/perf-load", "loader", str(block), str(warm), str(FILES), str(RECORDS),
                                   directory]).split()
    return float(out[0]), float(out[1]), out[3].decode()


def cache(paths, warm):
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        if not warm:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        while warm and os.read(fd, 1 << 20):
            pass
        os.close(fd)


def by_python(paths, block, warm):
    cache(paths, warm)
    t, cpu, total = time.perf_counter(), time.process_time(), 0
    source = data.Source.records(paths, 4096)
    with data.Loader(source, batch=256, slots=8, depth=128, shuffle=True, shuffle_block=block) as loader:
        for batch in loader:
            total += int(batch.stack("I64", ()).numpy().sum())
    t, cpu = time.perf_counter() - t, time.process_time() - cpu
    assert total == len(source) * (len(source) - 1) // 2
    return len(source) / t, cpu, max(loader.paths, key=loader.paths.get)


def main():
    directory, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7
    paths = [os.path.join(directory, f"shard-{i:04}") for i in range(FILES)]
    subprocess.check_call(["tests/perf/perf-load", "make", str(FILES), str(RECORDS), directory])
    try:
        for warm in (0, 1):
            for block in (1, 16):
                rows = []
                for i in range(rounds):
                    if i % 2:
                        rows.append((by_python(paths, block, warm), by_c(directory, block, warm)))
                    else:
                        rows.append((by_c(directory, block, warm), by_python(paths, block, warm))[::-1])
                ratios = sorted(p[0] / q[0] for p, q in rows)
                rate = [statistics.median(r[k][0] for r in rows) for k in (0, 1)]
                cpu = [statistics.median(r[k][1] for r in rows) / (FILES * RECORDS) * 1e6 for k in (0, 1)]
                print(
    f"| {block} together, {'in the page cache' if warm else 'cold'} | {rows[0][0][2]} | {rate[0]:.0f} | "
    f"{rate[1]:.0f} | {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) | "
    f"{cpu[0]:.1f} | {cpu[1]:.1f} |", flush=True)
        print(f"{rounds} rounds, load average {os.getloadavg()[0]:.0f}, devio {devio.version()}")
    finally:
        for path in paths:
            os.unlink(path)


if __name__ == "__main__":
    main()
