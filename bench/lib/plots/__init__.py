# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of a result, a module each: ``draw(result, statistic)`` gives a figure, or None without data."""

import pathlib

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from lib.plots import filters, memory, networks, pareto, ratio, roofline, style

KINDS = [
    ("", ratio),
    ("", networks),
    ("", filters),
    ("-memory", memory),
    ("-roofline", roofline),
    ("-pareto", pareto),
]


def draw(result, path, statistic="median"):
    """Every picture that the result has data for: the main one at ``path``, the others beside it."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    with plt.rc_context(style.RC):
        for suffix, kind in KINDS:
            figure = kind.draw(result, statistic)
            if figure:
                written.append(path.with_name(f"{path.stem}{suffix}{path.suffix or '.png'}"))
                figure.savefig(written[-1])
                plt.close(figure)
    return written
