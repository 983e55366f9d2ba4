# SPDX-License-Identifier: BSD-3-Clause
"""Measures the error of every algorithm against float64 over the number of channels, beside im2col's.

    python bench/accuracy.py [--layer '1,{},28,28 -> 32 3x3 /1 p1'] [--data normal] [--readme README.md]

Prints the relative L2 error of im2col and the multiples of it that the others reach; with --readme, replaces
the table between that file's two markers.
"""

import argparse
import pathlib

import numpy as np
import reference
import report
import shapes
import tables

import pyconv

BEGIN, END = "<!-- accuracy:begin -->", "<!-- accuracy:end -->"
CHANNELS = [3, 8, 16, 32, 64, 128, 256, 512]
SEEDS = 3
DATA = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "positive": lambda rng, shape: np.maximum(rng.standard_normal(shape), 0),
}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--layer", default="1,{},28,28 -> 32 3x3 /1 p1", help="as in bench/shapes, {} for the channels")
    add("--data", choices=DATA, default="normal", help="of the images: as they are, or as after a ReLU")
    add("--readme", type=pathlib.Path, metavar="FILE")
    return parser.parse_args()


def errors(layer, draw):
    """{algorithm: relative L2 error}, the root mean square over SEEDS random images and weights."""
    squares = {}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        x = draw(rng, layer.x_shape).astype(np.float32)
        weight = rng.standard_normal(layer.w_shape, dtype=np.float32)
        exact = reference.conv2d(layer, x, weight, np.zeros(layer.y_shape[1]))
        for name in pyconv.algorithms():
            try:
                y = pyconv.conv2d(
                    x,
                    weight,
                    stride=(layer.sh, layer.sw),
                    padding=(layer.ph, layer.pw),
                    dilation=(layer.dh, layer.dw),
                    groups=layer.g,
                    algorithm=name,
                    accuracy="fast",
                )
            except pyconv.UnsupportedError:
                continue
            squares.setdefault(name, []).append(reference.relative_error(y, exact) ** 2)
    return {name: float(np.sqrt(np.mean(values))) for name, values in squares.items()}


def rows(pattern, draw):
    """Header and rows: one column for each number of channels."""
    measured = [errors(shapes.parse("layer " + pattern.format(c)), draw) for c in CHANNELS]
    first = ["im2col", *(f"{column['im2col']:.1e}" for column in measured)]
    others = [name for name in pyconv.algorithms() if name != "im2col" and any(name in c for c in measured)]
    ratios = [
        [name, *(f"{c[name] / c['im2col']:.2f}x" if name in c else "-" for c in measured)] for name in others
    ]
    return ["channels", *map(str, CHANNELS)], [first, *ratios]


def main():
    options = arguments()
    columns, cells = rows(options.layer, DATA[options.data])
    title = f"Relative L2 error, {options.layer.format('C')}, {options.data} data"
    tables.show(tables.console(), title, columns, cells)
    if options.readme:
        text = options.readme.read_text()
        options.readme.write_text(report.replace(text, tables.markdown(columns, cells), BEGIN, END))


if __name__ == "__main__":
    main()
