# SPDX-License-Identifier: BSD-3-Clause
"""Long kernels against SciPy's best function: one channel, from 65 taps to the signal's own length.

    python bench/long_kernels.py [--dtype float32 float64] [--threads 1 2] [--layout NCHW NHWC]
                                 [--only 1d 2d] [--taps N ...] [--seconds S]

Both take turns in one process; each row shows the fastest call of each. pyconv runs as one call, which packs
the kernel's spectrum anew, and as a plan. SciPy's functions are fftconvolve, oaconvolve, ndimage.correlate
(kernels of at most 300 taps), and scipy.fft by hand at the next fast length, with as many workers as pyconv
has threads.
"""

import argparse
import math

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.signal
from lib import machine, timing

import pyconv

SIGNAL, IMAGE = 1_000_000, 800
TAPS = [65, 129, 257, 512, 1000, 4001, 10_000, 40_000, 96_000, 250_000, 500_000, 1_000_000]
SIDES = [9, 17, 31, 65, 127, 255, 511, 512, 800]
DIRECT_TAPS = 300  # more would take ndimage minutes


def by_hand(x, w, workers):
    """The whole convolution by scipy.fft, on every axis at the next length that it likes."""
    full = [a + b - 1 for a, b in zip(x.shape, w.shape, strict=True)]
    sizes = [scipy.fft.next_fast_len(n, real=True) for n in full]
    turned = w[(slice(None, None, -1),) * w.ndim]
    spectrum = scipy.fft.rfftn(x, sizes, workers=workers)
    spectrum *= scipy.fft.rfftn(turned, sizes, workers=workers)
    y = scipy.fft.irfftn(spectrum, sizes, workers=workers)
    return y[tuple(slice((k - 1) // 2, (k - 1) // 2 + n) for n, k in zip(x.shape, w.shape, strict=True))]


def rivals(x, w, threads):
    """{name: a function of no arguments that gives the convolution, of x's shape}"""
    turned = w[(slice(None, None, -1),) * w.ndim]
    ways = {
        "fftconvolve": lambda: scipy.signal.fftconvolve(x, turned, "same"),
        "oaconvolve": lambda: scipy.signal.oaconvolve(x, turned, "same"),
        "scipy.fft": lambda: by_hand(x, w, threads),
    }
    if w.size <= DIRECT_TAPS:
        ways["ndimage"] = lambda: scipy.ndimage.correlate(x, w, mode="constant")
    return ways


def subjects(x, w, threads, layout):
    """pyconv as one call and as a plan, of the same outputs as scipy's mode "same"."""
    side = (1,) * (2 - x.ndim)
    image, kernel = x.reshape(side + x.shape), w.reshape(side + w.shape)
    padding = tuple((k - 1 - (k - 1) // 2, (k - 1) // 2) for k in kernel.shape)
    image = image[None, None] if layout == "NCHW" else image[None, ..., None]
    keywords = {"padding": padding, "threads": threads, "layout": layout}
    plan = pyconv.plan(image.shape, kernel[None, None], **keywords)
    return plan, {
        "call": lambda: pyconv.conv2d(image, kernel[None, None], **keywords).reshape(x.shape),
        "plan": lambda: plan(image).reshape(x.shape),
    }


def contest(x, w, threads, layout, seconds):
    """The plan's algorithm, and the fastest seconds of each way, in rounds that all ways take part in."""
    plan, ways = subjects(x, w, threads, layout)
    ways |= rivals(x, w, threads)
    exact = scipy.signal.fftconvolve(
        x.astype("f8"), w[(slice(None, None, -1),) * w.ndim].astype("f8"), "same"
    )
    least, names = {}, list(ways)
    for name in names:
        error = np.linalg.norm(ways[name]() - exact) / np.linalg.norm(exact)
        if error > 1e4 * np.finfo(x.dtype).eps:
            raise SystemExit(f"{name} is wrong: relative error {error:.1e} for {x.shape} and {w.shape}")
    for _ in range(3):
        for name in names:
            times = timing.calls(ways[name], seconds / 3, warm=0.1)
            least[name] = min(*times, least.get(name, math.inf))
    return plan.algorithm, least


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", nargs="+", default=["float32", "float64"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--layout", nargs="+", default=["NCHW", "NHWC"])
    parser.add_argument("--only", nargs="+", choices=["1d", "2d"], default=["1d", "2d"])
    parser.add_argument("--taps", nargs="+", type=int, help="kernel lengths, or sides, instead of the list")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each way")
    options = parser.parse_args()
    machine.warn_if_busy(print)
    rng = np.random.default_rng(0)
    cases = [(d, (SIGNAL,), (k,)) for d in ["1d"] for k in options.taps or TAPS]
    cases += [(d, (IMAGE, IMAGE), (k, k)) for d in ["2d"] for k in options.taps or SIDES]
    columns = [
        "signal",
        "kernel",
        "dtype",
        "layout",
        "threads",
        "algorithm",
        "call ms",
        "plan ms",
        "SciPy ms",
        "by",
    ]
    columns += ["call", "plan"]
    print("| " + " | ".join(columns) + " |")
    print("|---" * len(columns) + "|")
    behind = 0
    for dimension, image, kernel in cases:
        if dimension not in options.only:
            continue
        for dtype in options.dtype:
            x, w = (rng.standard_normal(shape).astype(dtype) for shape in (image, kernel))
            for threads in options.threads:
                for layout in options.layout:
                    algorithm, least = contest(x, w, threads, layout, options.seconds)
                    call, planned = least.pop("call"), least.pop("plan")
                    rival = min(least, key=least.get)
                    behind += least[rival] < call
                    print(
                        f"| {'x'.join(map(str, image))} | {'x'.join(map(str, kernel))} | {dtype} | {layout} "
                        f"| {threads} | {algorithm} | {call * 1e3:.2f} | {planned * 1e3:.2f} "
                        f"| {least[rival] * 1e3:.2f} | {rival} | {least[rival] / call:.2f}x "
                        f"| {least[rival] / planned:.2f}x |",
                        flush=True,
                    )
    print(f"{behind} rows where SciPy is ahead of one call")


if __name__ == "__main__":
    main()
