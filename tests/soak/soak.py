# SPDX-License-Identifier: MIT
"""Load, loader, devio-serve and devio-nicd for a while, with random kills, closes, forks and signals.

    soak.py BUILD SECONDS

Each round does a random one of these; every byte that is delivered is compared. After a first part, in which caches fill,
resident memory, descriptors, threads and the kernel's registrations of this process and of the server may not grow. The
seed is printed: DEVIO_SOAK_SEED repeats its choices. Prints TAP.
"""
import gc
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import devio
from devio import data

build, seconds = os.path.abspath(sys.argv[1]), float(sys.argv[2])
seed = os.environ.get("DEVIO_SOAK_SEED", "1")
rng = random.Random(seed)
SIZE, ITEMS = 8192, 64
ROWS = [random.Random(i).randbytes(SIZE) for i in range(ITEMS)]
ALLOWED = {"descriptors": 4, "threads": 4, "KiB": 16384, "registrations": 4}


def check(what, got, want):
    if bytes(got) != want:
        raise AssertionError(f"{what}: wrong bytes")


class Daemon:
    def __init__(self, *args):
        self.args = args
        self.begin()

    def begin(self):
        self.process = subprocess.Popen([f"{build}/tools/{self.args[0]}", *self.args[1:]], stderr=subprocess.PIPE,
                                        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, []))
        text = b""
        while b": serving " not in text or not text.endswith(b"\n"):
            more = os.read(self.process.stderr.fileno(), 65536)
            if not more:
                raise AssertionError(f"{self.args[0]} does not begin: {text}")
            text += more
        found = re.search(rb"port (\d+)", text)
        self.port = int(found[1]) if found else 0

    def end(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        status = self.process.wait(timeout=60)
        self.process.stderr.close()
        if sig == signal.SIGTERM and status:
            raise AssertionError(f"{self.args[0]} ends with {status}")


def load():
    tensors = devio.load("model.safetensors")
    for i in rng.sample(range(ITEMS), 8):
        check("load", memoryview(tensors[f"t{i}"]), ROWS[i])


def loader(source=None):
    """To its end, or closed before, with batches in flight and kept."""
    source = source or data.Source.records(["records"], SIZE)
    kept = []
    with data.Loader(source, batch=5, shuffle=True, seed=rng.randrange(99)) as batches:
        for n, batch in enumerate(batches):
            for item in batch:
                check("a record", memoryview(item.tensor()), ROWS[item.id])
            del item
            if rng.random() < 0.2:
                kept.append(batch)
            else:
                batch.release()
            if rng.random() < 0.05 or len(kept) > 2:
                break


def remote():
    loader(data.Source.records([f"tcp://127.0.0.1:{server.port}/records"], SIZE))


def save():
    memory = devio.Memory("host", SIZE)
    memory.copy_in(0, ROWS[3])
    devio.save({"a": devio.Tensor(memory, 0, [SIZE], "U8")}, "saved.safetensors")
    check("save", memoryview(devio.load("saved.safetensors")["a"]), ROWS[3])


def forked():
    """A child that loads, and is killed at any time or ends."""
    pid = os.fork()
    if not pid:
        try:
            rng.choice((load, loader, remote))()
            os._exit(0)
        except BaseException as e:
            print("# in a child:", repr(e), flush=True)
            os._exit(1)
    if rng.random() < 0.5:
        time.sleep(rng.random() * 0.03)
        os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 60
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError("a child hangs")
        time.sleep(0.002)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise AssertionError("a child failed")


def signals():
    """Signals while it loads: handlers run, and nothing fails for them."""
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.0005)
    try:
        rng.choice((load, loader, remote))()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def rude():
    """A client of the server that asks for much, takes nothing, and goes; or sends what is no request."""
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.setblocking(False)
        ask = struct.pack("<4sHHIIQQ", b"dvs1", 1, 0, 7, 0, 0, 0) + b"records"
        ask += struct.pack("<4sHHIIQQ", b"dvs1", 2, 0, 100000, 0, 0, 0) * rng.randrange(40)
        try:
            s.sendall(rng.choice((ask, ask[:-5], rng.randbytes(100))))
        except OSError:
            pass


def nicd_clients():
    """Requests that are answered with an error, and some that are left alone."""
    netns = os.stat("/proc/self/ns/net").st_ino
    for _ in range(rng.randrange(1, 6)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s, open("records", "rb") as f:
            s.settimeout(30)
            s.connect("nic.sock")
            ask = struct.pack("=IIIIIIQQ16s", 0x646e7664, 2, 1, 0, 1, 0, 4096, netns, b"lo")
            try:
                socket.send_fds(s, [rng.choice((ask, ask[:20], rng.randbytes(56)))], [f.fileno()] * rng.randrange(3))
                if rng.random() < 0.7 and len(s.recv(4096)) not in (0, 496):
                    raise AssertionError("devio-nicd: not an answer")
            except (BrokenPipeError, ConnectionResetError):
                pass


def restart():
    """The server is killed or ended, and another one takes its place."""
    server.end(rng.choice((signal.SIGKILL, signal.SIGTERM)))
    server.begin()


def usage(pid):
    """What must stay flat."""
    with open(f"/proc/{pid}/status") as f:
        text = f.read()
    maps = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                found = re.search(r"^UserBufs:\s*(\d+)", f.read(), re.M)
            maps += int(found[1]) if found else 0
        except OSError:
            pass
    return {"descriptors": len(os.listdir(f"/proc/{pid}/fd")), "registrations": maps,
            "threads": int(re.search(r"Threads:\s*(\d+)", text)[1]), "KiB": int(re.search(r"VmRSS:\s*(\d+)", text)[1])}


def rounds(until, parts):
    n = 0
    while time.monotonic() < until:
        rng.choice(parts)()
        n += 1
    gc.collect()
    time.sleep(0.5)      # connections end
    return n


def compare(number, what, before, after):
    bad = [k for k, most in ALLOWED.items() if after[k] > before[k] + most]
    print(f"{'not ok' if bad else 'ok'} {number} - {what}: {before}, then {after}", flush=True)


def main():
    global server
    print(f"1..4\n# DEVIO_SOAK_SEED={seed}", flush=True)
    with open("records", "wb") as f:
        f.write(b"".join(ROWS))
    memory = devio.Memory("host", ITEMS * SIZE)
    memory.copy_in(0, b"".join(ROWS))
    devio.save({f"t{i}": devio.Tensor(memory, i * SIZE, [SIZE], "U8") for i in range(ITEMS)}, "model.safetensors")
    memory.close()
    server = Daemon("devio-serve", ".", "0")
    nicd = None if os.geteuid() else Daemon("devio-nicd", "--socket", "nic.sock", "lo")
    parts = [load, loader, remote, save, forked, signals, rude] + ([nicd_clients] if nicd else [])
    begin = time.monotonic()
    n = rounds(begin + seconds * 0.1, [*parts, restart])     # this ends servers: not in what is measured
    n += rounds(begin + seconds * 0.3, parts)
    measured = [os.getpid(), server.process.pid] + ([nicd.process.pid] if nicd else [])
    before = [usage(pid) for pid in measured]
    n += rounds(begin + seconds * 0.9, parts)
    after = [usage(pid) for pid in measured]
    for number, what in enumerate(("this process", "devio-serve", "devio-nicd"), 1):
        if number > len(measured):
            print(f"ok {number} - {what} # SKIP needs CAP_NET_ADMIN")
        else:
            compare(number, what, before[number - 1], after[number - 1])
    n += rounds(begin + seconds, [*parts, restart])
    for daemon in (server, nicd):
        if daemon:
            daemon.end()
    print(f"ok 4 - {n} rounds, no wrong byte")


with tempfile.TemporaryDirectory(prefix="devio-soak-", dir=build) as work:
    os.chdir(work)
    try:
        main()
    except Exception:
        import traceback
        print("not ok 4 - " + traceback.format_exc().replace("\n", "\n# "), flush=True)
        for child in [d for d in globals().values() if isinstance(d, Daemon)]:
            child.process.kill()
    finally:
        os.chdir("/")
