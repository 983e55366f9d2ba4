# SPDX-License-Identifier: BSD-3-Clause
"""What the C-level API gains: short calls on a tiny layer, and threads that don't wait for each other."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from small_cnn import SmallCNN, seconds_per_call

import pyconv


def tiny_layer(filters, kernel, **keywords):
    """Algorithm, and nanoseconds a call on a 1x3x8x8 input from Cython and from Python."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 3, 8, 8), np.float32)
    weight = rng.standard_normal((filters, 3, kernel, kernel), np.float32)
    plan = pyconv.plan(x.shape, weight, padding=kernel // 2, threads=1, **keywords)
    y, workspace = np.empty(plan.output_shape, np.float32), plan.new_workspace()

    def from_python(calls):
        begin = time.perf_counter()
        for _ in range(calls):
            plan(x, y, workspace)
        return (time.perf_counter() - begin) / calls

    cython = min(seconds_per_call(100, plan.address, x, y, workspace) for _ in range(200))
    python = min(from_python(100) for _ in range(200))
    return plan.algorithm, 1e9 * cython, 1e9 * python


def network(channels=32, size=32):
    """Four layers, the second of stride 2, with random weights."""
    rng = np.random.default_rng(1)
    layers, ic = [], 3
    for stride in (1, 2, 1, 1):
        weight = rng.standard_normal((channels, ic, 3, 3), np.float32) / np.float32(3 * ic**0.5)
        layers.append((weight, np.zeros(channels, np.float32), stride))
        ic = channels
    return SmallCNN((3, size, size), layers)


def images_per_second(cnn, threads, images):
    """Each thread puts all images through the same network."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(cnn, [images] * threads))
        begin = time.perf_counter()
        list(pool.map(cnn, [images] * threads))
        return threads * len(images) / (time.perf_counter() - begin)


if __name__ == "__main__":
    print("A call on a 1x3x8x8 input; one 1x1 filter is 192 products, so the rest of its time is overhead:")
    for filters, kernel, keywords in ((1, 1, {"algorithm": "pointwise"}), (8, 3, {})):
        name, cython, python = tiny_layer(filters, kernel, **keywords)
        print(f"{filters} {kernel}x{kernel} by {name}: {cython:.0f} ns from Cython, {python:.0f} from Python")
    cnn = network()
    images = np.random.default_rng(2).standard_normal((1000, *cnn.input_shape), np.float32)
    one, two = (max(images_per_second(cnn, threads, images) for _ in range(3)) for threads in (1, 2))
    print(*cnn.algorithms, sep=", ")
    print(f"{one:.0f} images/s on one thread, {two:.0f} on two: {two / one:.2f} times")
