# SPDX-License-Identifier: MIT
"""The programs that the lab needs: the system's own, or a package's, unpacked into the cache."""
import fcntl
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "devio")
QEMU_MIN = (9, 2)  # x-max-bounce-buffer-size


class Tool:
    """A program of the system, or of a package unpacked into the cache."""

    def __init__(self, program, package, suite, accept):
        self.program, self.package, self.suite, self.accept = program, package, suite, accept
        self.root = ""

    def find(self):
        path = shutil.which(self.program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if path and self.accept(self, path):
            return path
        self.root = os.path.join(CACHE, self.package, "root")
        os.makedirs(CACHE, exist_ok=True)
        with open(os.path.join(CACHE, "fetch.lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = self.unpacked() or self.fetch()
        return path or sys.exit(f"tests/vm/run: {self.package} from Debian does not work here")

    def fetch(self):
        shutil.rmtree(os.path.dirname(self.root), ignore_errors=True)
        command = [os.path.join(HERE, "fetch-deb")]
        command += ["--suite", self.suite] if self.suite else []
        subprocess.run(command + ["--deps", os.path.dirname(self.root), self.package],
                       check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        return self.unpacked()

    def unpacked(self):
        for directory in ("usr/bin", "usr/sbin", "sbin", "bin"):
            path = os.path.join(self.root, directory, self.program)
            if os.path.exists(path) and self.accept(self, path):
                return path
        return None

    def env(self):
        if not self.root:
            return dict(os.environ)
        libraries = [os.path.join(self.root, d, m) for m in ("x86_64-linux-gnu", "aarch64-linux-gnu")
                     for d in ("usr/lib", "lib")]
        return dict(os.environ, LD_LIBRARY_PATH=":".join(libraries))

    def version(self, path, argument):
        done = subprocess.run([path, argument], env=self.env(), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        found = re.search(r"(\d+)\.(\d+)", done.stdout + done.stderr)
        return done.returncode == 0 and found and tuple(map(int, found.groups())) or (0, 0)


def suite_with_qemu():
    with open("/etc/os-release", encoding="utf-8") as file:
        release = dict(line.strip().split("=", 1) for line in file if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    return "bookworm-backports" if codename == "bookworm" else ""


QEMU = Tool("qemu-system-x86_64", "qemu-system-x86", suite_with_qemu(),
            lambda tool, path: tool.version(path, "--version") >= QEMU_MIN)
MKFS = {
    "ext4": (Tool("mkfs.ext4", "e2fsprogs", "", lambda tool, path: tool.version(path, "-V") > (0, 0)),
             ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"]),
    "xfs": (Tool("mkfs.xfs", "xfsprogs", "", lambda tool, path: tool.version(path, "-V") > (0, 0)),
            ["-q", "-f"]),
}
