# SPDX-License-Identifier: MIT
"""Random files, against Python's json and tarfile, and safetensors where it is installed: what is taken has the
same tensors, members and bytes, and what these take is taken. DEVIO_FUZZ_SECONDS (2) for each test, DEVIO_FUZZ_SEED
for what one of them has found; files that were found once are in tests/data/formats."""
import glob
import io
import json
import os
import random
import struct
import tarfile
import time
import unittest

import devio
from devio.data import Source

from common import Dir

SECONDS = float(os.environ.get("DEVIO_FUZZ_SECONDS", 2))
SIZES = {name: row[0] for name, row in devio.DTYPES.items()}
CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/formats")


def rounds():
    """A generator of random numbers for each round, until the time is over."""
    end = time.monotonic() + SECONDS
    seed = int(os.environ.get("DEVIO_FUZZ_SEED", "1"))      # the same ones in each check; others by the variable
    while True:
        yield seed, random.Random(seed)
        seed += 1
        if time.monotonic() > end:
            return


class Refused(Exception):
    pass


def unique(pairs):
    out = dict(pairs)
    if len(out) != len(pairs):
        raise Refused("duplicate")
    return out


def constant(name):
    raise Refused(name)


def count(n):
    return type(n) is int and 0 <= n < 1 << 63


def depth(o):
    inner = o.values() if isinstance(o, dict) else o if isinstance(o, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def model(raw):
    """What a safetensors file means: [(name, dtype, shape, bytes)] in the order of the data, or Refused."""
    if len(raw) < 8:
        raise Refused("short")
    n = struct.unpack("<Q", raw[:8])[0]
    text, data = raw[8:8 + n], raw[8 + n:]
    if n > len(raw) - 8 or not text.startswith(b"{"):
        raise Refused("header")
    try:
        if text.lstrip(b" \t\r\n") and b"\x00" in text:
            raise Refused("NUL")
        text = text.decode("utf-8")
        top = json.loads(text, object_pairs_hook=lambda pairs: pairs, parse_constant=constant,
                         parse_int=lambda s: float(s) if s == "-0" else int(s))     # as in serde_json
    except (ValueError, RecursionError) as e:
        raise Refused(e) from e
    return top, text, data


def tensors(raw):
    top, text, data = model(raw)
    if any("\ud800" <= c <= "\udfff" for c in json.dumps(json.loads(text), ensure_ascii=False)):
        raise Refused("surrogate")
    if depth(json.loads(text)) > 32:
        raise Refused("depth")
    out = []
    names = [k for k, _ in top]
    if len(set(names)) != len(names) or any("\0" in k for k in names):
        raise Refused("names")
    for name, value in top:
        if name == "__metadata__":
            if value is None:
                continue
            pairs = value if isinstance(value, list) else [None]
            if json.loads(text)[name] == [] or isinstance(json.loads(text)[name], list) or \
                    not all(isinstance(p, tuple) and isinstance(p[1], str) for p in pairs) or \
                    len({p[0] for p in pairs}) != len(pairs) or any("\0" in s for p in pairs for s in p):
                raise Refused("metadata")
            continue
        if not isinstance(json.loads(text)[name], dict):
            raise Refused("no object")
        keys = [k for k, _ in value]
        members = dict(value)
        if any("\0" in k for k in keys) or any(keys.count(k) != 1 for k in ("dtype", "shape", "data_offsets")):
            raise Refused("members")
        dtype, shape, off = (members[k] for k in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or "\0" in dtype or not isinstance(shape, list) or not isinstance(off, list) or \
                not all(map(count, shape)) or not all(map(count, off)) or len(off) != 2 or len(shape) > 64 or \
                off[0] > off[1] or off[1] > len(data):
            raise Refused("values")
        bits = SIZES.get(dtype)
        if bits is not None:
            for n in shape:
                bits *= n
                if bits >= 1 << 64:
                    raise Refused("size")
            if bits != 8 * (off[1] - off[0]):
                raise Refused("size")
        out.append((off[0], off[1], name.encode("utf-8"), dtype, tuple(shape)))
    out.sort()
    at = 0
    for begin, end, *_ in out:
        if begin != at:
            raise Refused("layout")
        at = end
    if at != len(data):
        raise Refused("layout")
    return [(name.decode(), dtype, shape, data[begin:end]) for begin, end, name, dtype, shape in out]


def random_header(rnd):
    entries, at = {}, 0
    for i in range(rnd.randrange(5)):
        dtype = rnd.choice(["U8", "F32", "BF16", "F4", "X9", "BOOL", "F8_E8M0"])
        shape = [rnd.randrange(4) for _ in range(rnd.randrange(4))]
        bits = SIZES.get(dtype, 8)
        for n in shape:
            bits *= n
        bits = (bits + 7) // 8
        name = rnd.choice(["a", "b", "ü", "\U0001f600", "x.y/z", "__metadata__ ", "\n", ""]) + str(i) * rnd.randrange(2)
        entry = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + bits]}
        if rnd.random() < .2:
            entry["extra"] = rnd.choice([None, [1, {"a": []}], "x", -1.5e3, True, {"shape": [1]}])
        entries[name] = entry
        at += bits
    if rnd.random() < .5:
        entries["__metadata__"] = rnd.choice([None, {}, {"k": "v", "ä": "\\"}, {"k": 1}, []])
    items = list(entries.items())
    rnd.shuffle(items)
    text = json.dumps(dict(items), ensure_ascii=rnd.random() < .5, indent=rnd.choice([None, 1])).encode()
    return bytearray(text + b" " * rnd.randrange(3)), at


BITS = [b'"', b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b".", b"e", b"\0", b"\xff",
        b"\xc3", b"null", b"9999999999999999999", b"9223372036854775807", b" ", b"\x01", b'"a":', b"1.0", b"[" * 40]


def mutate(rnd, text):
    for _ in range(rnd.choice([0, 1, 1, 2, 5])):
        at = rnd.randrange(len(text) + 1)
        kind = rnd.randrange(4)
        if kind == 0:
            text[at:at] = rnd.choice(BITS)
        elif kind == 1:
            del text[at:at + rnd.randrange(1, 9)]
        elif kind == 2 and at < len(text):
            text[at] = rnd.randrange(256)
        else:
            piece = text[at:at + rnd.randrange(1, 40)]
            text[at:at] = piece
    return text


def key_of(name):
    """WebDataset's key and extension, or None."""
    head, slash, base = name.rpartition("/")
    key, dot, ext = base.partition(".")
    if not dot or not key or (not slash and len(name) >= 4 and name.startswith("__") and name.endswith("__")):
        return None
    return head + slash + key, "".join(c.lower() if c.isascii() else c for c in ext)


def members(raw):
    out = []
    with tarfile.open(fileobj=io.BytesIO(raw), ignore_zeros=True, encoding="utf-8", errors="surrogateescape") as t:
        for m in t:
            if m.isreg() and key_of(m.name):
                out.append((*key_of(m.name), t.extractfile(m).read()))
    return out


def random_tar(rnd):
    """An archive, or several joined; whether every reader reads it in the same way; what its blocks hold."""
    out, plain, stored = b"", True, []
    for k in range(rnd.choice([1, 1, 1, 2, 3])):
        f = io.BytesIO()
        fmt = rnd.choice([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
        with tarfile.open(fileobj=f, mode="w", format=fmt, encoding="utf-8") as t:
            for i in range(rnd.randrange(6)):
                info = tarfile.TarInfo(rnd.choice(["", "d/", "d.e/", "long" * (20 if fmt == tarfile.USTAR_FORMAT else 40) + "/", "ü/"]) + f"{k}{i}" +
                                       rnd.choice([".jpg", ".Cls", ".a.b", "", ".日本"]))
                data = rnd.randbytes(rnd.choice([0, 1, 511, 512, 513, 5000]))
                info.type = rnd.choice([tarfile.REGTYPE] * 6 + [tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE,
                                                                tarfile.LNKTYPE, tarfile.FIFOTYPE])
                info.linkname = "elsewhere" if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
                info.size = len(data) if info.isreg() else 0
                if fmt == tarfile.PAX_FORMAT and rnd.random() < .3:
                    key = rnd.choice(["comment", "VENDOR.x", "mtime", "SCHILY.realsize", "GNU.sparse.realsize",
                                      "GNU.sparse.size", "uname"])
                    info.pax_headers = {key: rnd.choice(["0", "1", "512", "600", "99999", "1.5", "x"])}
                    plain &= key in ("comment", "VENDOR.x", "uname")
                if info.isreg() and key_of(info.name):
                    stored.append((*key_of(info.name), data + bytes(-len(data) % 512)))
                t.addfile(info, io.BytesIO(data) if info.isreg() else None)
        raw = f.getvalue()
        out += raw[:len(raw.rstrip(b"\0")) // 512 * 512 + 512 * rnd.choice([2, 3, 20])] if rnd.random() < .5 and k else raw
    return out, plain, stored


class Formats(Dir):
    def corpus(self, end):
        for path in sorted(glob.glob(os.path.join(CORPUS, "*." + end))):
            with open(path, "rb") as f:
                yield os.path.basename(path), f.read()

    def ours(self, kind, raw):
        path = self.file("fuzz." + kind, raw)
        try:
            s = Source.tar([path]) if kind == "tar" else Source.safetensors(path)
        except devio.FormatError as e:
            return None, e
        out = []
        for i in range(len(s)):
            for n in range(s.count(i)):
                f = s.field(i, n)
                data = raw[f.offset:f.offset + f.length]
                out.append((f.key, f.name, data) if kind == "tar" else (f.key, f.dtype, f.shape, data))
        return out, ""

    def compare(self, seed, raw):
        got, why = self.ours("safetensors", raw)
        try:
            want = tensors(raw)
        except Refused as e:
            want = None
            why = why or e
        self.assertEqual(got, want, f"DEVIO_FUZZ_SEED={seed}: {why}")
        return got

    def test_safetensors(self):
        for name, raw in self.corpus("safetensors"):
            self.compare(name, raw)
        good = 0
        for seed, rnd in rounds():
            text, size = random_header(rnd)
            text = mutate(rnd, text)
            raw = struct.pack("<Q", len(text)) + text + rnd.randbytes(size)
            good += self.compare(seed, raw) is not None
        self.assertGreater(good, 0)

    def test_safetensors_itself(self):
        try:
            from safetensors import SafetensorError, deserialize
        except ImportError as e:
            self.skipTest(str(e))
        for seed, rnd in rounds():
            text, size = random_header(rnd)
            text = mutate(rnd, text)
            raw = struct.pack("<Q", len(text)) + text + rnd.randbytes(size)
            try:
                want = {k: (tuple(v["shape"]), bytes(v["data"])) for k, v in deserialize(raw)}
            except SafetensorError:
                continue
            got, why = self.ours("safetensors", raw)
            strict = "duplicate", "NUL", "64 dim", "nested", "not a JSON object"
            if got is None and any(w in str(why) for w in strict):
                continue       # what readers understand differently, and spaces in front, which the format excludes
            self.assertIsNotNone(got, f"DEVIO_FUZZ_SEED={seed}: {why}: {raw!r}")
            self.assertEqual({k: (s, d) for k, _, s, d in got}, want, f"DEVIO_FUZZ_SEED={seed}")

    def test_tar(self):
        for name, raw in self.corpus("tar"):
            got, _ = self.ours("tar", raw)
            if got is not None:
                self.assertEqual(got, members(raw), name)
        good = 0
        for seed, rnd in rounds():
            raw, plain, stored = random_tar(rnd)
            got, why = self.ours("tar", raw)
            if plain:
                self.assertEqual(got, members(raw), f"DEVIO_FUZZ_SEED={seed}: {why}")
            elif got is not None:      # readers differ about records that lie about a size
                self.assertEqual([g[:2] for g in got], [s[:2] for s in stored], f"DEVIO_FUZZ_SEED={seed}")
                for g, s in zip(got, stored):
                    self.assertEqual(g[2], s[2][:len(g[2])], f"DEVIO_FUZZ_SEED={seed}")
            good += got is not None
        self.assertGreater(good, 0)

    def test_tar_damaged(self):
        """An archive with bytes changed, and its sums made right: refused, or nothing leaves its file."""
        for seed, rnd in rounds():
            raw = bytearray(random_tar(rnd)[0])
            for _ in range(rnd.choice([1, 1, 3])):
                block = rnd.randrange(max(len(raw) // 512, 1)) * 512
                at = block + rnd.choice([rnd.randrange(512), rnd.randrange(124, 157)])
                if at < len(raw):
                    raw[at] = rnd.choice([0, 0x80, 0xff, 0x30, 0x37, rnd.randrange(256)])
                head = raw[block:block + 512]
                if len(head) == 512 and head[257:262] == b"ustar":
                    head[148:156] = b" " * 8
                    raw[block + 148:block + 156] = b"%06o\0 " % sum(head)
            if rnd.random() < .3:
                del raw[rnd.randrange(len(raw) + 1):]
            got, _ = self.ours("tar", bytes(raw))
            for _, _, data in got or ():
                self.assertLessEqual(len(data), len(raw), f"DEVIO_FUZZ_SEED={seed}")


if __name__ == "__main__":
    unittest.main()
