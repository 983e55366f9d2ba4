# SPDX-License-Identifier: BSD-3-Clause
"""The picture: panels for the filter bank and for the layers of the small CNN."""

import cnn
import numpy as np
from kernels import frequency_response
from matplotlib.figure import Figure

SMALL = {"fontsize": 8, "pad": 3}


def bare(ax, title=None, **font):
    """An axis that shows a picture: no ticks, a thin frame."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color="0.6", linewidth=0.5)
    if title:
        ax.set_title(title, **font)


def show_signed(ax, image, percentile=98.5, cmap="gray"):
    """Zero is the middle of the colour map; the strongest values are cut, lest one spot darken all."""
    limit = np.percentile(np.abs(image), percentile)
    ax.imshow(image, cmap=cmap, vmin=-limit, vmax=limit)


def show_map(ax, image):
    """A feature map after ReLU, scaled to 0..1: 0 is black, gaps (NaN) are white."""
    ax.imshow(image, cmap="magma", vmin=0, vmax=1)


def scaled(maps, percentile=98.5):
    """Feature maps (..., h, w), each divided by a value near its largest and cut to 0..1."""
    limit = np.percentile(maps, percentile, axis=(-2, -1), keepdims=True)
    return np.clip(maps / limit, 0, 1)


def mosaic(tiles, columns, gap, fill=np.nan):
    """(n, h, w) or (n, h, w, 3) tiles in one picture with gaps between them."""
    n, h, w = tiles.shape[:3]
    rows = -(-n // columns)
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, *tiles.shape[3:]), fill, np.float32)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (h + gap), i % columns * (w + gap)
        sheet[top : top + h, left : left + w] = tile
    return sheet


def draw_filter(figure, name, kernel, image):
    """One filter: the filtered photograph, and beside it the kernel and its frequency response."""
    axes = figure.subplot_mosaic([["image", "kernel"], ["image", "response"]], width_ratios=[2.2, 1])
    if abs(kernel.sum()) < 1e-3:  # flat areas give 0, so the picture has both signs
        show_signed(axes["image"], image)
    else:
        axes["image"].imshow(image)
    bare(axes["image"], name, fontsize=11, pad=4)
    root = np.sign(kernel) * np.sqrt(np.abs(kernel))  # so that small weights show beside large ones
    show_signed(axes["kernel"], root, percentile=100, cmap="RdBu_r")
    bare(axes["kernel"], "kernel", **SMALL)
    axes["response"].imshow(frequency_response(kernel), cmap="viridis", vmin=0)
    bare(axes["response"], "response", **SMALL)


def draw_bank(figure, names, bank, images):
    """All filters: `bank` (K, s, s) and K images, in colour or signed (H, W)."""
    figure.suptitle(
        "Two convolutions of one photograph's bytes, twelve filters: kernel (red +, blue −) "
        "and frequency response (bright passes, 0 is in the middle)",
        fontsize=14,
    )
    cells = figure.subfigures(3, 4, wspace=0.01, hspace=0.01)
    for cell, name, kernel, image in zip(cells.flat, names, bank, images, strict=True):
        draw_filter(cell, name, kernel, image)


def label_rows(ax, rows, labels):
    """Name the rows of a mosaic at its left side."""
    height = ax.get_ylim()[0] / rows
    ax.set_yticks([height * (i + 0.5) for i in range(rows)], labels, fontsize=9)
    ax.tick_params(length=0)


def draw_layers(figure, photo, stem_weight, maps):
    """The CNN: `photo` (H, W, 3), `stem_weight` (32, 3, 7, 7), `maps` the output (C, h, w) of each layer."""
    figure.suptitle("First layers of a CNN, weights made by hand: every map has a meaning", fontsize=14)
    stem, neighbours, readout = maps
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.1, 1], hspace=0.01)

    ax = top.subplots(1, 3, width_ratios=[1, 2, 2])
    ax[0].imshow(photo)
    bare(ax[0], "input: RGB, 512×512")
    scale = 0.5 / np.abs(stem_weight).max(axis=(1, 2, 3), keepdims=True)
    ax[1].imshow(mosaic((0.5 + scale * stem_weight).transpose(0, 2, 3, 1), columns=8, gap=1, fill=1))
    bare(ax[1], "layer 1, weights: 32 filters, 7×7×3")
    label_rows(ax[1], 4, ["0°, 30°", "60°, 90°", "120°, 150°", "colour, light"])
    show_map(ax[2], mosaic(scaled(stem), columns=8, gap=8))
    bare(ax[2], "layer 1, output: stride 2, ReLU, 32×256×256")

    ax = bottom.subplots(1, 5)
    vertical = cnn.STEM_NAMES.index("0°, phase 90°")
    crop = np.s_[vertical, 8:98, 160:250]
    show_map(ax[0], scaled(stem[crop]))
    bare(ax[0], "layer 1, vertical edges, enlarged")
    show_map(ax[1], scaled(neighbours[crop]))
    bare(ax[1], "layer 2: 3×3 depthwise + residual")
    ax[2].imshow(np.clip(readout[:3] / np.percentile(readout[:3], 99), 0, 1).transpose(1, 2, 0))
    bare(ax[2], "layer 3: 1×1, hue = angle of the edge")
    show_map(ax[3], scaled(readout[3]))
    bare(ax[3], "layer 3: 1×1, edges of any angle")
    tints = np.clip(2 * np.float32(list(cnn.OPPONENTS.values())), 0, 1)
    colours = scaled(readout[4:], 99.5)[..., None] * tints[:, None, None]
    ax[4].imshow(mosaic(colours, columns=2, gap=6, fill=1))
    bare(ax[4], "layer 3: 1×1, four colours")


def save(path, bank, layers):
    """Write both parts into one picture: `bank` and `layers` are the arguments of their drawing functions."""
    figure = Figure(figsize=(16, 16), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[9.1, 6.9], hspace=0.02)
    draw_bank(upper, *bank)
    draw_layers(lower, *layers)
    figure.savefig(path, dpi=100)
