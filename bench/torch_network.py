# SPDX-License-Identifier: BSD-3-Clause
"""Times a residual network in PyTorch: pyconv.torch.accelerate against eager and torch.compile.

    python bench/torch_network.py --threads 1,2

Inference of one photograph, and a training step (forward, backward, SGD) of a batch; in one process, by
turns.
The ratio is PyTorch's time by that of pyconv's faster layout; above 1 pyconv is faster.
"""

import argparse
import copy
import time
import warnings

import torch
import tqdm
from compare import numbers
from lib import machine, tables
from torch import nn

import pyconv.torch

PYCONV = "pyconv", "pyconv channels_last"


class Block(nn.Module):
    """Two convolutions of 3x3 and what goes past them."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.past = nn.Identity()
        if stride != 1 or channels != filters:
            self.past = nn.Sequential(
                nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
            )

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.past(x)
        return self.relu(y)


class Residual(nn.Module):
    """18 layers, as in He et al., Deep Residual Learning for Image Recognition, 2015."""

    def __init__(self, width=64, blocks=(2, 2, 2, 2), classes=1000):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        stages, channels = [], width
        for stage, count in enumerate(blocks):
            for i in range(count):
                filters = width * 2**stage
                stages.append(Block(channels, filters, 2 if stage and not i else 1))
                channels = filters
        self.body = nn.Sequential(*stages)
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        return self.head(self.body(self.stem(x)).mean((2, 3)))


def contestants(net, x, compiles):
    """name -> (network, images): the same network in each guise, and the images in its layout."""
    last = torch.channels_last
    found = {
        "eager": (copy.deepcopy(net), x),
        "channels_last": (copy.deepcopy(net).to(memory_format=last), x.to(memory_format=last)),
    }
    if compiles:
        found["compile"] = torch.compile(copy.deepcopy(net)), x
    for name in PYCONV:
        fast, images = copy.deepcopy(net), x
        if name.endswith("last"):
            fast, images = fast.to(memory_format=last), x.to(memory_format=last)
        pyconv.torch.accelerate(fast)
        found[name] = fast, images
    return found


def inference(net, x):
    net.eval()

    def run():
        with torch.inference_mode():
            return net(x)

    return run


def training(net, x):
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)
    labels = torch.arange(len(x))

    def run():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return run


def contest(kinds, rounds, say):
    """name -> the least seconds of a call; one call each in turn. What can't run is left out and said."""
    ready, expected = {}, None
    for name, (make, net, x) in kinds.items():
        try:
            run = make(net, x)
            result = run()
            run()
        except Exception as error:  # torch.compile without a compiler, say
            say(f"{name} can't run: {str(error).splitlines()[0]}")
            continue
        expected = result if expected is None else expected
        difference = ((result - expected).abs().max() / expected.abs().max()).item()
        if difference > 1e-3:
            raise SystemExit(f"{name} is wrong: relative difference {difference:.1e}")
        ready[name] = run
    best = dict.fromkeys(ready, float("inf"))
    for _ in range(rounds):
        for name, run in ready.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=numbers, default=[1], help="e.g. 1,2")
    parser.add_argument("--size", type=int, default=224, help="of the photograph; a training step takes half")
    parser.add_argument("--batch", type=int, default=8, help="of a training step")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options, console = parser.parse_args(), tables.console()
    machine.warn_if_busy(console.print)
    warnings.filterwarnings("ignore", module="torch")
    torch.manual_seed(0)
    net = Residual()
    half = options.size // 2
    jobs = {
        "inference": (inference, torch.randn(1, 3, options.size, options.size)),
        "training step": (training, torch.randn(options.batch, 3, half, half)),
    }
    names = ["eager", "channels_last", "compile", *PYCONV]
    rows = []
    with tqdm.tqdm(total=len(jobs) * len(options.threads), unit="job", dynamic_ncols=True) as bar:
        for threads in options.threads:
            torch.set_num_threads(threads)
            for word, (make, x) in jobs.items():
                bar.set_postfix_str(f"{word}, {threads} threads")
                kinds = contestants(net, x, not options.no_compile)
                best = contest({k: (make, *v) for k, v in kinds.items()}, options.rounds, bar.write)
                ours = min(best[name] for name in PYCONV)
                times = [f"{best[name] * 1e3:.1f}" if name in best else "-" for name in names]
                ratios = [f"{best[name] / ours:.2f}" if name in best else "-" for name in names[:3]]
                rows.append([word, str(threads), *times, *ratios])
                bar.update()
    columns = ["", "threads", *(f"{n}, ms" for n in names), *(f"to {n}" for n in names[:3])]
    tables.show(console, f"A residual network, PyTorch {torch.__version__}", columns, rows)


if __name__ == "__main__":
    main()
