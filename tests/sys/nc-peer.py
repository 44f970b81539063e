#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The peer in devio-nc's tests, which behaves as no tool does.

nc-peer.py MODE PORT [FILE]
  dribble   sends FILE in small pieces with pauses
  half      sends FILE, ends its stream, then prints what comes
  slow      reads slowly and prints what comes
  reset     sends FILE, then resets the connection
  refuse    reads 1000 bytes, then resets the connection
  silent    neither sends nor reads, for 20 seconds
  bad-head  begins as no devio-nc does, and ends
"""
import random
import socket
import struct
import sys
import time

mode, port = sys.argv[1], int(sys.argv[2])
data = b""
if len(sys.argv) > 3:
    with open(sys.argv[3], "rb") as file:
        data = file.read()
sock = socket.create_connection(("localhost", port), timeout=30)
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def receive(pause):
    while True:
        piece = sock.recv(65536 if not pause else 10007)
        if not piece:
            return
        sys.stdout.buffer.write(piece)
        time.sleep(pause)


def reset():
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


if mode == "dribble":
    rng = random.Random(1)
    while data:
        n = rng.randint(1, 3001)
        sock.sendall(data[:n])
        data = data[n:]
        time.sleep(0.001)
elif mode == "half":
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    receive(0)
elif mode == "slow":
    sock.shutdown(socket.SHUT_WR)
    receive(0.001)
elif mode == "reset":
    sock.sendall(data)
    time.sleep(0.3)
    reset()
elif mode == "refuse":
    sock.recv(1000)
    reset()
elif mode == "silent":
    time.sleep(20)
elif mode == "bad-head":
    sock.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
else:
    sys.exit(__doc__)
