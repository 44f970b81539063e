#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A bad cable, where the kernel has no netem: forwards frames between two TAP devices.

lossy-link.py NAME1 NAME2    prints "ready" when both exist
Of a hundred frames two are lost, two come twice, and ten are overtaken.
"""
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
rng = random.Random(1)


def tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def arrivals():
    """The delays after which copies of the frame arrive."""
    now = time.monotonic()
    if rng.random() < 0.02:
        return []
    copies = 2 if rng.random() < 0.02 else 1
    return [now + (rng.uniform(0.001, 0.01) if rng.random() < 0.1 else 0.0003) for _ in range(copies)]


def put(fd, frame):
    try:
        os.write(fd, frame)
    except OSError:
        pass  # the device is down, or its queue is full: lost, as on any cable


ends = [tap(name) for name in sys.argv[1:3]]
other = {ends[0]: ends[1], ends[1]: ends[0]}
late, count = [], 0
print("ready", flush=True)
while True:
    wait = max(0, late[0][0] - time.monotonic()) if late else None
    for end in select.select(ends, [], [], wait)[0]:
        try:
            frame = os.read(end, 65536)
        except OSError:
            continue
        for due in arrivals():
            count += 1
            heapq.heappush(late, (due, count, other[end], frame))
    while late and late[0][0] <= time.monotonic():
        _, _, end, frame = heapq.heappop(late)
        put(end, frame)
