# SPDX-License-Identifier: BSD-3-Clause
"""Convolution layers, and the text files that list them.

One line per layer: its name, the input ``n,c,h,w``, the filters, and what differs from the default::

    r50_2b   1,64,56,56 -> 64 3x3 /1 p1 g1 d1 x3
    inc_1x7  1,192,17,17 -> 192 1x7 p0,3

``/`` is the stride, ``p`` the padding, ``g`` the groups, ``d`` the dilation (1 means none), ``x`` how often
the layer occurs in its network. A pair is written ``h,w``. What follows a ``#`` is a comment.
"""

import dataclasses
import math
import pathlib
import re
import zlib

import numpy as np

LINE = re.compile(
    r"(?P<name>\S+)\s+(?P<x>\d+,\d+,\d+,\d+)\s*->\s*(?P<oc>\d+)\s+(?P<kh>\d+)x(?P<kw>\d+)(?P<rest>.*)"
)
OPTION = re.compile(r"([/pgdx])(\d+)(?:,(\d+))?")
PAIRS = "/pd"


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer: the problem in oneDNN's letters, its name, and its count in the network."""

    name: str
    n: int
    ic: int
    ih: int
    iw: int
    oc: int
    kh: int
    kw: int
    sh: int = 1
    sw: int = 1
    ph: int = 0
    pw: int = 0
    g: int = 1
    dh: int = 1
    dw: int = 1
    count: int = 1

    def __post_init__(self):
        if (
            min(
                self.n,
                self.ic,
                self.oc,
                self.kh,
                self.kw,
                self.sh,
                self.sw,
                self.g,
                self.dh,
                self.dw,
                self.count,
            )
            < 1
        ):
            raise ValueError(f"{self.name}: every size but the padding must be at least 1: {self}")
        if self.ic % self.g or self.oc % self.g:
            raise ValueError(
                f"{self.name}: {self.g} groups divide neither {self.ic} nor {self.oc} channels evenly"
            )
        if self.oh < 1 or self.ow < 1:
            raise ValueError(f"{self.name}: the {self.kh}x{self.kw} kernel is larger than the padded input")

    @property
    def oh(self):
        return (self.ih + 2 * self.ph - self.dh * (self.kh - 1) - 1) // self.sh + 1

    @property
    def ow(self):
        return (self.iw + 2 * self.pw - self.dw * (self.kw - 1) - 1) // self.sw + 1

    @property
    def x_shape(self):
        return self.n, self.ic, self.ih, self.iw

    @property
    def w_shape(self):
        return self.oc, self.ic // self.g, self.kh, self.kw

    @property
    def y_shape(self):
        return self.n, self.oc, self.oh, self.ow

    @property
    def flops(self):
        """Operations of the direct convolution: 2 per multiplication, whatever the algorithm spends."""
        return 2 * math.prod(self.y_shape) * math.prod(self.w_shape[1:])

    @property
    def bytes(self):
        """float32 bytes that must move once: input, weights, output."""
        return 4 * (math.prod(self.x_shape) + math.prod(self.w_shape) + math.prod(self.y_shape))

    def arrays(self):
        """Input, weight and bias, the same ones in every process."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        x = rng.standard_normal(self.x_shape, np.float32)
        weight = rng.standard_normal(self.w_shape, np.float32)
        weight *= math.sqrt(1 / math.prod(self.w_shape[1:]))
        return x, weight, rng.standard_normal(self.oc, np.float32)

    def with_batch(self, n):
        return dataclasses.replace(self, n=n)

    def __str__(self):
        def pair(letter, h, w):
            return f"{letter}{h}" if h == w else f"{letter}{h},{w}"

        words = [self.name, ",".join(map(str, self.x_shape)), "->", str(self.oc), f"{self.kh}x{self.kw}"]
        words += [pair("/", self.sh, self.sw), pair("p", self.ph, self.pw)]
        words += [f"g{self.g}"] * (self.g > 1) + [pair("d", self.dh, self.dw)] * (
            (self.dh, self.dw) != (1, 1)
        )
        return " ".join(words + [f"x{self.count}"] * (self.count > 1))


def parse(line):
    """Read one line; ValueError says what is wrong with it."""
    match = LINE.fullmatch(line.strip())
    if not match:
        raise ValueError(f"not a layer: {line.strip()!r}; wanted e.g. 'name 1,64,56,56 -> 64 3x3 /1 p1'")
    options = {}
    for word in match["rest"].split():
        option = OPTION.fullmatch(word)
        if not option or option[1] in options or (option[3] and option[1] not in PAIRS):
            raise ValueError(f"{match['name']}: cannot read {word!r}")
        options[option[1]] = int(option[2]), int(option[3] or option[2])
    n, ic, ih, iw = map(int, match["x"].split(","))
    (sh, sw), (ph, pw), (dh, dw) = (options.get(k, (d, d)) for k, d in zip(PAIRS, (1, 0, 1), strict=True))
    g, count = (options.get(k, (1,))[0] for k in "gx")
    kh, kw = int(match["kh"]), int(match["kw"])
    return Layer(match["name"], n, ic, ih, iw, int(match["oc"]), kh, kw, sh, sw, ph, pw, g, dh, dw, count)


def load(path):
    """The layers of a file, in its order; their names must differ."""
    lines = (line.split("#")[0].strip() for line in pathlib.Path(path).read_text().splitlines())
    layers = [parse(line) for line in lines if line]
    names = [layer.name for layer in layers]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{path}: listed twice: {', '.join(sorted(twice))}")
    return layers
