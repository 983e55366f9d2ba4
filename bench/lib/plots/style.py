# SPDX-License-Identifier: BSD-3-Clause
"""What the pictures have in common."""

import matplotlib.pyplot as plt

from lib import results
from lib.peers import SUBJECT

OURS, BEHIND, INK, PALE = "#1b7a8c", "#c8553d", "#333333", "#bbbbbb"
COLOURS = {
    "torch": "#d1495b",
    "onnxruntime": "#edae49",
    "openvino": "#66a182",
    "ncnn": "#7d5ba6",
    "scipy": "#8d96a3",
    "opencv": "#7d5ba6",
    "skimage": "#edae49",
}
COLOURS[SUBJECT] = OURS
RC = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "grid.color": "#eeeeee",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "savefig.dpi": 130,
    "savefig.bbox": "tight",
}


def figure(title, width, height, columns=1):
    """A figure with its title and a row of axes, wide enough for the title and a legend."""
    made, axes = plt.subplots(
        1, columns, figsize=(max(width, 8), height), sharey=True, squeeze=False, layout="constrained"
    )
    made.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return made, list(axes[0])


def setting(result, batch, threads):
    """A panel's title; the batch is named where there are several."""
    several = len({batch for batch, _ in results.settings(result)}) > 1
    return f"{threads} thread{'s' * (threads > 1)}" + f", batch {batch}" * several


def key(label, marker, colour, **keywords):
    """A legend's entry for a marker."""
    return plt.Line2D([], [], ls="", marker=marker, color=colour, label=label, **keywords)


def rows(ax, names):
    """One row for each name, from the bottom."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")


def number(value, _=None):
    """A tick's label: 0.1, 1, 10 instead of powers."""
    return f"{value:g}"
