# SPDX-License-Identifier: MIT
"""Lets each system call of devio-serve and devio-nicd fail in turn, with strace, while clients use them.

    daemons.py BUILD

A daemon that gets one error serves the next client as before, has as many descriptors as before, and ends in time by
SIGTERM. Where the error stays, it ends in time. No client gets a wrong byte. A sample, which a seed chooses
(DEVIO_FAULTS_SEED), for DEVIO_FAULTS_SECONDS of each daemon; everything with DEVIO_FAULTS=all, or what
DEVIO_FAULTS_ONLY=DAEMON:CALL:ERROR:WHEN names. Prints TAP.
"""
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

build = os.path.abspath(sys.argv[1])
seed = os.environ.get("DEVIO_FAULTS_SEED", "1")
seconds = float(os.environ.get("DEVIO_FAULTS_SECONDS", "8"))
everything = os.environ.get("DEVIO_FAULTS") == "all"
only = os.environ.get("DEVIO_FAULTS_ONLY")
DEADLINE = 15       # of each step
ERRORS = ("EINTR", "EAGAIN", "ENOMEM", "EMFILE", "EIO", "ENOSPC")
# A failure would be the injection's own leak, or is the C library's to bear: it ends the process, or is ignored.
NOT = re.compile(r"close|munmap|futex|exit|rt_sig|brk|rseq|set_|mprotect|get[pt]id|getppid|dup|execve|arch_prctl|seccomp|"
                 r"restart_syscall|syscall_|prlimit64|write$|\+\+\+|---|wait4|kill|prctl")
# Errors that the kernel never gives there: a caller may take them for the end.
NEVER = {"socket": ("EINTR", "EAGAIN"), "clone": ("EINTR", "EMFILE"), "clone3": ("EINTR", "EMFILE"),
         "io_uring_enter": ("EIO", "EMFILE", "ENOSPC")}


class Wrong(Exception):
    pass


def program(name):
    """Not libtool's script, which strace would follow."""
    real = f"{build}/tools/.libs/{name}"
    return real if os.path.exists(real) else f"{build}/tools/{name}"


class Daemon:
    """A daemon that strace, a process beside it, follows. Its standard error is read up to the line that it serves."""

    def __init__(self, args, strace):
        self.log = b""
        self.process = subprocess.Popen(["strace", "-D", "-I2", "-f", "-qq", *strace, *args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.begun = self._begin()

    def _begin(self):
        end = time.monotonic() + DEADLINE
        while b": serving " not in self.log or not self.log.endswith(b"\n"):
            if not select.select([self.process.stderr], [], [], max(end - time.monotonic(), 0))[0]:
                self.kill()
                raise Wrong("it neither serves nor ends: " + self.text())
            more = os.read(self.process.stderr.fileno(), 65536)
            if not more:
                return False
            self.log += more
        return True

    def text(self):
        return self.log.decode(errors="replace")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def tracer(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"TracerPid:\t(\d+)", f.read())[1])

    def release(self):
        """No further faults: each process that it forks would get them anew."""
        tracer = self.tracer()
        if tracer:
            os.kill(tracer, signal.SIGTERM)
        end = time.monotonic() + DEADLINE
        while self.tracer() and time.monotonic() < end:
            time.sleep(0.002)

    def alive(self):
        return self.process.poll() is None

    def end(self):
        """SIGTERM; its exit status."""
        if self.begun:
            self.process.terminate()
        try:
            self.log += self.process.communicate(timeout=DEADLINE)[1]
        except subprocess.TimeoutExpired:
            self.kill()
            raise Wrong("it does not end: " + self.text()) from None
        return self.process.returncode

    def kill(self):
        self.process.kill()
        try:
            self.log += self.process.communicate(timeout=DEADLINE)[1]
        except subprocess.TimeoutExpired:
            pass


class Serve:
    """devio-serve, whose clients open two files and read them in pieces."""
    name = "devio-serve"
    waits = ()
    kept = 100      # descriptors without clients and faults

    def __init__(self, work):
        self.work = os.path.join(work, "served")
        os.mkdir(self.work)
        self.bytes = {n: random.Random(n).randbytes(300000) for n in ("a", "b")}
        for n, data in self.bytes.items():
            with open(os.path.join(self.work, n), "wb") as f:
                f.write(data)

    def args(self):
        return [program("devio-serve"), "-c", "4", self.work, "0"]

    def ready(self, daemon):
        self.port = int(re.search(r"port (\d+)", daemon.text())[1])

    @staticmethod
    def _exactly(s, n):
        data = b""
        while len(data) < n:
            more = s.recv(n - len(data))
            if not more:
                raise ConnectionError("closed")
            data += more
        return data

    def _answer(self, s, op):
        magic, got, status, length, zero, size, version = struct.unpack("<4sHHIIQQ", self._exactly(s, 32))
        if magic != b"dvs1" or zero or got not in (op, 0xffff) or length > 1 << 20:
            raise Wrong(f"not an answer: {magic} {got} {status} {length}")
        if got == 0xffff:
            raise ConnectionError(f"refused, status {status}")
        return status, self._exactly(s, length), size, version

    def client(self):
        """How many errors it got; a connection that is closed is one."""
        errors = 0
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE) as s:
                for number, (name, data) in enumerate(self.bytes.items()):
                    s.sendall(struct.pack("<4sHHIIQQ", b"dvs1", 1, number, len(name), 0, 0, 0) + name.encode())
                    status, _, size, _ = self._answer(s, 1)
                    errors += status != 0
                    if not status and size != len(data):
                        raise Wrong("a wrong size")
                    asked = [(0, 4096), (4096, 100000), (7, 70001), (299999, 1), (65536, 131072)]
                    s.sendall(b"".join(struct.pack("<4sHHIIQQ", b"dvs1", 2, number, n, 0, at, 0) for at, n in asked))
                    for at, n in asked:
                        got = self._answer(s, 2)
                        errors += got[0] != 0
                        if got[1] != (bytes(n) if got[0] else data[at:at + n]):
                            raise Wrong(f"wrong bytes of {name} at {at}, status {got[0]}")
        except TimeoutError:
            raise Wrong("a client waits for ever") from None
        except OSError:
            errors += 1
        return errors


class Nicd:
    """devio-nicd, whose clients send what no NIC is needed for: a set-up that fails, and what is not a request."""
    name = "devio-nicd"
    kept = 100
    waits = ("accept4",)    # each process that it forks gets that error anew: nobody is accepted

    def knock(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(self.path)
            time.sleep(0.2)

    def __init__(self, work):
        self.path = os.path.join(work, "nic.sock")
        self.netns = os.stat("/proc/self/ns/net").st_ino

    def args(self):
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        return [program("devio-nicd"), "--socket", self.path, "--mode", "600", "lo"]

    def ready(self, daemon):
        pass

    def _ask(self, message, fds):
        """The error of the answer, or None: there was none."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                s.settimeout(DEADLINE)
                s.connect(self.path)
                socket.send_fds(s, [message], fds)
                answer = s.recv(4096)
        except TimeoutError:
            raise Wrong("a client waits for ever") from None
        except OSError:
            return None
        if not answer:
            return None
        if len(answer) != 496 or answer[:4] != b"dvnd":
            raise Wrong(f"not an answer: {len(answer)} bytes")
        err = struct.unpack_from("<i", answer, 12)[0]
        if err >= 0 or not answer[16:].split(b"\0")[0]:
            raise Wrong(f"error {err} without a sentence")
        return err

    def client(self):
        memfd = os.memfd_create("not a dma-buf")
        try:
            ask = struct.pack("=IIIIIIQQ16s", 0x646e7664, 2, 1, 0, 1, 0, 4096, self.netns, b"lo")
            errors = [self._ask(ask, [memfd]), self._ask(ask, []), self._ask(b"x" * 56, [memfd])]
        finally:
            os.close(memfd)
        return sum(e is None or e in (-12, -24) for e in errors)


def settle(daemon, usual):
    """Waits until it has as many descriptors as without a fault."""
    end = time.monotonic() + 5
    while True:
        try:
            now = daemon.descriptors()
        except FileNotFoundError:
            return
        if now <= usual:
            return
        if time.monotonic() > end:
            raise Wrong(f"{usual} descriptors usually, {now} after the error")
        time.sleep(0.01)


def one(kind, call, error, when):
    """Wrong is raised for what is not right."""
    # Without a seccomp filter, to which an injected call has no number, and is none of those that it allows.
    daemon = Daemon(kind.args(), ["-o", "/dev/null", "-e", f"trace={call},seccomp", "-e", "inject=seccomp:retval=0",
                                  "-e", f"inject={call}:error={error}:when={when}"])
    stays = when.endswith("+") or ".." in when
    try:
        if not daemon.begun:
            status = daemon.end()
            if status != 1 or kind.name not in daemon.text():
                raise Wrong(f"it ends at its start with {status}: {daemon.text()}")
            return
        kind.ready(daemon)
        for _ in range(2):
            kind.client() if call not in kind.waits else kind.knock()
        if stays:
            daemon.end()
            return
        if not daemon.alive():
            raise Wrong("one error ended it: " + daemon.text())
        daemon.release()
        errors = kind.client()
        if errors:
            raise Wrong(f"{errors} errors of a client after the one: {daemon.text()}")
        settle(daemon, kind.kept)
        status = daemon.end()
        # What fails while it ends is its status.
        if status not in (0, 1):
            raise Wrong(f"it ends with {status}: {daemon.text()}")
    finally:
        if daemon.alive():
            daemon.kill()


def trace(kind, work):
    """{call: numbers} of what it does once it has begun to block signals, which is after the dynamic linker."""
    out = os.path.join(work, "trace")
    daemon = Daemon(kind.args(), ["-o", out])
    try:
        if not daemon.begun:
            raise Wrong("without a fault it ends: " + daemon.text())
        kind.ready(daemon)
        for _ in range(3):
            if kind.client():
                raise Wrong("a client gets an error without a fault: " + daemon.text())
        time.sleep(0.5)
        kind.kept = daemon.descriptors()
        status = daemon.end()
        if status:
            raise Wrong(f"without a fault it ends with {status}: {daemon.text()}")
    finally:
        if daemon.alive():
            daemon.kill()
    count, numbers, before, first = {}, {}, None, None
    with open(out) as f:
        for line in f:
            pid, rest = line.split(None, 1)
            call = rest.split("(")[0]
            first = first or pid
            if before is None and call == "rt_sigprocmask":
                before = {c: n for (_, c), n in count.items()}
            if not call.isidentifier() or NOT.match(call):
                continue
            n = count[pid, call] = count.get((pid, call), 0) + 1
            # strace counts in each process: a number that the dynamic linker reaches, too, would hit that.
            if before is not None and n > before.get(call, 0):
                numbers.setdefault(call, set()).add(n)
    return {call: sorted(of) for call, of in numbers.items()}


def cases(numbers, rng):
    """Each (call, error, when): all, or call by call in a random order, so that rare calls have their turn."""
    queues = []
    for call, of in sorted(numbers.items()):
        errors = [e for e in ERRORS if e not in NEVER.get(call, ())]
        queue = [(call, e, str(n)) for n in of for e in errors]
        for e in errors:
            if call in ("accept4", "ppoll", "clone", "clone3", "pipe2", "socketpair") and e not in ("EINTR", "EAGAIN"):
                continue        # who connects waits for as long as that lasts; devio-nicd accepts in a child
            n = rng.choice(of)
            # Nobody gets signals for ever: a storm of them.
            queue.append((call, e, f"{n}..{n + 20}" if e in ("EINTR", "EAGAIN") else f"{n}+"))
        rng.shuffle(queue)
        queues.append(queue)
    while queues:
        rng.shuffle(queues)
        for queue in queues:
            yield queue.pop()
        queues = [q for q in queues if q]


def run(kind, work, number):
    rng = random.Random(seed + kind.name)
    bad, n, end = [], 0, time.monotonic() + seconds
    try:
        if only:
            todo = [only.split(":")[1:]] if only.startswith(kind.name + ":") else []
        else:
            todo = cases(trace(kind, work), rng)
        for case in todo:
            n += 1
            try:
                one(kind, *case)
            except Wrong as e:
                bad.append(":".join((kind.name, *case)) + ": " + str(e))
            if not everything and time.monotonic() > end:
                break
    except Wrong as e:
        bad.append(str(e))
    for line in bad:
        print("# DEVIO_FAULTS_ONLY=" + line.replace("\n", "\n#   "))
    print(f"{'not ok' if bad else 'ok'} {number} - {kind.name}: {len(bad)} of {n} faults, seed {seed}", flush=True)


def main():
    os.environ["LD_LIBRARY_PATH"] = f"{build}/lib/.libs"
    with tempfile.TemporaryDirectory(prefix="devio-faults-") as work:
        print(f"1..2\n# DEVIO_FAULTS_SEED={seed}", flush=True)
        for number, kind in enumerate((Serve, Nicd), 1):
            if kind is Nicd and os.geteuid():
                print(f"ok {number} - {kind.name} # SKIP needs CAP_NET_ADMIN")
                continue
            run(kind(work), work, number)


main()
