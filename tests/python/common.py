# SPDX-License-Identifier: MIT
"""What the package's tests share."""
import os
import tempfile
import unittest


def pattern(n, seed=1):
    """Bytes that repeat at no power of two."""
    return bytes((i * 7 + seed + i // 251) % 256 for i in range(n))


class Dir(unittest.TestCase):
    """With a directory of its own, beside the build and not in /tmp: that may know no O_DIRECT."""

    def setUp(self):
        self._dir = tempfile.TemporaryDirectory(dir=os.environ.get("DEVIO_BUILD", "."))
        self.addCleanup(self._dir.cleanup)

    def path(self, name):
        return os.path.join(self._dir.name, name)

    def file(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def records(self, number, size, files=2):
        """Files of records that begin with their number, as NumPy writes them; the array and the files."""
        import numpy as np
        rows = np.random.default_rng(1).integers(0, 256, (number, size), np.uint8)
        rows[:, :8] = np.arange(number, dtype="<i8")[:, None].view(np.uint8)
        cut = [number * i // files for i in range(files + 1)]
        paths = []
        for i in range(files):
            paths.append(self.path(f"records-{i}"))
            rows[cut[i]:cut[i + 1]].tofile(paths[-1])
        return rows, paths

    def shard(self, name, samples, form=None):
        """A tar file of {key: {extension: bytes}} by tarfile."""
        import io
        import tarfile
        with tarfile.open(self.path(name), "w", format=tarfile.PAX_FORMAT if form is None else form) as t:
            for key, members in samples.items():
                for extension, data in members.items():
                    info = tarfile.TarInfo(f"{key}.{extension}")
                    info.size = len(data)
                    t.addfile(info, io.BytesIO(data))
        return self.path(name)
