# SPDX-License-Identifier: BSD-3-Clause
"""Weights of a small hand-made CNN: every filter has a meaning, so every feature map can be read.

1. ``stem``       7x7, stride 2, RGB -> 32 maps, ReLU: edges at six angles and four phases, opponent
                  colours, bright and dark spots, light and dark areas - what trained networks learn first.
2. ``neighbours`` 3x3 depthwise on 32 maps, plus the residual, ReLU: neighbouring edges compete, so that
                  lines become thin; neighbouring colours support each other.
3. ``readout``    1x1, 32 -> 8 maps, ReLU: an RGB picture whose hue is the edges' angle, the edges of all
                  angles, and four colours.
"""

from colorsys import hsv_to_rgb

import numpy as np
from kernels import difference_of_gaussians, gabor, gaussian

GREY = [1 / 3, 1 / 3, 1 / 3]
ANGLES = np.arange(6) * np.pi / 6
PHASES = np.arange(4) * np.pi / 2
EDGES = len(ANGLES) * len(PHASES)  # the first maps of layers 1 and 2
OPPONENTS = {
    "red": [1, -0.5, -0.5],
    "green": [-0.5, 1, -0.5],
    "blue": [-0.5, -0.5, 1],
    "yellow": [0.5, 0.5, -1],
}
STEM_NAMES = [
    *(f"{np.rad2deg(a):.0f}°, phase {np.rad2deg(p):.0f}°" for a in ANGLES for p in PHASES),
    *OPPONENTS,
    "bright spot",
    "dark spot",
    "light area",
    "dark area",
]
READOUT_NAMES = ["hue of the angle: R", "G", "B", "edges, any angle", *OPPONENTS]


def stem():
    """Weight (32, 3, 7, 7) and bias (32,) of the first layer."""

    def coloured(colour, kernel):
        return np.multiply.outer(np.float32(colour), kernel)

    spot = difference_of_gaussians(0.8, 2.0, 7)
    area = gaussian(2.0, 7)
    filters = [coloured(GREY, gabor(5.0, a, p, 1.8, 7)) for a in ANGLES for p in PHASES]
    filters += [coloured(colour, area) for colour in OPPONENTS.values()]
    filters += [coloured(GREY, k) for k in (spot, -spot, area, -area)]
    bias = np.zeros(len(filters), np.float32)
    bias[-1] = 1  # dark = 1 - light
    return np.stack(filters), bias


def neighbours():
    """Weight (32, 1, 3, 3): the mean of the eight neighbours, less than 0 for edges, more for areas."""
    ring = np.full((3, 3), 1 / 8, np.float32)
    ring[1, 1] = 0
    sign = np.where(np.arange(len(STEM_NAMES)) < EDGES, -1, 1).astype(np.float32)
    return sign[:, None, None, None] * ring


def readout():
    """Weight (8, 32, 1, 1)."""
    w = np.zeros((len(READOUT_NAMES), len(STEM_NAMES)), np.float32)
    for i, angle in enumerate(ANGLES):
        of_angle = slice(i * len(PHASES), (i + 1) * len(PHASES))
        w[:3, of_angle] = np.reshape(hsv_to_rgb(angle / np.pi, 1, 1), (3, 1))
    w[3, :EDGES] = 1
    w[4:, EDGES : EDGES + len(OPPONENTS)] = np.eye(len(OPPONENTS))
    return w[:, :, None, None]
