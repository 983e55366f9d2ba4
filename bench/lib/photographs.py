# SPDX-License-Identifier: BSD-3-Clause
"""Photographs, and what people filter them with: one case, the same in every library."""

import collections.abc
import math
import typing

import cv2
import numpy as np
import skimage.filters

import pyconv

SIZES = (3, 5, 7, 9, 11, 15, 21, 31)
SIGMAS = (1, 2, 5, 10)
BOXES = (3, 9, 31)
GABORS = 8  # filters of the bank
GABOR = 21  # rows and columns of each
BORDER = cv2.BORDER_REFLECT  # pyconv's "symmetric", SciPy's "reflect"
SOBEL = np.outer((1, 2, 1), (-1, 0, 1))
LAPLACE = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])


class Case(typing.NamedTuple):
    """
    One filter of one photograph x.

    `group` is the row of the summary. `weight` (filters, rows, columns) is pyconv's. The functions of other
    libraries return their result: `opencv(x, out)` and `scipy(module, x, out)` fill `out`, of the shape of
    the photograph with an axis of filters before it if there are several; `skimage(x)` is None where
    scikit-image has no such filter. SciPy cuts sums to integers `cuts` times, by up to one each.
    """

    name: str
    group: str
    weight: np.ndarray
    out_dtype: np.dtype
    opencv: collections.abc.Callable
    scipy: collections.abc.Callable
    skimage: collections.abc.Callable | None = None
    cuts: int = 1


def photograph(height, width, channels, dtype, seed=0):
    """(height, width, channels), or (height, width), floats up to 1: every scale, clipped highlights."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, channels), np.float32)
    for scale in (1, 4, 16, 64, 256):
        coarse = rng.standard_normal((-(-height // scale), -(-width // scale), channels), np.float32)
        total += math.sqrt(scale) * cv2.resize(coarse, (width, height)).reshape(total.shape)
    low, high = np.quantile(total[::8, ::8], (0.01, 0.98))
    pixels = (255 * ((total - low) / (high - low)).clip(0, 1)).astype(np.uint8)
    pixels = pixels[..., 0] if channels == 1 else pixels
    return pixels if dtype == np.uint8 else pixels.astype(dtype) / dtype.type(255)


def full_rank(size, whole):
    """Weights (size, size) of full rank; if `whole`, positive ones of sum 1, multiples of 1 / 4096."""
    weights = np.random.default_rng(size).standard_normal((size, size))
    if not whole:
        return weights
    weights = np.floor(4096 * np.abs(weights) / np.abs(weights).sum())
    weights[size // 2, size // 2] += 4096 - weights.sum()
    return weights / 4096


def gaussian(sigma):
    """SciPy's weights (2 r + 1, 2 r + 1), of radius r = 4 sigma."""
    radius = int(4 * sigma + 0.5)
    row = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.multiply.outer(row / row.sum(), row / row.sum())


def _channels(x):
    return -1 if x.ndim == 3 else None


def _correlation(name, group, weights, dtype):
    def scipys(place, x, out):
        planes = [out] if len(weights) == 1 else out
        for weight, plane in zip(weights, planes, strict=True):
            place.correlate(x, weight, output=plane, axes=(0, 1))
        return out

    def opencvs(x, out):
        planes = [out] if len(weights) == 1 else out
        for weight, plane in zip(weights, planes, strict=True):
            cv2.filter2D(x, -1, weight, dst=plane, borderType=BORDER)
        return out

    return Case(name, group, np.stack(weights), dtype, opencvs, scipys)


def _gaussian_case(sigma, dtype):
    side = (2 * int(4 * sigma + 0.5) + 1,) * 2

    def skimages(x):
        y = skimage.filters.gaussian(x, sigma, mode="reflect", preserve_range=True, channel_axis=_channels(x))
        return y if dtype.kind == "f" else np.rint(y).astype(dtype)

    return Case(
        f"Gaussian, sigma {sigma}",
        "Gaussian, box, Sobel",
        gaussian(sigma)[None],
        dtype,
        lambda x, out: cv2.GaussianBlur(x, side, sigma, dst=out, borderType=BORDER),
        lambda place, x, out: place.gaussian_filter(x, sigma, output=out, axes=(0, 1)),
        skimages,
        2,
    )


def _box_case(size, dtype):
    return Case(
        f"box {size} x {size}",
        "Gaussian, box, Sobel",
        np.full((1, size, size), size**-2.0),
        dtype,
        lambda x, out: cv2.blur(x, (size, size), dst=out, borderType=BORDER),
        lambda place, x, out: place.uniform_filter(x, size, output=out, axes=(0, 1)),
        cuts=2,
    )


def _sobel_case(dtype):
    def scipys(place, x, out):
        if x.ndim == 2:
            return place.sobel(x, output=out)
        between = place.correlate1d(x, (-1, 0, 1), 1, out.dtype)  # its own would smooth over colours, too
        return place.correlate1d(between, (1, 2, 1), 0, out)

    return Case(
        "Sobel",
        "Gaussian, box, Sobel",
        SOBEL[None],
        dtype,
        lambda x, out: cv2.Sobel(
            x, cv2.CV_16S if dtype.kind == "i" else -1, 1, 0, dst=out, borderType=BORDER
        ),
        scipys,
        # of weights a quarter of SciPy's, and of one colour; floats only
        (lambda x: skimage.filters.sobel(x, axis=1) * x.dtype.type(4)) if dtype.kind == "f" else None,
    )


def _laplace_case(dtype):
    return Case(
        "Laplace",
        "Laplace, Gabor",
        LAPLACE[None],
        dtype,
        lambda x, out: cv2.Laplacian(x, cv2.CV_16S if dtype.kind == "i" else -1, dst=out, borderType=BORDER),
        lambda place, x, out: place.laplace(x, output=out, axes=(0, 1)),
    )


def _gabor_case(dtype):
    size = (GABOR, GABOR)
    bank = [
        cv2.getGaborKernel(size, 4.0, math.pi * i / GABORS, 8.0, 0.8, math.pi / 2, cv2.CV_64F) / 32
        for i in range(GABORS)
    ]
    return _correlation(f"{GABORS} Gabors {GABOR} x {GABOR}", "Laplace, Gabor", bank, dtype)


def cases(x, sizes=SIZES, sigmas=SIGMAS, boxes=BOXES):
    """What x, grey (H, W) or colour (H, W, C), is filtered with; bytes give bytes, of derivatives int16."""
    bytes_ = x.dtype == np.uint8
    deep = np.dtype(np.int16) if bytes_ else x.dtype
    for k in sizes:
        group = "n x n, 3 to 9" if k <= 9 else "n x n, 11 to 31"
        yield _correlation(f"{k} x {k}", group, [full_rank(k, bytes_)], x.dtype)
    for sigma in sigmas:
        yield _gaussian_case(sigma, x.dtype)
    for k in boxes:
        yield _box_case(k, x.dtype)
    sobel = _sobel_case(deep)
    yield sobel if x.ndim == 2 else sobel._replace(skimage=None)
    yield _laplace_case(deep)
    if x.ndim == 2 and not bytes_:
        yield _gabor_case(x.dtype)


def prepare(case, x, place, scipy_place, threads):
    """
    {(library, variant): function that filters x}, each into an array of its own where the library takes one.

    A bank's plan makes planes of one, as OpenCV does; all others take the photograph as it is in memory.
    """
    several = len(case.weight) > 1
    shape = (len(case.weight), *x.shape) if several else x.shape
    channels = x.shape[2] if x.ndim == 3 else 1
    single = case.weight.astype(np.float32)[:, None]
    weight = single if several else np.repeat(single, channels, axis=0)
    layout = "NCHW" if several else "NHWC"
    image = x[None] if several else x.reshape(*x.shape[:2], channels)
    words = {"layout": layout, "padding": "same", "padding_mode": "symmetric", "out_dtype": case.out_dtype}
    words["threads"] = threads
    plan = pyconv.plan(image.shape, weight, groups=channels, dtype=x.dtype, **words)
    workspace = plan.new_workspace()
    outs = {name: np.empty(shape, case.out_dtype) for name in ("plan", "call", "ndimage", "opencv", "scipy")}
    made = {name: outs[name].reshape(plan.output_shape) for name in ("plan", "call")}

    def planned():
        plan(image, out=made["plan"], workspace=workspace)
        return outs["plan"]

    def called():
        pyconv.depthwise_conv2d(image, weight, out=made["call"], **words)
        return outs["call"]

    def in_scipys_words():
        with pyconv.config(threads=threads):
            return case.scipy(place, x, outs["ndimage"])

    ways = {
        ("pyconv", "plan"): planned,
        ("pyconv", "call"): called,
        ("pyconv", "ndimage"): in_scipys_words,
        ("opencv", "-"): lambda: case.opencv(x, outs["opencv"]),
        ("scipy", "-"): lambda: case.scipy(scipy_place, x, outs["scipy"]),
    }
    if case.skimage is not None:
        ways["skimage", "-"] = lambda: case.skimage(x)
    return plan, ways
