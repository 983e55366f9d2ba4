# SPDX-License-Identifier: BSD-3-Clause
"""Data that try an algorithm's error, of a shape: images (N, C, H, W), weights (K, C / groups, R, S)."""

import numpy as np


def rng(seed):
    return np.random.default_rng(seed)


def normal(shape, seed):
    return rng(seed).standard_normal(shape)


def signs(shape, seed):
    return rng(seed).choice([-1.0, 1.0], shape)


def zero_sum(shape, seed):
    w = normal(shape, seed)
    return w - w.mean((2, 3), keepdims=True)


def single(shape, seed):
    x = np.zeros(shape)
    r = rng(seed)
    for image in x:
        image[tuple(r.integers(0, n) for n in image.shape)] = 1
    return x


def corner(shape, seed):
    """A large pixel in each corner, which meets one tap of the kernel."""
    x = 1e-4 * normal(shape, seed)
    x[..., [0, 0, -1, -1], [0, -1, 0, -1]] = 1e3
    return x


def no_corners(shape, seed):
    w = normal(shape, seed)
    if min(shape[2:]) > 1:
        w[..., [0, 0, -1, -1], [0, -1, 0, -1]] = 0
    return w


DATA = {
    "normal": (normal, normal),
    "positive": (lambda s, seed: np.maximum(normal(s, seed), 0), lambda s, seed: abs(normal(s, seed))),
    "mean 1000": (lambda s, seed: 1000 + normal(s, seed), normal),
    "zero-sum filters": (lambda s, seed: 1000 + normal(s, seed), zero_sum),
    "sparse": (lambda s, seed: normal(s, seed) * (rng(seed + 100).random(s) < 0.01), normal),
    "single pixel": (single, normal),
    "corners": (corner, no_corners),
    "integers": (lambda s, seed: rng(seed).integers(-8, 9, s), lambda s, seed: rng(seed).integers(-8, 9, s)),
    "constant": (lambda s, seed: np.full(s, 255.0), zero_sum),
    "signs": (signs, lambda s, seed: signs(s, seed) / 3),
    "denormal": (lambda s, seed: 1e-40 * normal(s, seed), normal),
    "denormal weights": (normal, lambda s, seed: 1e-40 * normal(s, seed)),
    "large": (lambda s, seed: 3e37 * rng(seed).uniform(-1, 1, s), lambda s, seed: 1e-3 * normal(s, seed)),
    "large constant": (lambda s, seed: np.full(s, 3e37), lambda s, seed: 1e-3 * zero_sum(s, seed)),
    "large weights": (
        lambda s, seed: 1e-3 * normal(s, seed),
        lambda s, seed: 1e38 / (s[2] * s[3]) * rng(seed).uniform(-1, 1, s),
    ),
}
