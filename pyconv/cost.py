# SPDX-License-Identifier: BSD-3-Clause
"""
What convolutions cost, by closed formulas: multiplications, memory accesses, parameters, buffers.

Everything counts elements, not bytes. ``h`` and ``w`` are the sides of the output, and of the input too:
stride 1, padding ``"same"``. `pyconv.explain` has the exact bytes and times of one convolution here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ._arguments import integer

__all__ = [
    "Cost",
    "Layer",
    "Stack",
    "Winograd",
    "buffers",
    "depthwise_separable",
    "partial",
    "replacements",
    "stack",
    "standard",
    "winograd",
]


@dataclass(frozen=True)
class Cost:
    """
    Counts of one layer, or of several: costs add.

    Attributes
    ----------
    multiplications : int
    memory_accesses : int
        Elements read and written, each array once.
    parameters : int
        Weights, without biases.
    """

    multiplications: int
    memory_accesses: int
    parameters: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.multiplications + other.multiplications,
            self.memory_accesses + other.memory_accesses,
            self.parameters + other.parameters,
        )


def standard(h: int, w: int, cin: int, cout: int, k: int) -> Cost:
    """
    Every filter sees every channel.

    multiplications = h·w·cout·k²·cin
    memory_accesses = h·w·(cin + cout) + k²·cin·cout
    parameters      = k²·cin·cout

    Parameters
    ----------
    h, w : int
        Rows and columns of the output.
    cin, cout : int
        Channels and filters.
    k : int
        Side of the kernel.

    Returns
    -------
    Cost

    Raises
    ------
    ValueError
        If a size isn't positive.

    Examples
    --------
    >>> from pyconv import cost
    >>> cost.standard(14, 14, 1, 128, 3).multiplications
    225792
    """
    _positive(h=h, w=w, cin=cin, cout=cout, k=k)
    weights = k * k * cin * cout
    return Cost(h * w * weights, h * w * (cin + cout) + weights, weights)


def depthwise_separable(h: int, w: int, cin: int, cout: int, k: int) -> Cost:
    """
    A k x k filter for each channel, then 1x1 filters across them (Howard et al., MobileNets, 2017).

    multiplications = h·w·cin·k² + h·w·cin·cout
    memory_accesses = 2·h·w·cin + cin·k² + cin·cout + h·w·(cin + cout)
    parameters      = cin·k² + cin·cout

    Parameters, Returns, Raises: as `standard`.
    """
    _positive(h=h, w=w, cin=cin, cout=cout, k=k)
    weights = cin * k * k + cin * cout
    return Cost(h * w * weights, 2 * h * w * cin + h * w * (cin + cout) + weights, weights)


def partial(h: int, w: int, cp: int, k: int) -> Cost:
    """
    The first cp channels convolved with cp filters, the others passed through (Chen et al., FasterNet, 2023).

    multiplications = h·w·cp²·k²
    memory_accesses = 2·h·w·cp + k²·cp²
    parameters      = k²·cp²

    Parameters, Returns, Raises: as `standard`.
    """
    return standard(h, w, cp, cp, k)


@dataclass(frozen=True)
class Layer:
    """
    A convolution in a `stack`.

    Attributes
    ----------
    kernel : int or (int, int)
        Rows and columns.
    cin, cout : int
        Channels and filters.
    stride, dilation : int or (int, int)
    groups : int
    """

    kernel: int | tuple[int, int]
    cin: int
    cout: int
    stride: int | tuple[int, int] = 1
    dilation: int | tuple[int, int] = 1
    groups: int = 1

    def __post_init__(self) -> None:
        (kh, kw), (sh, sw), (dh, dw) = _pair(self.kernel), _pair(self.stride), _pair(self.dilation)
        _positive(kh=kh, kw=kw, sh=sh, sw=sw, dh=dh, dw=dw, cin=self.cin, cout=self.cout, groups=self.groups)
        if self.cin % self.groups or self.cout % self.groups:
            raise ValueError(f"groups={self.groups} must divide cin={self.cin} and cout={self.cout}")


@dataclass(frozen=True)
class Stack(Cost):
    """
    Counts of layers one after the other.

    Attributes
    ----------
    multiplications, memory_accesses, parameters : int
        As in `Cost`.
    receptive_field : (int, int)
        Rows and columns of the input that one output depends on.
    """

    receptive_field: tuple[int, int]

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        return 2 * self.multiplications


def stack(layers: Iterable[Layer | tuple[Any, ...]], h: int = 1, w: int = 1) -> Stack:
    """
    What a stack of convolutions costs, and how far it sees.

    receptive_field = 1 + sum over layers of dilation·(kernel - 1)·(product of the strides before)
    multiplications = sum over layers of oh·ow·kh·kw·cin·cout / groups
    parameters      = sum over layers of kh·kw·cin·cout / groups

    Parameters
    ----------
    layers : iterable of Layer, or of tuples of its arguments
        ``(kernel, cin, cout)`` and what else `Layer` takes.
    h, w : int
        Rows and columns of the input. Padding is ``"same"``: a layer has ceil(input / stride) outputs.

    Returns
    -------
    Stack

    Raises
    ------
    ValueError
        If there is no layer, if a size isn't positive, or if a layer's channels aren't the filters before.

    Examples
    --------
    >>> from pyconv import cost
    >>> cost.stack([(3, 64, 64), (3, 64, 64), (3, 64, 64)]).receptive_field
    (7, 7)
    """
    _positive(h=h, w=w)
    chain = [layer if isinstance(layer, Layer) else Layer(*layer) for layer in layers]
    if not chain:
        raise ValueError("a stack needs at least one layer")
    for before, after in pairwise(chain):
        if before.cout != after.cin:
            raise ValueError(f"a layer of {before.cout} filters is followed by one of {after.cin} channels")
    size, step, field = [h, w], [1, 1], [1, 1]
    total = Cost(0, 0, 0)
    for layer in chain:
        kernel, stride, dilation = _pair(layer.kernel), _pair(layer.stride), _pair(layer.dilation)
        read = size[0] * size[1] * layer.cin
        for axis in (0, 1):
            field[axis] += dilation[axis] * (kernel[axis] - 1) * step[axis]
            step[axis] *= stride[axis]
            size[axis] = -(-size[axis] // stride[axis])
        pixels = size[0] * size[1]
        weights = kernel[0] * kernel[1] * layer.cin * layer.cout // layer.groups
        total += Cost(pixels * weights, read + pixels * layer.cout + weights, weights)
    return Stack(total.multiplications, total.memory_accesses, total.parameters, (field[0], field[1]))


def replacements(k: int, channels: int, h: int = 1, w: int = 1) -> dict[str, Stack]:
    """
    A large kernel beside what is put in its place.

    One k x k convolution; (k - 1) / 2 of 3x3, which see as far (Simonyan, Zisserman, VGG, 2015); k x 1 and
    1 x k (Szegedy et al., Inception v3, 2016); 1x1, k x k, 1x1 on a quarter of the channels (He et al.,
    ResNet, 2016).

    Parameters
    ----------
    k : int
        Side of the kernel: odd, 3 or more.
    channels : int
        Of input and output: a multiple of 4.
    h, w : int
        Rows and columns.

    Returns
    -------
    dict of str to Stack

    Raises
    ------
    ValueError
        For another k or number of channels.

    Examples
    --------
    >>> from pyconv import cost
    >>> for name, each in cost.replacements(7, 64).items():
    ...     print(f"{name:13} sees {each.receptive_field}, {each.parameters:,} weights")
    one 7x7       sees (7, 7), 200,704 weights
    3 of 3x3      sees (7, 7), 110,592 weights
    7x1 and 1x7   sees (7, 7), 57,344 weights
    1x1, 7x7, 1x1 sees (7, 7), 14,592 weights
    """
    if k < 3 or k % 2 == 0:
        raise ValueError(f"k must be odd and at least 3, is {k}")
    if channels < 4 or channels % 4:
        raise ValueError(f"channels must be a multiple of 4, is {channels}")
    few = channels // 4
    stacks: dict[str, list[tuple[Any, ...]]] = {
        f"one {k}x{k}": [(k, channels, channels)],
        f"{(k - 1) // 2} of 3x3": [(3, channels, channels)] * ((k - 1) // 2),
        f"{k}x1 and 1x{k}": [((k, 1), channels, channels), ((1, k), channels, channels)],
        f"1x1, {k}x{k}, 1x1": [(1, channels, few), (k, few, few), (1, few, channels)],
    }
    return {name: stack(layers, h, w) for name, layers in stacks.items()}


@dataclass(frozen=True)
class Winograd:
    """
    Counts of F(m x m, r x r).

    Attributes
    ----------
    tile : int
        Side of a transformed tile: m + r - 1.
    multiplications, direct_multiplications : int
        Of the products, and of the plain loop for the same outputs.
    parameters : int
        Transformed weights.
    buffers : int
        Elements of all transformed tiles and their products, if they were kept at once.
    saving : float
        direct_multiplications / multiplications.
    """

    tile: int
    multiplications: int
    direct_multiplications: int
    parameters: int
    buffers: int

    @property
    def saving(self) -> float:
        return self.direct_multiplications / self.multiplications


def winograd(
    m: int, r: int, h: int | None = None, w: int | None = None, cin: int = 1, cout: int = 1
) -> Winograd:
    """
    Tiles of m x m outputs of an r x r kernel (Winograd, 1980; Lavin, Gray, 2016).

    tiles           = ceil(h / m)·ceil(w / m)
    multiplications = tiles·(m + r - 1)²·cin·cout, instead of h·w·r²·cin·cout
    parameters      = (m + r - 1)²·cin·cout
    buffers         = tiles·(m + r - 1)²·(cin + cout)

    Parameters
    ----------
    m, r : int
        Sides of a tile of outputs and of the kernel.
    h, w : int, optional
        Rows and columns of the output: one tile by default. The last tiles may be partial, and cost as much.
    cin, cout : int
        Channels and filters.

    Returns
    -------
    Winograd

    Raises
    ------
    ValueError
        If a size isn't positive.

    Examples
    --------
    >>> from pyconv import cost
    >>> cost.winograd(4, 3).saving
    4.0
    >>> cost.winograd(4, 3, 14, 14, 1, 128).multiplications
    73728
    """
    h, w = m if h is None else h, m if w is None else w
    _positive(m=m, r=r, h=h, w=w, cin=cin, cout=cout)
    points = (m + r - 1) ** 2
    tiles = -(-h // m) * -(-w // m)
    weights = cin * cout
    return Winograd(
        tile=m + r - 1,
        multiplications=tiles * points * weights,
        direct_multiplications=h * w * r * r * weights,
        parameters=points * weights,
        buffers=tiles * points * (cin + cout),
    )


def buffers(
    ih: int,
    iw: int,
    ic: int,
    oc: int,
    kh: int,
    kw: int,
    *,
    n: int = 1,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
) -> dict[str, int]:
    """
    Elements of the buffers that the textbook forms of the algorithms fill.

    ========== =================== ============================================================
    direct     0                   the plain loop
    im2col     kh·kw·ic·oh·ow      the patches of one image as columns
    im2row     oh·ow·kh·kw·ic      as rows
    mec        n·ow·ih·kw·ic       lowered along the width only (Cho, Brand, 2017)
    kn2row     kh·kw·oc·ih·iw      a product for every tap (Vasudevan, Anderson, Gregg, 2017)
    kn2col     ih·iw·kh·kw·oc      channels last
    kn2row_acc oc·ih·iw            accumulated tap by tap
    indirect   kh·kw·oh·ow         pointers to pixels, not copies (Dukhan, 2019)
    ========== =================== ============================================================

    Parameters
    ----------
    ih, iw, ic, oc, kh, kw : int
        Image, channels, filters and kernel.
    n : int
        Images; all but `mec` treat them one by one.
    stride, padding, dilation : int or (int, int)
        Rows, columns.

    Returns
    -------
    dict of str to int

    Raises
    ------
    ValueError
        If a size isn't positive, or the kernel larger than the padded image.

    Examples
    --------
    >>> from pyconv import cost
    >>> sizes = cost.buffers(7, 7, 1, 1, 3, 3)
    >>> sizes["im2col"], sizes["mec"]
    (225, 105)
    """
    (sh, sw), (ph, pw), (dh, dw) = _pair(stride), _pair(padding), _pair(dilation)
    _positive(ih=ih, iw=iw, ic=ic, oc=oc, kh=kh, kw=kw, n=n, sh=sh, sw=sw, dh=dh, dw=dw)
    oh = (ih + 2 * ph - dh * (kh - 1) - 1) // sh + 1
    ow = (iw + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    if oh < 1 or ow < 1:
        raise ValueError(f"a {kh}x{kw} kernel is larger than the {ih}x{iw} image with padding ({ph}, {pw})")
    taps, pixels = kh * kw, oh * ow
    return {
        "direct": 0,
        "im2col": taps * ic * pixels,
        "im2row": pixels * taps * ic,
        "mec": n * ow * ih * kw * ic,
        "kn2row": taps * oc * ih * iw,
        "kn2col": ih * iw * taps * oc,
        "kn2row_acc": oc * ih * iw,
        "indirect": taps * pixels,
    }


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _positive(**sizes: int) -> None:
    for name, value in sizes.items():
        if integer(value, name) < 1:
            raise ValueError(f"{name} must be positive, is {value}")
