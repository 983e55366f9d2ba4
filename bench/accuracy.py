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
CHANNELS = [3, 12, 16, 32, 64, 128, 256, 512]
SEEDS = 3
# What Winograd serves beside 3x3 of stride 1, beside im2col on the same layer.
FORMS = [
    ("winograd_f4k3", "1,{},28,28 -> 32 1x3 /1 p0,1"),
    ("winograd_f4k3", "1,{},28,28 -> 32 3x3 /1 p2 d2"),
    ("winograd_f4k3", "1,{},56,56 -> 32 5x5 /2 p2"),
    ("winograd_f4k3", "1,{},59,59 -> 32 11x11 /4 p0"),
    ("winograd_f2k2", "1,{},56,56 -> 32 3x3 /2 p1"),
    ("winograd_f3k2", "1,{},28,28 -> 32 2x2 /1 p0"),
    ("winograd_f3k2", "1,{},56,56 -> 32 3x3 /2 p1"),
    ("winograd_f3k4", "1,{},56,56 -> 32 7x7 /2 p3"),
    ("winograd_f2k5", "1,{},28,28 -> 32 5x5 /1 p2"),
    ("winograd_f2k5", "1,{},28,28 -> 32 1x5 /1 p0,2"),
    ("winograd_f2k7", "1,{},28,28 -> 32 1x7 /1 p0,3"),
]
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


def errors(layer, draw, names):
    """{algorithm of names: relative L2 error}, the root mean square over SEEDS random images and weights."""
    squares = {}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        x = draw(rng, layer.x_shape).astype(np.float32)
        weight = rng.standard_normal(layer.w_shape, dtype=np.float32)
        exact = reference.conv2d(layer, x, weight, np.zeros(layer.y_shape[1]))
        for name in names:
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


def layer_errors(pattern, channels, draw, names):
    return errors(shapes.parse("layer " + pattern.format(channels)), draw, names)


def ratio(column, name):
    return f"{column[name] / column['im2col']:.2f}x" if name in column else "-"


def rows(pattern, draw):
    """Header and rows: one column for each number of channels."""
    measured = [layer_errors(pattern, c, draw, pyconv.algorithms()) for c in CHANNELS]
    first = ["im2col", *(f"{column['im2col']:.1e}" for column in measured)]
    others = [name for name in pyconv.algorithms() if name != "im2col" and any(name in c for c in measured)]
    ratios = [[name, *(ratio(column, name) for column in measured)] for name in others]
    for name, form in FORMS:
        columns = [layer_errors(form, c, draw, ("im2col", name)) for c in CHANNELS]
        ratios.append([f"{name}, {form.split('> 32 ')[1]}", *(ratio(column, name) for column in columns)])
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
