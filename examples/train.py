#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Trains a small classifier on images that are loaded from files directly into the memory of torch's device.

    train.py                                  creates 20000 records of 4 KiB in a temporary directory
    train.py --device cuda:0 shard-*.bin      uses existing records, in the format of make()

Requires python3-torch; shows a progress bar if python3-tqdm is installed.
"""
import argparse
import os
import tempfile

import torch

import devio
import devio.torch

try:
    from tqdm import tqdm
except ImportError:
    def tqdm(batches, **_options):
        return batches

CLASSES, SIDES, RECORD = 10, (60, 68), 4096
COLUMNS = {"image": ("U8", (1, *SIDES), 0), "label": ("I64", (), 4088)}     # of a record; 8 bytes between are unused


def make(directory, items, shards=4):
    """Writes records of 4096 bytes: a noisy image of one of ten patterns, and the number of the pattern."""
    patterns = torch.rand(CLASSES, *SIDES, generator=torch.Generator().manual_seed(1)) * 60
    paths = []
    for shard in range(shards):
        n = items // shards
        label = torch.randint(CLASSES, (n,))
        record = torch.zeros(n, RECORD, dtype=torch.uint8)
        picture = patterns[label] + torch.rand(n, *SIDES) * 195
        record[:, :4080] = picture.to(torch.uint8).reshape(n, -1)
        record[:, 4088:] = label[:, None].view(torch.uint8).reshape(n, 8)
        paths.append(os.path.join(directory, f"shard-{shard:03}.bin"))
        devio.File(paths[-1], os.O_RDWR | os.O_CREAT).write(devio.from_dlpack(record).memory, 0, n * RECORD, 0).value()
    return paths


def model():
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 6, stride=4), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3, stride=2), torch.nn.ReLU(),
        torch.nn.Flatten(), torch.nn.Linear(16 * 6 * 7, CLASSES))


def train(net, loader, optimizer, device, epoch):
    """Trains one epoch; returns the mean loss and the accuracy."""
    loss_sum = right = seen = 0
    for batch in tqdm(loader, desc=f"epoch {epoch}", unit="batch", leave=False, disable=None):
        # A no-op if devio has loaded onto that device already, as it does without workers.
        image, label = (batch[name].to(device) for name in ("image", "label"))
        answer = net(image.float() / 127.5 - 1)
        loss = torch.nn.functional.cross_entropy(answer, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += len(label)
        loss_sum += float(loss) * len(label)
        right += int((answer.argmax(1) == label).sum())
    return loss_sum / seen, right / seen


def run(options, paths):
    device = torch.device("cpu" if options.device == "host" else options.device)
    dataset = devio.torch.Dataset(
        devio.data.Source.records(paths, RECORD), "host" if options.workers else options.device, columns=COLUMNS,
        batch=options.batch, shuffle=True, shuffle_block=16, seed=options.seed)
    loader = devio.torch.DataLoader(dataset, options.workers)
    torch.manual_seed(options.seed)
    net = model().to(device)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for epoch in range(options.epochs):
        dataset.set_epoch(epoch)
        loss, right = train(net, loader, optimizer, device, epoch)
        print(f"epoch {epoch}: loss {loss:.4f}, {right:.1%} right")
    for path, n in loader.paths.items():
        print(f"path: {path}: {n} bytes{''.join(f' ({reason})' for reason in loader.reasons)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", help="files of records (default: created)")
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "host")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--workers", type=int, default=0, help="number of loading processes")
    parser.add_argument("--items", type=int, default=20000, help="number of records to create")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as directory:
        run(options, options.paths or make(directory, options.items))


if __name__ == "__main__":
    main()
