#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""devio.load() into PyTorch's tensors on a GPU, compared with safetensors and torch.

    tests/hw/torch-cuda.py check DIRECTORY [cuda:0]
    tests/hw/torch-cuda.py perf DIRECTORY [cuda:0 [FILE.json [MIB [SECONDS]]]]

"check" prints TAP; "perf" loads the same tensors by devio.load(), safetensors and torch.load() in turn,
cold and warm. With "host" instead of cuda:0 everything happens in host memory.
"""
import gc
import json
import os
import random
import resource
import subprocess
import sys
import threading
import time

try:
    import torch
    import safetensors.torch as st
except ImportError as error:
    print(f"1..0 # SKIP {error}")
    sys.exit(77)

import devio

WHERE = sys.argv[3] if len(sys.argv) > 3 else "cuda:0"
DEVICE = torch.device("cpu" if WHERE == "host" else WHERE)
ON_GPU = DEVICE.type == "cuda"
DIR = sys.argv[2] if len(sys.argv) > 2 else "."
count = 0


def path(name):
    return os.path.join(DIR, name)


def sync():
    if ON_GPU:
        torch.cuda.synchronize()


def view(t):
    """A tensor of ours as torch's, on the device, without a copy."""
    out = torch.from_dlpack(t)
    assert out.device.type == DEVICE.type, out.device
    return out


def same(a, b):
    """Bit by bit, NaNs too."""
    assert a.dtype == b.dtype and a.shape == b.shape, (a.dtype, b.dtype, a.shape, b.shape)
    if a.numel():
        a, b = (x.contiguous().reshape(-1).view(torch.uint8).cpu() for x in (a, b))
        assert torch.equal(a, b)


def tensors():
    g = torch.Generator().manual_seed(7)
    floats = torch.randn(1000, 37, generator=g)
    out = {"f32": floats, "f16": floats.half()[:333], "bf16": floats.bfloat16()[:, :5].contiguous(),
            "f64": floats.double()[:7], "i64": torch.arange(12345), "u8": torch.randint(0, 256, (65537,), generator=g,
            dtype=torch.uint8), "bool": torch.rand(100, generator=g) > 0.5, "scalar": torch.tensor(3.5),
            "empty": torch.zeros(0, 4), "one": torch.tensor([7], dtype=torch.int8),
            "large": torch.randint(0, 256, (20_000_003,), generator=g, dtype=torch.uint8)}
    if int(torch.__version__.split(".")[0]) < 2:     # which knew no bool in DLPack
        del out["bool"]
    return out


def check_load():
    want = tensors()
    st.save_file(want, path("a.safetensors"))
    got = devio.load(path("a.safetensors"), device=WHERE)
    theirs = st.load_file(path("a.safetensors"), device=str(DEVICE))
    assert set(got) == set(want)
    for k in want:
        same(view(got[k]), want[k])
        same(view(got[k]), theirs[k])
    print(f"# by {dict(got.paths)}, {got.reasons}")


def check_save():
    want = {k: v.to(DEVICE) for k, v in tensors().items()}
    sync()
    devio.save(want, path("b.safetensors"))
    back = st.load_file(path("b.safetensors"), device="cpu")
    for k in want:
        same(back[k], want[k])


def read_into(t, name, offset=0):
    """Bytes of a file into a tensor of torch's."""
    sync()      # libdevio waits for nobody's stream
    ours = devio.from_dlpack(t)
    with devio.File(name) as f:
        n = f.read(ours.memory, ours.offset, t.numel() * t.element_size(), offset).value()
    assert n == t.numel() * t.element_size(), n


def check_into_tensor():
    data = torch.randint(0, 256, (5_000_011,), dtype=torch.uint8)
    data.numpy().tofile(path("raw"))
    t = torch.full((5_000_011,), 9, dtype=torch.uint8, device=DEVICE)
    read_into(t, path("raw"))
    same(t, data)
    t.fill_(9)
    read_into(t[1_000_001:1_500_000], path("raw"), 77)
    assert t[1_000_000] == 9 and t[1_500_000] == 9
    same(t[1_000_001:1_500_000], data[77:77 + 499_999])


def check_lifetime():
    st.save_file({"x": torch.arange(10_000_000)}, path("c.safetensors"))
    used = []
    for _ in range(6):
        x = view(devio.load(path("c.safetensors"), device=WHERE)["x"])
        gc.collect()
        assert int(x.sum()) == 10_000_000 * 9_999_999 // 2       # only torch holds it now
        del x
        gc.collect()
        used.append(torch.cuda.mem_get_info(DEVICE)[0] if ON_GPU else 0)
    assert used[-1] >= used[0] - (4 << 20), used


def small_net(weights):
    p = {k: torch.nn.Parameter(v) for k, v in weights.items()}
    opt = torch.optim.SGD(p.values(), lr=0.01, momentum=0.9)
    losses = []
    x = torch.randn(64, 128, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    for _ in range(5):
        loss = (torch.relu(x @ p["w1"] + p["b1"]) @ p["w2"]).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return losses, {k: v.detach().clone() for k, v in p.items()}


def check_training():
    torch.use_deterministic_algorithms(True, warn_only=True)
    g = torch.Generator().manual_seed(3)
    st.save_file({"w1": torch.randn(128, 256, generator=g) * 0.05, "b1": torch.zeros(256),
                  "w2": torch.randn(256, 10, generator=g) * 0.05}, path("net.safetensors"))
    ours, a = small_net({k: view(v) for k, v in devio.load(path("net.safetensors"), device=WHERE).items()})
    theirs, b = small_net(st.load_file(path("net.safetensors"), device=str(DEVICE)))
    assert ours == theirs and ours[-1] < ours[0], (ours, theirs)
    for k in a:
        same(a[k], b[k])


def check_threads_and_streams():
    """A loader thread reads while this thread computes on a stream of its own."""
    st.save_file({"x": torch.arange(4_000_000)}, path("d.safetensors"))
    bad, stop = [], threading.Event()

    def loader():
        while not stop.is_set():
            x = view(devio.load(path("d.safetensors"), device=WHERE)["x"])
            if int(x.sum()) != 4_000_000 * 3_999_999 // 2:
                bad.append("wrong sum")

    t = threading.Thread(target=loader, daemon=True)
    t.start()
    y = torch.ones(1024, 1024, device=DEVICE)
    for _ in range(50):
        y = y @ y / 1024
    sync()
    stop.set()
    t.join()
    assert not bad and bool((y == 1).all())


def check_graph():
    """Reads by another thread do not end the capture of a CUDA graph."""
    if not ON_GPU:
        return "no CUDA graphs in host memory"
    (torch.arange(1_000_000) % 251).to(torch.uint8).numpy().tofile(path("g"))
    into = torch.zeros(1_000_000, dtype=torch.uint8, device=DEVICE)
    x = torch.ones(256, 256, device=DEVICE)
    sync()
    ours, go, stop, done = devio.from_dlpack(into), threading.Event(), threading.Event(), []

    def loader():
        go.wait()
        with devio.File(path("g")) as f:
            while not stop.is_set() or not done:
                done.append(f.read(ours.memory, ours.offset, 1_000_000, 0).value())

    t = threading.Thread(target=loader, daemon=True)
    t.start()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="global"):
        go.set()
        y = x * 2 + 1
        time.sleep(0.5)
    stop.set()
    t.join()
    graph.replay()
    sync()
    assert bool((y == 3).all()) and done and set(done) == {1_000_000}, done[:3]
    assert int(into.long().sum()) == sum(i % 251 for i in range(1_000_000))
    return None


def check_allocators():
    """The caching allocator's other kinds of memory, each in a process of its own."""
    if not ON_GPU:
        return "no such allocators in host memory"
    for conf in ("expandable_segments:True", "backend:cudaMallocAsync"):
        env = dict(os.environ, PYTORCH_CUDA_ALLOC_CONF=conf, PYTORCH_ALLOC_CONF=conf)
        p = subprocess.run([sys.executable, __file__, "into", DIR, WHERE], env=env, capture_output=True, text=True,
                           timeout=100)
        assert p.returncode == 0, (conf, p.stdout[-500:], p.stderr[-1500:])
    return None


CHECKS = [check_load, check_save, check_into_tensor, check_lifetime, check_training, check_threads_and_streams,
          check_graph, check_allocators]


def check():
    bad = 0
    if ON_GPU:
        print(f"# torch {torch.__version__}, {torch.cuda.get_device_name(DEVICE)}")
    for n, f in enumerate(CHECKS, 1):
        name = f.__name__[6:].replace("_", " ")
        try:
            why = f()
            print(f"ok {n} - {name}" + (f" # SKIP {why}" if why else ""), flush=True)
        except Exception as e:      # the others still tell
            import traceback
            traceback.print_exc(file=sys.stdout)
            print(f"not ok {n} - {name}: {type(e).__name__}", flush=True)
            bad = 1
    print(f"1..{len(CHECKS)}")
    return bad


def by_devio(files):
    return {k: view(v) for k, v in devio.load(files[0], device=WHERE).items()}


METHODS = {
    "devio.load": by_devio,
    "safetensors.torch.load_file": lambda files: st.load_file(files[0], device=str(DEVICE)),
    "torch.load": lambda files: torch.load(files[1], map_location=DEVICE, weights_only=True),
    "torch.load, mmap": lambda files: torch.load(files[1], map_location=DEVICE, weights_only=True, mmap=True),
}


def cache(files, warm):
    for name in files:
        fd = os.open(name, os.O_RDONLY)
        if warm:
            while os.read(fd, 1 << 24):
                pass
        else:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def one(load, files, want):
    usage, t = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    out = load(files)
    sync()
    t, after = time.perf_counter() - t, resource.getrusage(resource.RUSAGE_SELF)
    same(out["t3"], want)
    del out
    gc.collect()
    if ON_GPU:
        torch.cuda.empty_cache()
    return {"seconds": t, "cpu": after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime}


def perf():
    target = sys.argv[4] if len(sys.argv) > 4 else "perf-python.json"
    mib = int(sys.argv[5]) if len(sys.argv) > 5 else 1024
    end = time.monotonic() + (float(sys.argv[6]) if len(sys.argv) > 6 else 120)
    g = torch.Generator().manual_seed(1)
    data = {f"t{i}": torch.randint(0, 256, (mib << 16,), generator=g, dtype=torch.uint8).view(torch.bfloat16)
            for i in range(16)}
    files = [path("perf.safetensors"), path("perf.pt")]
    st.save_file(data, files[0])
    torch.save(data, files[1])
    os.sync()
    want, result = data["t3"], {"python": [], "fake": not ON_GPU}
    del data
    for warm in (False, True):
        s = {"name": f"{mib} MiB in 16 tensors, {'warm' if warm else 'cold'}, Python", "bytes": mib << 20,
             "methods": {w: [] for w in METHODS}}
        result["python"].append(s)
        for r in range(-1, 7):          # the first one only sets up
            order = random.Random(r).sample(sorted(METHODS), len(METHODS))
            for w in order:
                if w not in s["methods"]:
                    continue
                cache(files, warm)
                try:
                    line = one(METHODS[w], files, want)
                except Exception as e:      # the others still tell
                    print(f"# {w}: {e}", flush=True)
                    del s["methods"][w]
                    continue
                if r >= 0:
                    s["methods"][w].append(line)
            if r >= 2 and time.monotonic() > end - (0 if warm else 60):
                break
        for w, runs in s["methods"].items():
            gbs = sorted(s["bytes"] / 1e9 / x["seconds"] for x in runs)
            print(f"# {s['name']}: {w}: {gbs[0]:.2f} to {gbs[-1]:.2f} GB/s", flush=True)
        with open(target, "w") as f:
            json.dump(result, f, indent=1)
    for name in files:
        os.unlink(name)
    return 0


if __name__ == "__main__":
    sys.exit({"check": check, "perf": perf, "into": lambda: check_into_tensor()}[sys.argv[1]]())
