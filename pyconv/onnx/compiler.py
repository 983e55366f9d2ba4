# SPDX-License-Identifier: BSD-3-Clause
"""The steps of a segment for one set of shapes, in one layout: plans, values, and what lives how long."""

import math

from .._api import plan
from .._kernels import FusedPair
from ..operators.transpose import plan_conv_transpose2d
from .nodes import of_images
from .window import conv_window, transposed_window

ITEM = 4  # bytes of float32
MOST_COLS = 16384  # of a row that pools in NCHW, as native/steps.pxd has it
LAYOUTS = "NCHW", "NHWC"


class Unfit(ValueError):
    """Shapes that the steps as they were joined can't serve."""


class Compiler:
    """Emits the steps of one segment for one set of shapes, channels first (NCHW) or last (NHWC)."""

    def __init__(self, stage, shapes, options, layout="NCHW"):
        self.stage, self.options, self.layout = stage, options, layout
        self.last = layout == "NHWC"
        self.steps, self.titles, self.names = [], [], []
        self.sizes, self.born, self.died, self.array = [], [], [], []  # of values
        self.number, self.shape, self.rank = {}, {}, {}
        self.workspace = 0
        self.packed = 0
        self.arrays = []  # names of what a run is given
        for name in stage.inputs:
            self._input(name, shapes[name])
        self.pairs, self.waiting = pairs(stage) if self.last else {}, {}
        self.last_use = {}
        for item in stage.items:
            if item.output in self.pairs:  # read when its reader is reached
                continue
            waited = [name for name, reader in self.pairs.items() if reader is item]
            early = [name for other in stage.items if other.output in waited for name in other.inputs]
            self.last_use |= dict.fromkeys([*item.inputs, *early], item)
        for item in stage.items:
            getattr(self, f"_{item.kind}")(item)
        for name in stage.outputs:
            self._output(name)

    # Values.

    def _value(self, shape, array=-1):
        self.sizes.append(math.prod(shape) * ITEM)
        self.born.append(len(self.steps))
        self.died.append(len(self.steps))
        self.array.append(array)
        return len(self.sizes) - 1

    def _input(self, name, shape):
        if len(shape) not in (3, 4):
            raise Unfit(f"{name!r} has shape {shape}: wanted 3 or 4 axes")
        if min(shape) == 0:
            raise Unfit(f"{name!r} is empty, {shape}")
        self.rank[name] = len(shape)
        image = (*shape[:2], 1, shape[2]) if len(shape) == 3 else tuple(shape)
        self.shape[name] = image
        self.arrays.append(name)
        given = self._value(image, len(self.arrays) - 1)
        self.number[name] = self._turn(given, image, True) if self.last else given

    def _output(self, name):
        self.arrays.append(name)
        index, number = len(self.arrays) - 1, self.number[name]
        image = self.shape[name]
        same = not self.last or image[1] == 1 or image[2:] == (1, 1)
        if same and self.array[number] < 0:
            self.array[number] = index  # made where the caller wants it
        elif same:
            self._copy_whole(number, image, index)
        else:
            self._turn(number, image, False, index)

    def _copy_whole(self, number, image, index):
        y = self._value(image, index)
        size = math.prod(image)
        self._step([], "copy", number, y, images=1, rows=1, cols=size, at=0, pitch=size)

    def _turn(self, number, image, inwards, index=-1):
        n, c, h, w = image
        if c == 1 or h == w == 1:
            return number
        y = self._value(image, index)
        rows, cols = (c, h * w) if inwards else (h * w, c)
        self._step([], "turn", number, y, images=n, rows=rows, cols=cols)
        return y

    def _step(self, items, kind, x, y, **numbers):
        at = len(self.steps)
        for value in (x, y, numbers.get("other", -1), numbers.get("scale", -1)):
            if value >= 0:
                self.died[value] = at
        self.steps.append({"kind": kind, "x": x, "y": y, **numbers})
        self.titles.append(", ".join(item.title for item in items) or f"({kind})")
        self.names.append([proto.name for item in items for proto in item.protos])

    def _made(self, item, shape, like=None):
        """The value that an item makes."""
        self.shape[item.output] = shape
        self.rank[item.output] = self.rank[like or item.inputs[0]]
        self.number[item.output] = self._value(shape)
        return self.number[item.output]

    def _in_layout(self, image):
        n, c, h, w = image
        return (n, h, w, c) if self.last else (n, c, h, w)

    # Steps.

    def _keywords(self):
        return {"layout": self.layout, "threads": self.options.threads, "accuracy": self.options.accuracy}

    def _window(self, item, make):
        x, w = self.shape[item.inputs[0]], item.data["w"]
        if item.data.get("each"):
            w = w.reshape(-1, *(1,) * (self.rank[item.inputs[0]] - 1))
        axes = w.ndim - 2
        if axes != self.rank[item.inputs[0]] - 2:
            raise ValueError(f"{item.title}: x {x} and weight {w.shape} have different numbers of axes")
        window = make(x[-axes:], w.shape[2:], **item.data["given"])
        return (w[:, :, None] if axes == 1 else w), of_images(window, axes), window

    def _clip(self, item):
        lo, hi = item.data["lo"], item.data["hi"]
        return None if (lo, hi) == (-math.inf, math.inf) else ("clip", lo, hi)

    def _plan(self, item):
        """The plan of a convolution, and the shape (n, c, h, w) of its result."""
        image = self.shape[item.inputs[0]]
        w, keywords, _ = self._window(item, conv_window)
        try:
            made = plan(
                self._in_layout(image),
                w,
                item.data["b"],
                activation=self._clip(item),
                max_workspace=self.options.max_workspace,
                **keywords,
                **self._keywords(),
            )
        except ValueError as error:
            raise type(error)(f"{item.title}: {error}") from None
        shape = made.output_shape
        return made, (shape[0], shape[3], *shape[1:3]) if self.last else shape

    def _conv(self, item):
        made, shape = self._plan(item)
        if item.output in self.pairs:  # run by its reader, or just before it
            self.waiting[item.output] = item, made, shape
            self.shape[item.output], self.rank[item.output] = shape, self.rank[item.inputs[0]]
            return
        before = self.waiting.pop(item.inputs[0], None)
        if before is not None:
            pair = FusedPair(before[1], made)
            if pair.serves:
                source = before[0].inputs[0]
                self.packed += before[1].packed_bytes
                self._emit(
                    [before[0], item], "pair", item, self.number[source], pair, shape, made.packed_bytes
                )
                return
            self._emit_conv(*before)
        self._emit_conv(item, made, shape)

    def _emit_conv(self, item, made, shape):
        self._emit([item], "conv", item, self.number[item.inputs[0]], made, shape, made.packed_bytes)

    def _emit(self, items, kind, item, x, made, shape, packed):
        other = -1
        if len(item.inputs) > 1:
            if self.shape[item.inputs[1]] != shape:
                raise Unfit(f"{item.title} adds {self.shape[item.inputs[1]]} to {shape}")
            other = self.number[item.inputs[1]]
        y = self._made(item, shape)
        self.workspace = max(self.workspace, made.workspace_bytes)
        self.packed += packed
        self._step(items, kind, x, y, plan=made, other=other)

    def _transposed(self, item):
        image = self.shape[item.inputs[0]]
        w, keywords, window = self._window(item, transposed_window)
        row = len(window.extra) == 1
        try:
            made = plan_conv_transpose2d(
                self._in_layout(image),
                w,
                item.data["b"],
                output_padding=(0,) * row + window.extra,
                activation=self._clip(item),
                max_workspace=self.options.max_workspace,
                **keywords,
                **self._keywords(),
            )
        except ValueError as error:
            raise type(error)(f"{item.title}: {error}") from None
        shape = made.output_shape
        shape = (shape[0], shape[3], *shape[1:3]) if self.last else shape
        y = self._made(item, shape)
        self.packed += made.packed_bytes
        self.workspace = max(self.workspace, made.workspace_bytes)
        x = self.number[item.inputs[0]]
        # In a step of its own, so that no value is born and dies around it unseen.
        self._step([item], "call", x, y, plan=made)

    def _point(self, item):
        n, c, h, w = image = self.shape[item.inputs[0]]
        numbers = (
            {"images": n, "rows": h * w, "cols": c} if self.last else {"images": n, "rows": c, "cols": h * w}
        )
        data, curve = item.data, item.data["curve"]
        if data["other"] is not None:
            name = item.inputs[data["other"]]
            if self.shape[name] != image:
                raise Unfit(f"{item.title} adds {self.shape[name]} to {image}")
            numbers["other"] = self.number[name]
        if data["scale"] is not None:
            name = item.inputs[data["scale"]]
            scale = self.shape[name]
            if scale[1:] != (c, 1, 1) or scale[0] not in (1, n):
                raise Unfit(f"{item.title} multiplies {image} by {scale}")
            numbers |= {"scale": self.number[name], "scale_images": scale[0], "by_column": self.last}
        words = {word: getattr(curve, word) for word in ("p", "q", "lo", "hi", "r", "s")}
        x, y = self.number[item.inputs[0]], None
        if self._dies(item.inputs[0], item) and x not in (numbers.get("other"), numbers.get("scale")):
            y = x  # in its place
            self.shape[item.output], self.rank[item.output] = image, self.rank[item.inputs[0]]
            self.number[item.output] = y
        else:
            y = self._made(item, image)
        self._step([item], "point", x, y, curve=curve.kind, **words, **numbers)

    def _dies(self, name, item):
        """Whether nobody reads a value of the block after this step."""
        mine = self.array[self.number[name]] < 0 and name not in self.stage.outputs
        return mine and self.last_use[name] is item

    def _mean(self, item):
        n, c, h, w = self.shape[item.inputs[0]]
        x = self.number[item.inputs[0]]
        y = self._made(item, (n, c, 1, 1))
        rows, cols = (h * w, c) if self.last else (c, h * w)
        self._step([item], "mean", x, y, images=n, rows=rows, cols=cols, by_column=self.last)

    def _pool(self, item):
        n, c, h, w = self.shape[item.inputs[0]]
        kernel = tuple(item.data["given"]["kernel_shape"])
        window = conv_window((h, w), kernel, **item.data["given"])
        sides = zip((h, w), kernel, window.stride, window.padding, strict=True)
        sizes = [pooled(*side, item.data["ceil"]) for side in sides]
        pads, ends = zip(*window.padding, strict=True)
        if min(sizes) < 1 or any(p >= k for p, k in zip((*pads, *ends), kernel * 2, strict=True)):
            raise Unfit(f"{item.title} of {h}x{w} by {kernel}, pads {window.padding}")
        if w > MOST_COLS and not self.last:
            raise Unfit(f"{item.title}: rows of {w}")
        x = self.number[item.inputs[0]]
        y = self._made(item, (n, c, *sizes))
        images, inner = (n, c) if self.last else (n * c, 1)
        words = "tall", "wide", "sh", "sw", "ph", "pw", "oh", "ow"
        numbers = dict(zip(words, (*kernel, *window.stride, *pads, *sizes), strict=True))
        how = {"mean": item.data["mean"], "whole": bool(item.data["whole"])}
        self._step([item], "pool", x, y, images=images, rows=h, cols=w, inner=inner, **numbers, **how)

    def _repeat(self, item):
        n, c, h, w = self.shape[item.inputs[0]]
        tall, wide = item.data["tall"], item.data["wide"]
        x = self.number[item.inputs[0]]
        y = self._made(item, (n, c, h * tall, w * wide))
        images, inner = (n, c) if self.last else (n * c, 1)
        self._step([item], "repeat", x, y, images=images, rows=h, cols=w, inner=inner, tall=tall, wide=wide)

    def _concat(self, item):
        shapes = [self.shape[name] for name in item.inputs]
        n, _, h, w = shapes[0]
        if any((s[0], *s[2:]) != (n, h, w) for s in shapes):
            raise ValueError(f"{item.title}: {', '.join(map(str, shapes))} do not fit together")
        total = sum(s[1] for s in shapes)
        y = self._made(item, (n, total, h, w))
        images, each = (n * h * w, 1) if self.last else (n, h * w)
        at = 0
        for name, shape in zip(item.inputs, shapes, strict=True):
            cols = shape[1] * each
            numbers = {"images": images, "rows": 1, "cols": cols, "at": at, "pitch": total * each}
            self._step([item], "copy", self.number[name], y, **numbers)
            at += cols


def pooled(size, kernel, stride, padding, up):
    """Outputs of an axis; rounded up, the last window still begins before what pads the end."""
    rest = size + sum(padding) - kernel
    if not up:
        return rest // stride + 1
    count = -(-rest // stride) + 1
    return count - ((count - 1) * stride >= size + padding[0])


def pairs(stage):
    """{result of a depthwise convolution: the pointwise one that alone reads it}"""
    readers, found = {}, {}
    for item in stage.items:
        for name in item.inputs:
            readers.setdefault(name, []).append(item)
    for item in stage.items:
        if item.kind != "conv" or len(item.inputs) > 1 or item.output in stage.outputs:
            continue
        w, given = item.data["w"], item.data["given"]
        depthwise = w.ndim == 4 and w.shape[1] == 1 and w.shape[0] == given.get("group", 1) > 1
        behind = readers.get(item.output, [])
        if (
            not depthwise
            or len(behind) != 1
            or behind[0].kind != "conv"
            or behind[0].inputs[0] != item.output
        ):
            continue
        w, given = behind[0].data["w"], behind[0].data["given"]
        plain = (
            given.get("group", 1) == 1
            and not any(given.get("pads", ()))
            and set(given.get("strides", (1,))) == {1}
        )
        if w.ndim == 4 and w.shape[2:] == (1, 1) and plain and behind[0].output not in found:
            found[item.output] = behind[0]
    return found


def prefers_last(stage):
    """Whether channels last, where depthwise and pointwise convolutions run as one, should be faster."""
    convolutions = [item for item in stage.items if item.kind in ("conv", "transposed")]
    return 4 * len(pairs(stage)) >= len(convolutions)
