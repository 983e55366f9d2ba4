# SPDX-License-Identifier: BSD-3-Clause
"""A photograph through a bank of image filters and through the first layers of a CNN, all by pyconv.

The photograph ships inside scikit-image. The script prints what pyconv chose and what each algorithm
costs, and writes a picture to look at.
"""

import argparse
import time

import cnn
import kernels
import numpy as np
import panels
from skimage import data

import pyconv

SIZE = 15  # of every kernel of the bank
LUMINANCE = np.float32([0.299, 0.587, 0.114])


def filter_bank():
    """Names and kernels of the bank; the kernels form one weight (K, 1, SIZE, SIZE)."""
    filters = {
        "identity": kernels.delta(SIZE),
        "low-pass: box 9×9": kernels.box(9, SIZE),
        "low-pass: Gaussian, σ = 2.5": kernels.gaussian(2.5, SIZE),
        "unsharp mask": kernels.unsharp_mask(1.5, 2.0, SIZE),
        "high-pass: identity − Gaussian": kernels.high_pass(2.5, SIZE),
        "edges: Laplacian": kernels.laplacian(SIZE),
        "edges: Sobel along x": kernels.sobel_x(SIZE),
        "edges: Sobel along y": kernels.sobel_x(SIZE).T,
        **{
            f"band-pass: Gabor, {angle}°": kernels.gabor(6.0, np.deg2rad(angle), np.pi / 2, 2.5, SIZE)
            for angle in (0, 45, 90, 135)
        },
    }
    return list(filters), np.stack(list(filters.values()))[:, None]


def compare_algorithms(x, weight, expected, **keywords):
    """Print what every algorithm needs for the same convolution."""
    print(f"\n{'algorithm':<18}{'workspace':>12}{'time':>12}{'largest difference':>21}")
    for name in pyconv.algorithms():
        try:
            plan = pyconv.plan(x.shape, weight, algorithm=name, **keywords)
        except pyconv.UnsupportedError as reason:
            print(f"{name:<18}{reason}")
            continue
        start = time.perf_counter()
        y = plan(x)
        seconds = time.perf_counter() - start
        difference = np.abs(y - expected).max()
        print(f"{name:<18}{plan.workspace_bytes / 1e6:>9.1f} MB{1e3 * seconds:>9.1f} ms{difference:>21.1e}")


def run_bank(grey):
    """Filter the picture `grey` (H, W) by all kernels in one call; returns names, kernels, pictures."""
    names, weight = filter_bank()
    x = grey[None, None]  # batch 1, channel 1
    keywords = {"padding": "same", "padding_mode": "reflect"}
    plan = pyconv.plan(x.shape, weight, **keywords)
    print(plan)
    y = plan(x)
    compare_algorithms(x, weight, y, **keywords)
    return names, weight[:, 0], y[0]


def run_layers(photo):
    """The layers of cnn.py on `photo` (H, W, 3); returns the first layer's weight and each layer's output."""
    x = photo.transpose(2, 0, 1)[None]
    weight, bias = cnn.stem()
    stem = pyconv.conv2d(x, weight, bias, stride=2, padding=3, padding_mode="reflect", activation="relu")
    neighbours = pyconv.conv2d(
        stem, cnn.neighbours(), padding=1, groups=stem.shape[1], residual=stem, activation="relu"
    )
    readout = pyconv.conv2d(neighbours, cnn.readout(), activation="relu")
    return weight, [stem[0], neighbours[0], readout[0]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="photo_filters.png", help="the picture (default: %(default)s)")
    output = parser.parse_args().output

    photo = data.astronaut().astype(np.float32) / 255
    bank = run_bank(photo @ LUMINANCE)
    weight, maps = run_layers(photo)
    panels.save(output, bank, (photo, weight, maps))
    print(f"\nwrote {output}")


if __name__ == "__main__":
    main()
