# SPDX-License-Identifier: BSD-3-Clause
"""Measures the error of every algorithm over data of every kind, beside the bound that it states.

    python bench/accuracy.py [--seeds 3] [--only PATTERN] [--readme README.md]

Prints the largest error of an output in roundings (2^-24 of A or E, see the notes of pyconv.conv2d); with
--readme, replaces the table between that file's two markers.
"""

import argparse
import pathlib
import sys

import numpy as np
import report
from lib import tables
from lib.kinds import DATA

import pyconv

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tests"))
from reference import conv2d, error_scale, roundings

BEGIN, END = "<!-- accuracy:begin -->", "<!-- accuracy:end -->"
SMALL = "small images"
# Kernel, channels, groups and keywords; the image is 28x28, small ones 5x9 and 39x3.
LAYERS = {
    "3x3": ((3, 3), 32, 1, {"padding": 1}),
    "1x1": ((1, 1), 256, 1, {}),
    "7x7": ((7, 7), 32, 32, {"padding": 3}),
    "3x3, 12 channels": ((3, 3), 12, 1, {"padding": 1}),
    "2x2": ((2, 2), 32, 1, {"padding": 1}),
    "7x7/2": ((7, 7), 32, 1, {"padding": 3, "stride": 2}),
    "5x5": ((5, 5), 32, 1, {"padding": 2}),
    "1x7": ((1, 7), 32, 1, {"padding": (0, 3)}),
    "15x15": ((15, 15), 4, 1, {"padding": 7}),
}
# What an algorithm is measured on, where it isn't 3x3.
FORMS = {
    "pointwise": "1x1",
    "depthwise": "7x7",
    "direct_simd": "3x3, 12 channels",
    "winograd_f2k2": "2x2",
    "winograd_f3k2": "2x2",
    "winograd_f3k4": "7x7/2",
    "winograd_f2k5": "5x5",
    "winograd_f2k7": "1x7",
    "fft": "15x15",
}
FILTERS = 32


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--seeds", type=int, default=3)
    add("--only", default="", help="algorithms whose name holds this")
    add("--readme", type=pathlib.Path, metavar="FILE")
    return parser.parse_args()


def cases(kind, kernel, channels, groups, keywords, seed):
    """x, weight and keywords: one of the images, or two small ones, one of them with a circular border."""
    draw_x, draw_w = DATA["normal" if kind == SMALL else kind]
    w = draw_w((FILTERS, channels // groups, *kernel), seed).astype(np.float32)
    for size in ((5, 9), (39, 3)) if kind == SMALL else ((28, 28),):
        mode = "circular" if size == (5, 9) and max(kernel) < 9 else "zeros"
        x = draw_x((1, channels, *size), seed + 1).astype(np.float32)
        yield x, w, {**keywords, "groups": groups, "padding_mode": mode}


def worst(name, kind, layer, seeds):
    """Roundings, and the algorithm's bound; None where it doesn't serve."""
    most, bound = 0, None
    for seed in range(seeds):
        for x, w, keywords in cases(kind, *LAYERS[layer], 2 * seed):
            rows = pyconv.explain(x.shape, w.shape, accuracy="fast", **keywords).rows
            bound = {row["algorithm"]: row["error_bound"] for row in rows}[name]
            if bound is None:
                return None, None
            y = pyconv.conv2d(x, w, algorithm=name, accuracy="fast", **keywords)
            scale = error_scale(name, x, w, dtype=x.dtype, **keywords)
            most = max(most, roundings(y, conv2d(x, w, **keywords), scale, x.dtype))
    return most, bound


def number(value):
    return "-" if value is None else "0" if value == 0 else f"{value:.2g}" if value < 100 else f"{value:.0f}"


def rows(names, seeds):
    """Header and rows: bound, and the largest error of each kind of data."""
    kinds = [*DATA, SMALL]
    cells = []
    for name in names:
        layer = FORMS.get(name, "3x3")
        measured = [worst(name, kind, layer, seeds) for kind in kinds]
        assert all(most is None or most <= bound for most, bound in measured), name
        cells.append([f"{name}, {layer}", number(measured[0][1]), *(number(most) for most, _ in measured)])
    return ["algorithm", "bound", *kinds], cells


def main():
    options = arguments()
    names = [name for name in pyconv.algorithms() if options.only in name]
    columns, cells = rows(names, options.seeds)
    tables.show(tables.console(), "Largest error of an output, in roundings of A or E", columns, cells)
    if options.readme:
        text = options.readme.read_text()
        options.readme.write_text(report.replace(text, tables.markdown(columns, cells), BEGIN, END))


if __name__ == "__main__":
    main()
