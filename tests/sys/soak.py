#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""devio-nicd and devio-serve under clients that send anything, leave at any time, are killed, and send descriptors.

    soak.py BUILD SECONDS [SEED]

Both must serve others meanwhile, and have no more memory, descriptors, threads and processes at the end than after the
first third. Prints what is wrong, and exits with 1.
"""
import array
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

build, seconds = sys.argv[1], float(sys.argv[2])
seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
os.mkdir("data")
os.mkdir("sock")
os.chmod("sock", 0o777)
NICD = "sock/nicd"
COOKIE = 71     # SO_NETNS_COOKIE
wrong = []
said = []       # on standard error, by the daemons


def start(args, words):
    p = subprocess.Popen(args, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    line = p.stderr.readline()
    while words not in line:
        if not line:
            sys.exit(f"{args[0]} does not start")
        line = p.stderr.readline()
    threading.Thread(target=lambda: said.extend(p.stderr), daemon=True).start()
    return p, line


def children(pid):
    """Processes whose parent it is."""
    out = []
    for p in os.listdir("/proc"):
        try:
            with open(f"/proc/{p}/stat") as f:
                if p.isdigit() and int(f.read().rpartition(")")[2].split()[1]) == pid:
                    out.append(p)
        except OSError:
            pass
    return out


def status(pid):
    """Resident KiB, descriptors, threads, children."""
    fields = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status") if ":" in line)
    return int(fields["VmRSS"].split()[0]), len(os.listdir(f"/proc/{pid}/fd")), int(fields["Threads"]), len(children(pid))


def lingering(rnd):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    s = socket.socket()
    s.connect(listener.getsockname())
    peer, _ = listener.accept()
    listener.close()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, rnd.choice((0, 1, 86400))))
    s.setblocking(False)
    try:
        while True:
            s.send(bytes(65536))
    except BlockingIOError:
        pass
    return s, peer


def netns():
    with socket.socket() as s:
        return struct.unpack("Q", s.getsockopt(socket.SOL_SOCKET, COOKIE, 8))[0]


def request(rnd):
    op = rnd.randrange(0, 5)
    is_open = op == 1
    q = bytearray(struct.pack("=IIIIIIQQ16s", 0x646e7664, 3, op, rnd.randrange(5) if is_open else 0, int(is_open), 0,
                              1 << 20 if is_open else 0, netns() if is_open else 0, b"lo" if is_open else b""))
    if rnd.random() < 0.3:
        q[rnd.randrange(len(q))] = rnd.randrange(256)
    if rnd.random() < 0.2:
        q = q[:rnd.randrange(len(q))] + os.urandom(rnd.randrange(200))
    return bytes(q) or b"x"


def hostile_nicd(rnd):
    """In a process of its own, which may block in its own lingering sockets: the parent kills it."""
    for _ in range(rnd.randrange(1, 6)):
        c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        c.settimeout(0.2)
        try:
            c.connect(NICD)
            for _ in range(rnd.randrange(4)):
                keep = [lingering(rnd) if rnd.random() < 0.3 else rnd.choice(
                    ((open("/dev/null", "rb"),), (socket.socket(),), os.pipe(), (os.memfd_create("x"),)))
                    for _ in range(rnd.choice((0, 1, 1, 2, 9)))]
                fds = [f if isinstance(f, int) else f.fileno() for group in keep for f in group[:1]]
                c.sendmsg([request(rnd)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
                if rnd.random() < 0.5:
                    c.recv(1000)
        except OSError:
            pass
        if rnd.random() < 0.5:
            c.close()
    os._exit(0)


def hostile_serve(rnd, port):
    for _ in range(rnd.randrange(1, 6)):
        c = socket.socket()
        c.settimeout(0.2)
        try:
            c.connect(("127.0.0.1", port))
            for _ in range(rnd.randrange(30)):
                c.send(os.urandom(rnd.randrange(1, 3000)) if rnd.random() < 0.3 else valid(rnd))
                if rnd.random() < 0.4:
                    c.recv(rnd.randrange(1, 100000))
        except OSError:
            pass
        if rnd.random() < 0.3:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
    os._exit(0)


def head(op, file, length, off):
    return struct.pack("<IHHIIQQ", 0x31737664, op, file, length, 0, off, 0)


def valid(rnd):
    """Requests of devio-serve, of which some are not right; see load/wire.h."""
    file = rnd.randrange(4)
    if rnd.random() < 0.4:
        path = rnd.choice((b"a", b"a", b"no", b"../x", b"."))
        return head(1, file, len(path), 0) + path
    q = bytearray(head(2, file, rnd.randrange(1, 1 << 18), rnd.randrange(300000)))
    if rnd.random() < 0.2:
        q[rnd.randrange(len(q))] = rnd.randrange(256)
    return bytes(q)


def attack(rnd, port):
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        try:
            hostile_nicd(rnd) if rnd.random() < 0.5 else hostile_serve(rnd, port)
        finally:
            os._exit(0)
    return pid, time.time() + rnd.random() * 2


def served_nicd():
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
        c.settimeout(10)
        c.connect(NICD)
        c.send(b"x")
        return c.recv(1000)[16:].split(b"\0")[0]


def take(c, n):
    got = b""
    while len(got) < n:
        part = c.recv(n - len(got))
        if not part:
            raise OSError("the connection ended")
        got += part
    return got


def served_serve(port):
    """The bytes of the file, or what came instead."""
    with socket.create_connection(("127.0.0.1", port), 10) as c:
        c.sendall(head(1, 0, 1, 0) + b"a" + head(2, 0, len(DATA), 0))
        status = struct.unpack_from("<H", take(c, 32), 6)[0]
        return status == 16 or (not status and take(c, 32 + len(DATA))[32:] == DATA)


DATA = os.urandom(300000)
with open("data/a", "wb") as f:
    f.write(DATA)
nicd, _ = start([f"{build}/tools/devio-nicd", "--socket", NICD, "--timeout=1", "--clients=32", "--rate=1000000", "lo"],
                " at ")
serve, line = start([f"{build}/tools/devio-serve", "-w", "1", "-c", "64", "-p", "64", "data", "0"], " port ")
port = int(line.rsplit(" ", 1)[1])
rnd = random.Random(seed)
begin, running, early, rounds = time.time(), {}, None, 0
while time.time() - begin < seconds:
    while len(running) < 12:
        pid, end = attack(random.Random(rnd.random()), port)
        running[pid] = end
    for pid, end in list(running.items()):
        if time.time() > end:
            os.kill(pid, rnd.choice((signal.SIGKILL, signal.SIGTERM)))
        if os.waitpid(pid, os.WNOHANG)[0]:
            del running[pid]
    if rnd.random() < 0.02:        # a process of the daemon's is killed
        for pid in children(nicd.pid)[:1]:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass
    if rounds % 20 == 0:
        for p, served in ((nicd, lambda: b"" if b"devio-nicd" in served_nicd() else b"no answer"), (serve, lambda: not served_serve(port))):
            try:
                if p.poll() is not None or served():
                    wrong.append(f"{p.args[0]} does not serve")
            except OSError as e:
                wrong.append(f"{p.args[0]}: {e}")
    rounds += 1
    if not early and time.time() - begin > seconds / 3:
        early = status(nicd.pid), status(serve.pid)
    if wrong or nicd.poll() is not None or serve.poll() is not None:
        break
    time.sleep(0.05)
for pid in running:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
time.sleep(6)
for p, was in zip((nicd, serve), early or ()):
    if p.poll() is not None:
        wrong.append(f"{p.args[0]} ended: {p.returncode}")
        continue
    now = status(p.pid)
    print(f"# {os.path.basename(p.args[0])}: KiB, descriptors, threads, children: {was} then, {now} now")
    if now[0] > was[0] * 1.3 + 4096 or now[1] > was[1] + 2 or now[2] > was[2] or now[3] > 0:
        wrong.append(f"{p.args[0]} grows: {was}, {now}")
for p in nicd, serve:
    p.terminate()
    try:
        if p.wait(10):
            wrong.append(f"{p.args[0]} ends with {p.returncode}: {''.join(said[-5:])}")
    except subprocess.TimeoutExpired:
        wrong.append(f"{p.args[0]} does not end")
        p.kill()
print("\n".join(wrong) + (f"\nseed {seed}" if wrong else ""), end="")
sys.exit(bool(wrong))
