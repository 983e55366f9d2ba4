# SPDX-License-Identifier: BSD-3-Clause
"""Filters of photographs: pyconv.ndimage against OpenCV and scipy.ndimage, with the same kernels and borders.

    python bench/filters.py [--size 1080 1920] [--threads 1 2] [--only REGEX] [--seconds S]

All take turns in one process; each row shows the fastest call of each, and its time by pyconv's. Bytes become
bytes, of derivatives int16; channels are last. SciPy cuts integers and OpenCV rounds them, so that these may
differ by one for each axis. SciPy has one thread.
"""

import argparse
import math
import re

import cv2
import numpy as np
import scipy.ndimage
from lib import machine, tables, timing

import pyconv
from pyconv import ndimage

SIZES = (3, 5, 7, 9, 11, 15, 31)
SIGMAS = (1, 2, 5, 10)
BOXES = (3, 9, 31)
BORDER = cv2.BORDER_REFLECT  # SciPy's "reflect"
SLOW = 0.5  # seconds of a call from which it isn't repeated


def photograph(height, width, channels, seed=0):
    """Bytes (height, width, channels), or (height, width): detail at every scale, clipped highlights."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, channels), np.float32)
    for scale in (1, 4, 16, 64, 256):
        coarse = rng.standard_normal((-(-height // scale), -(-width // scale), channels), np.float32)
        total += math.sqrt(scale) * cv2.resize(coarse, (width, height)).reshape(total.shape)
    low, high = np.quantile(total[::8, ::8], (0.01, 0.98))
    pixels = (255 * ((total - low) / (high - low)).clip(0, 1)).astype(np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def kernel(size, bytes_):
    """Weights (size, size) of full rank; for bytes positive ones of sum 1, in multiples of 1 / 4096."""
    weights = np.random.default_rng(size).standard_normal((size, size))
    if not bytes_:
        return weights
    weights = np.floor(4096 * np.abs(weights) / np.abs(weights).sum())
    weights[size // 2, size // 2] += 4096 - weights.sum()
    return weights / 4096


def cases(x):
    """{name: (of a module like SciPy's, of OpenCV)}: functions that filter x."""
    found, bytes_, axes = {}, x.dtype == np.uint8, (0, 1)
    deep, wide = (cv2.CV_16S, np.int16) if bytes_ else (-1, None)
    for k in SIZES:
        w = kernel(k, bytes_)
        found[f"{k} x {k}"] = (
            lambda place, w=w: place.correlate(x, w, axes=axes),
            lambda w=w: cv2.filter2D(x, -1, w, borderType=BORDER),
        )
    for s in SIGMAS:
        side = (2 * int(4 * s + 0.5) + 1,) * 2
        found[f"Gaussian, sigma {s}"] = (
            lambda place, s=s: place.gaussian_filter(x, s, axes=axes),
            lambda s=s, side=side: cv2.GaussianBlur(x, side, s, borderType=BORDER),
        )
    for k in BOXES:
        found[f"box {k} x {k}"] = (
            lambda place, k=k: place.uniform_filter(x, k, axes=axes),
            lambda k=k: cv2.blur(x, (k, k), borderType=BORDER),
        )
    if x.ndim == 2:
        found["Sobel"] = (
            lambda place: place.sobel(x, output=wide),
            lambda: cv2.Sobel(x, deep, 1, 0, borderType=BORDER),
        )
    found["Laplace"] = (
        lambda place: place.laplace(x, output=wide, axes=axes),
        lambda: cv2.Laplacian(x, deep, borderType=BORDER),
    )
    return found


def contest(ways, seconds, rounds=3):
    """The fastest seconds of each of `ways`, {name: function}, in rounds that all take part in."""
    least = {}
    for _ in range(rounds):
        for name, way in ways.items():
            if least.get(name, 0) < SLOW:
                times = timing.calls(way, seconds / rounds, warm=0.1)
                least[name] = min(*times, least.get(name, math.inf), math.inf)
    return least


def check(name, y, other, unit):
    """Stop where results differ: by more than rounding, or of integers by more than one for each axis."""
    difference = np.abs(y.astype(np.float64) - other.astype(np.float64)).max()
    if difference > unit:
        raise SystemExit(f"{name}: results differ by {difference:g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs=2, type=int, default=(1080, 1920), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument(
        "--only", default="", help="filters whose row matches, 'RGB uint8 Gaussian' for example"
    )
    parser.add_argument("--seconds", type=float, default=0.6, help="for each way")
    options = parser.parse_args()
    machine.warn_if_busy(print)
    console = tables.console()
    for threads in options.threads:
        cv2.setNumThreads(threads)
        rows, ratios = [], {"OpenCV": [], "SciPy": []}
        for channels, form in ((1, "grey"), (3, "RGB")):
            for dtype in ("float32", "uint8"):
                x = photograph(*options.size, channels)
                x = x if dtype == "uint8" else x.astype(np.float32) / 255
                for word, (filtered, opencv) in cases(x).items():
                    name = f"{form} {dtype} {word}"
                    if not re.search(options.only, name):
                        continue
                    with pyconv.config(threads=threads):
                        y = filtered(ndimage)
                        check(name, y, opencv(), 2 if dtype == "uint8" else 1e-5 * max(1, np.abs(y).max()))
                        least = contest(
                            {
                                "pyconv": lambda f=filtered: f(ndimage),
                                "OpenCV": opencv,
                                "SciPy": lambda f=filtered: f(scipy.ndimage),
                            },
                            options.seconds,
                        )
                    own = least.pop("pyconv")
                    for rival, time in least.items():
                        ratios[rival].append(time / own)
                    times = [own, *least.values()]
                    rows.append(
                        [
                            name,
                            *(f"{1e3 * t:.2f}" for t in times),
                            *(f"{t / own:.2f}" for t in least.values()),
                        ]
                    )
        if rows:
            means = [f"{timing.geometric_mean(values):.2f}" for values in ratios.values()]
            rows.append(["geometric mean", "", "", "", *means])
        size = " x ".join(map(str, options.size))
        columns = ["filter", "pyconv ms", "OpenCV ms", "SciPy ms", "to OpenCV", "to SciPy"]
        tables.show(console, f"{size}, {threads} threads", columns, rows)


if __name__ == "__main__":
    main()
