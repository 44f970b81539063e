# SPDX-License-Identifier: MIT
"""Files that Python's tools write, read by libdevio-load and compared: formats.py DUMP DIRECTORY; TAP lines."""
import io
import json
import os
import random
import subprocess
import sys
import tarfile

dump, top = sys.argv[1:]
rnd = random.Random(7)
count = 0


def report(name, why):
    global count
    count += 1
    print(f"{'not ok' if why else 'ok'} {count} - {name}")
    if why:
        print("#", str(why)[:400].replace("\n", "\n# "))


def skip(name, why):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {why}")


def compare(name, kind, paths, want):
    """want: (key, field, dtype, shape, bytes) in the order of the data."""
    out = os.path.join(top, "out")
    r = subprocess.run([dump, kind, out, *paths], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = r.stdout.decode(errors="replace")
    listed = "".join(f"{k}\t{f}\t{d}\t{','.join(map(str, s))}\t{len(b)}\n" for k, f, d, s, b in want)
    data = b"".join(w[4] for w in want)
    if r.returncode or text != listed:
        return report(name, f"{r.returncode}: {text[:300]}\nwanted: {listed[:300]}")
    for how in "ranges", "loader":
        with open(f"{out}.{how}", "rb") as f:
            if f.read() != data:
                return report(name, f"the bytes by {how} differ")
    report(name, "")


def at(name):
    return os.path.join(top, name)


def tars():
    members = [(f"{d}{i:03}.{ext}", rnd.randbytes(rnd.choice([0, 1, 511, 512, 513, 4096, 70001])))
               for d in ("", "train/", "x" * 120 + "/" + "y" * 80 + "/") for i in range(12) for ext in ("jpg", "Cls", "meta.json")]
    for name, fmt, extra in (("ustar", tarfile.USTAR_FORMAT, []), ("gnu", tarfile.GNU_FORMAT, ["\u00e4" * 130 + "/0.txt"]),
                             ("pax", tarfile.PAX_FORMAT, ["\u65e5\u672c" * 90 + "/\u00fc.txt"])):
        path, all_members = at(name + ".tar"), members + [(n, b"extra") for n in extra]
        with tarfile.open(path, "w", format=fmt) as t:
            directory = tarfile.TarInfo("some.dir")
            directory.type = tarfile.DIRTYPE
            t.addfile(directory)
            for n, data in all_members:
                info = tarfile.TarInfo(n)
                info.size, info.mtime = len(data), 1.5 if fmt == tarfile.PAX_FORMAT else 1
                t.addfile(info, io.BytesIO(data))
        want = []
        with tarfile.open(path) as t:    # as tarfile itself reads it
            for m in t:
                head, _, base = m.name.rpartition("/")
                key, dot, ext = base.partition(".")
                if m.isfile() and dot:
                    want.append(((head + "/" if head else "") + key, ext.lower(), "", (), t.extractfile(m).read()))
        assert len(want) == len(all_members)
        compare(f"a shard by tarfile, {name}", "tar", [path], want)
        compare(f"two shards by tarfile, {name}", "tar", [path, path], want * 2)
        report_in_c_locale(name, path, want)
    sparse()


def report_in_c_locale(name, path, want):
    os.environ["LC_ALL"] = "C"
    compare(f"a shard by tarfile, {name}, in the C locale", "tar", [path], want)
    del os.environ["LC_ALL"]


def sparse():
    path = at("0.bin")
    with open(path, "wb") as f:
        f.truncate(1 << 20)
        f.seek(300000)
        f.write(b"x")
    for fmt in "gnu", "pax":
        name = f"a sparse member of a {fmt} archive is refused"
        try:
            subprocess.run(["tar", "-C", top, "-Scf", at("sparse.tar"), f"--format={fmt}", "0.bin"], check=True)
        except (OSError, subprocess.CalledProcessError) as e:
            skip(name, e)
            continue
        r = subprocess.run([dump, "tar", at("out"), at("sparse.tar")], stdout=subprocess.PIPE)
        report(name, "" if r.returncode == 1 and b"sparse" in r.stdout else r.stdout)


def safetensors_file(name, tensors, pad=0):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for key, (dtype, shape, raw) in tensors.items():
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, ensure_ascii=bool(pad)).encode() + b" " * pad
    with open(at(name), "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + data)


def tensors():
    def some(prefix):
        return {f"{prefix}.{i}.\u00e9": (d, [i, 3, n], rnd.randbytes(i * 3 * n * b))
                for i, (d, b, n) in enumerate([("F32", 4, 7), ("BF16", 2, 1000), ("F8_E4M3", 1, 5), ("I64", 8, 333), ("BOOL", 1, 1)])}

    def want(t):
        return [(k, "", d, s, raw) for k, (d, s, raw) in t.items()]
    a, b = some("a"), some("b")
    safetensors_file("one.safetensors", a)
    compare("a safetensors file", "safetensors", [at("one.safetensors")], want(a))
    safetensors_file("two.safetensors", b, 13)
    compare("one with a padded header", "safetensors", [at("two.safetensors")], want(b))
    with open(at("m.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": 1}, "weight_map": {**dict.fromkeys(b, "two.safetensors"),
                                                                 **dict.fromkeys(a, "one.safetensors")}}, f, indent=2)
    compare("two by their index", "safetensors", [at("m.safetensors.index.json")], want(a) + want(b))
    try:    # Debian 12 does not have it: no test that could run is left out there
        import safetensors.numpy
        import numpy
    except ImportError as e:
        print("#", e)
        return
    arrays = {"x": numpy.arange(1000, dtype="f4").reshape(10, 100), "y": numpy.ones((3, 3), "i2")}
    safetensors.numpy.save_file(arrays, at("own.safetensors"))
    compare("a file by safetensors itself", "safetensors", [at("own.safetensors")],
            [("x", "", "F32", (10, 100), arrays["x"].tobytes()), ("y", "", "I16", (3, 3), arrays["y"].tobytes())])


def records():
    try:
        import numpy
    except ImportError as e:
        return skip("records by numpy", e)
    rows = numpy.random.default_rng(1).random((500, 33))
    rows[:200].tofile(at("r1"))
    rows[200:].tofile(at("r2"))
    compare("records by numpy", str(33 * 8), [at("r1"), at("r2")], [("", "", "", (), r.tobytes()) for r in rows])


tars()
tensors()
records()
print(f"1..{count}")
