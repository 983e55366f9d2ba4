# SPDX-License-Identifier: BSD-3-Clause
"""Image-filter kernels by their formulas, each a square float32 array of odd size.

Coordinates run from -(size // 2) to size // 2, x to the right and y downwards.
"""

import numpy as np


def grid(size):
    """Coordinates (y, x) of the taps, each of shape (size, size)."""
    axis = np.arange(size) - size // 2
    return np.meshgrid(axis, axis, indexing="ij")


def delta(size):
    """1 in the middle: the filter that changes nothing."""
    y, x = grid(size)
    return ((y == 0) & (x == 0)).astype(np.float32)


def embed(small, size):
    """A kernel in the middle of a larger one, so that kernels of several sizes form one bank."""
    margin = (size - len(small)) // 2
    return np.pad(np.asarray(small, np.float32), margin)


def box(width, size):
    """The mean over width x width pixels."""
    return embed(np.full((width, width), 1 / width**2), size)


def gaussian(sigma, size):
    """exp(-(x^2 + y^2) / (2 sigma^2)), sum 1."""
    y, x = grid(size)
    g = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    return (g / g.sum()).astype(np.float32)


def high_pass(sigma, size):
    """delta - gaussian: what a Gaussian low-pass takes away."""
    return delta(size) - gaussian(sigma, size)


def unsharp_mask(sigma, amount, size):
    """delta + amount * high_pass: details are amplified, flat areas stay."""
    return delta(size) + np.float32(amount) * high_pass(sigma, size)


def difference_of_gaussians(inner, outer, size):
    """gaussian(inner) - gaussian(outer): a band-pass without direction."""
    return gaussian(inner, size) - gaussian(outer, size)


def sobel_x(size):
    """Derivative along x, smoothed along y; its transpose differentiates along y."""
    return embed(np.outer([1, 2, 1], [-1, 0, 1]) / 8, size)


def laplacian(size):
    """d^2/dx^2 + d^2/dy^2."""
    return embed([[0, 1, 0], [1, -4, 1], [0, 1, 0]], size)


def gabor(wavelength, angle, phase, sigma, size):
    """exp(-(x^2 + y^2) / (2 sigma^2)) cos(2 pi u / wavelength + phase), u = x cos(angle) + y sin(angle).

    A wave under a Gaussian: a band-pass for one direction. Its mean is taken out so that flat areas
    give 0, and it is scaled so that the sum of its magnitudes is 1.
    """
    y, x = grid(size)
    envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    u = x * np.cos(angle) + y * np.sin(angle)
    wave = np.cos(2 * np.pi * u / wavelength + phase)
    k = envelope * (wave - (envelope * wave).sum() / envelope.sum())
    return (k / np.abs(k).sum()).astype(np.float32)


def frequency_response(kernel, points=128):
    """Magnitude of the kernel's Fourier transform, shape (points, points), frequency 0 in the middle."""
    return np.abs(np.fft.fftshift(np.fft.fft2(kernel, (points, points))))
