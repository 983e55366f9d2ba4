#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Time of the default number of threads by that of one, for every algorithm by name and every operator.

Both run in turn in one process; a ratio is that of the fastest calls, above 1 where threads lose.
With --neighbour another process keeps one CPU busy all the while, and a ratio is that of the medians: what a
user of a busy machine has.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import time

import numpy as np

import pyconv

# x in NCHW, weight, keywords
SHAPES = (
    ((1, 64, 56, 56), (16, 64, 3, 3), {"padding": 1}),
    ((4, 64, 56, 56), (3, 64, 3, 3), {"padding": 1}),
    ((1, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}),
    ((1, 3, 112, 112), (32, 3, 7, 7), {"padding": 3, "stride": 2}),
    ((32, 16, 8, 8), (16, 16, 3, 3), {"padding": 1}),
    ((1, 256, 14, 14), (256, 256, 1, 1), {}),
    ((2, 32, 28, 28), (32, 1, 3, 3), {"padding": 1, "groups": 32}),
)


def by_name(shapes):
    """(name, call with a plan's threads) of every algorithm and layout that serves."""
    for x_shape, w_shape, keywords in shapes:
        for layout in ("NCHW", "NHWC"):
            x = np.ones(x_shape, np.float32)
            if layout == "NHWC":
                x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
            w = np.ones(w_shape, np.float32)
            words = {"layout": layout, "accuracy": "fast", **keywords}
            for name in ("auto", *pyconv.algorithms()):
                if name == "direct":  # a plain loop, seconds long
                    continue
                try:
                    plans = [pyconv.plan(x.shape, w, algorithm=name, threads=n, **words) for n in (1, None)]
                except pyconv.UnsupportedError:
                    continue
                yield (
                    f"{name} {layout} {x_shape} {w_shape}",
                    [lambda plan=plan, x=x: plan(x) for plan in plans],
                )


def operators():
    """(name, calls with one thread and with the default) of the operators."""
    ones = lambda *shape: np.ones(shape, np.float32)  # noqa: E731
    x, w, dy = ones(4, 64, 56, 56), ones(32, 64, 3, 3), ones(4, 32, 56, 56)
    image, wide, point = ones(4, 56, 56, 64), ones(64, 1, 3, 3), ones(128, 64, 1, 1)
    strided, strided_dy = ones(64, 3, 7, 7), ones(4, 64, 56, 56)
    cases = {
        "conv1d": lambda n: pyconv.conv1d(x[0, :, 0], w[:, :, 0], padding=1, threads=n),
        "conv2d_backward_input": lambda n: pyconv.conv2d_backward_input(x.shape, w, dy, padding=1, threads=n),
        "conv2d_backward_input, 7x7/2": lambda n: pyconv.conv2d_backward_input(
            (4, 3, 112, 112), strided, strided_dy, stride=2, padding=3, threads=n
        ),
        "conv2d_backward_weight": lambda n: pyconv.conv2d_backward_weight(
            x, w.shape, dy, padding=1, threads=n
        ),
        "conv_transpose2d": lambda n: pyconv.conv_transpose2d(dy, w, stride=2, threads=n),
        "depthwise_conv2d": lambda n: pyconv.depthwise_conv2d(x, wide, padding=1, threads=n),
        "partial_conv2d": lambda n: pyconv.partial_conv2d(x, ones(32, 32, 3, 3), padding=1, threads=n),
        "pointwise_conv2d": lambda n: pyconv.pointwise_conv2d(x, point[:, :, 0, 0], threads=n),
        "separable_conv2d NHWC": lambda n: pyconv.separable_conv2d(
            image, wide, point, padding=1, layout="NHWC", threads=n
        ),
    }
    for name, call in cases.items():
        yield name, [lambda call=call, n=n: call(n) for n in (1, None)]


def in_turn(calls, seconds, summary):
    """`summary` of the seconds that each call took, after a first one that doesn't count."""
    taken, end = [[] for _ in calls], time.perf_counter() + seconds
    for call in calls:
        call()
    while not taken[-1] or time.perf_counter() < end:
        for call, times in zip(calls, taken, strict=True):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    return [summary(times) for times in taken]


@contextlib.contextmanager
def busy_neighbour():
    """A process that never waits."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.2, help="per line (default: %(default)s)")
    parser.add_argument(
        "--most", type=float, default=1.1, help="fail above this ratio (default: %(default)s)"
    )
    parser.add_argument(
        "--neighbour",
        action="store_true",
        help="beside a busy process; ratios of medians, not of the fastest",
    )
    options = parser.parse_args()
    slow = []
    summary = statistics.median if options.neighbour else min
    print(f"{'one ms':>10} {'default ms':>10} {'ratio':>6}")
    with busy_neighbour() if options.neighbour else contextlib.nullcontext():
        for name, calls in (*operators(), *by_name(SHAPES)):
            one, default = in_turn(calls, options.seconds, summary)
            print(f"{one * 1e3:10.3f} {default * 1e3:10.3f} {default / one:6.2f}  {name}", flush=True)
            if default > options.most * one:
                slow.append(f"{name}: {default / one:.2f}")
    if slow:
        raise SystemExit("\n".join([f"above {options.most}:", *slow]))


if __name__ == "__main__":
    main()
