# SPDX-License-Identifier: BSD-3-Clause
"""A photograph through a bank of image filters and through the first layers of a CNN, all by pyconv.

The photograph ships inside scikit-image, and is filtered as it comes from the file: bytes, channels last. The
script prints what pyconv chose and what each algorithm costs, and writes a picture to look at.
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
LUMINANCE = np.float32([0.299, 0.587, 0.114]) / 255  # of bytes: from 0 to 1
BORDER = {"padding": "same", "padding_mode": "symmetric"}


def colour_filters():
    """{name: kernel (SIZE, SIZE)} that make a photograph of a photograph."""
    return {
        "identity": kernels.delta(SIZE),
        "low-pass: box 9×9": kernels.box(9, SIZE),
        "low-pass: Gaussian, σ = 2.5": kernels.gaussian(2.5, SIZE),
        "unsharp mask": kernels.unsharp_mask(1.5, 2.0, SIZE),
    }


def edge_filters():
    """{name: kernel (SIZE, SIZE)} of sum 0: flat areas give 0."""
    return {
        "high-pass: identity − Gaussian": kernels.high_pass(2.5, SIZE),
        "edges: Laplacian": kernels.laplacian(SIZE),
        "edges: Sobel along x": kernels.sobel_x(SIZE),
        "edges: Sobel along y": kernels.sobel_x(SIZE).T,
        **{
            f"band-pass: Gabor, {angle}°": kernels.gabor(6.0, np.deg2rad(angle), np.pi / 2, 2.5, SIZE)
            for angle in (0, 45, 90, 135)
        },
    }


def compare_algorithms(x, weight, expected, **keywords):
    """Print what every algorithm needs for the same convolution, in float32 from end to end."""
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


def filter_colours(photo, bank):
    """Each colour of `photo` (H, W, 3) by each kernel of `bank` (K, s, s), bytes to bytes: (K, H, W, 3)."""
    weight = np.tile(bank, (3, 1, 1))[:, None]  # filter o reads colour o // K
    words = {"groups": 3, "layout": "NHWC", "dtype": photo.dtype, "out_dtype": photo.dtype, **BORDER}
    plan = pyconv.plan(photo.shape, weight, **words)
    print(plan)
    return np.moveaxis(plan(photo).reshape(*photo.shape, len(bank)), -1, 0)


def filter_luminance(photo, bank):
    """The luminance of `photo` (H, W, 3), never made itself, by each kernel of `bank`: (K, H, W) float32."""
    weight = bank[:, None] * LUMINANCE[:, None, None]
    words = {"layout": "NHWC", **BORDER}
    plan = pyconv.plan(photo.shape, weight, dtype=photo.dtype, **words)
    print(plan)
    y = plan(photo)
    compare_algorithms(photo.astype(np.float32), weight, y, **words)
    return np.moveaxis(y, -1, 0)


def run_bank(photo):
    """Filter the bytes `photo` (H, W, 3) by two banks, a call each; returns names, kernels, pictures."""
    colour, edges = colour_filters(), edge_filters()
    banks = [np.stack(list(filters.values())) for filters in (colour, edges)]
    pictures = [*filter_colours(photo, banks[0]), *filter_luminance(photo, banks[1])]
    return [*colour, *edges], np.concatenate(banks), pictures


def run_layers(photo):
    """The layers of cnn.py on `photo` (H, W, 3); returns the first layer's weight and each layer's output."""
    weight, bias = cnn.stem()
    stem = pyconv.conv2d(
        photo,
        weight / np.float32(255),
        bias,
        stride=2,
        padding=3,
        padding_mode="symmetric",
        activation="relu",
        layout="NHWC",
    )
    neighbours = pyconv.depthwise_conv2d(
        stem, cnn.neighbours(), padding=1, residual=stem, activation="relu", layout="NHWC"
    )
    readout = pyconv.conv2d(neighbours, cnn.readout(), activation="relu", layout="NHWC")
    return weight, [np.moveaxis(maps, -1, 0) for maps in (stem, neighbours, readout)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="photo_filters.png", help="the picture (default: %(default)s)")
    output = parser.parse_args().output

    photo = data.astronaut()
    bank = run_bank(photo)
    weight, maps = run_layers(photo)
    panels.save(output, bank, (photo, weight, maps))
    print(f"\nwrote {output}")


if __name__ == "__main__":
    main()
