# SPDX-License-Identifier: BSD-3-Clause
"""Steps joined with those behind them: scales, shifts, residuals and functions go into convolutions."""

import numpy as np

from .curves import LINE, Curve
from .graph import captured
from .lift import Step

# Behind the name of a value that is larger by 1 than the nodes make it.
GROWN = "/grown"


class Steps:
    """
    Items in order, steps and nodes, with who reads what; each rule joins two of them or does nothing.

    A value is `sole` to its reader if no one else reads it, no subgraph and no caller.
    """

    def __init__(self, items, held):
        self.items, self.held = list(items), held
        self._index()

    def _index(self):
        self.maker, self.readers, self.there = {}, {}, {id(item) for item in self.items}
        for item in self.items:
            inputs, outputs = reads(item), makes(item)
            for name in inputs:
                self.readers.setdefault(name, []).append(item)
            for name in outputs:
                self.maker[name] = item

    def sole(self, name, kind=None):
        """The step that makes a value for one reader alone, of this kind if one is named; else None."""
        step = self.maker.get(name)
        if not isinstance(step, Step) or (kind and step.kind != kind) or name in self.held:
            return None
        return step if len(self.readers.get(name, ())) == 1 else None

    def replace(self, gone, fresh, at):
        """`fresh` instead of the items `gone`, in the place of `at`."""
        ids = {id(item) for item in gone}
        self.items = [
            fresh if item is at else item for item in self.items if item is at or id(item) not in ids
        ]
        self._index()

    def fold(self):
        """Until no rule finds anything more; and again for what lines have become."""
        self._apply_rules()
        self.items = [_settle(item) for item in self.items]
        self._index()
        self._apply_rules()
        return self.items

    def _apply_rules(self):
        rules = (_line_into_conv, _lines, _gate, _point_into_conv, _residual, _one_more, _points)
        changed = True
        while changed:
            changed = False
            for item in list(self.items):
                there = isinstance(item, Step) and id(item) in self.there
                changed |= there and any(rule(self, item) for rule in rules)


def reads(item):
    names = item.inputs if isinstance(item, Step) else (*item.input, *captured(item))
    return [name for name in names if name]


def makes(item):
    names = item.data.get("outputs", [item.output]) if isinstance(item, Step) else item.output
    return [name for name in names if name]


def _join(first, second, kind, inputs, data):
    return Step(kind, inputs, second.output, data, [*first.protos, *second.protos])


def scaled(step, scale, shift):
    """The weights and bias of a convolution whose result is multiplied and added to, by channel."""
    w, b, groups = step.data["w"], step.data["b"], int(step.data["given"].get("group", 1))
    filters = w.shape[0] if step.kind == "conv" else w.shape[1] * groups
    scale = np.broadcast_to(scale, (filters,))
    if step.kind == "conv":
        by_filter = scale.reshape(-1, *(1,) * (w.ndim - 1))
    else:  # (C, K / groups, ...): channel c of group g makes filters g K / groups + j
        by_filter = np.repeat(scale.reshape(groups, -1), w.shape[0] // groups, axis=0)
        by_filter = by_filter.reshape(*by_filter.shape, *(1,) * (w.ndim - 2))
    bias = np.zeros(filters) if b is None else b.astype(np.float64)
    bias = (bias * scale + shift).astype(np.float32)
    weight = (w * by_filter).astype(np.float32)
    if not (np.all(np.isfinite(weight)) and np.all(np.isfinite(bias))):
        return None
    return {**step.data, "w": weight, "b": bias}


def _is_bare(conv):
    """Whether nothing happens to its sums yet."""
    return (conv.data["lo"], conv.data["hi"]) == (-np.inf, np.inf) and len(conv.inputs) == 1


def _line_into_conv(steps, line):
    """A scale and a shift behind a convolution go into weights, bias and, if one for all, its clip."""
    if line.kind != "line":
        return False
    conv = steps.sole(line.inputs[0], "conv") or steps.sole(line.inputs[0], "transposed")
    if conv is None or len(conv.inputs) > 1 or not (_is_bare(conv) or _number(line)):
        return False
    data = scaled(conv, line.data["scale"], line.data["shift"])
    if data is None:
        return False
    if not _is_bare(conv):
        clip = Curve(lo=data["lo"], hi=data["hi"]).then_line(*_number(line))
        data["lo"], data["hi"] = clip.lo, clip.hi
    steps.replace([conv, line], _join(conv, line, conv.kind, conv.inputs, data), line)
    return True


def _number(line):
    """(scale, shift) of a line that is the same for all channels, or None."""
    if line is None or line.kind != "line" or line.data["scale"].ndim or line.data["shift"].ndim:
        return None
    return float(line.data["scale"]), float(line.data["shift"])


def _lines(steps, step):
    """Lines behind one another are one; a function of a line, and a line of a function, are functions."""
    before = steps.sole(step.inputs[0])
    if before is None:
        return False
    if step.kind == before.kind == "line":
        scale, shift = (before.data[word] * step.data["scale"] for word in ("scale", "shift"))
        data = {"scale": scale, "shift": shift + step.data["shift"]}
        steps.replace([before, step], _join(before, step, "line", before.inputs, data), step)
        return True
    if step.kind == "point" and len(step.inputs) == 1 and _number(before):
        curve = step.data["curve"].of_line(*_number(before))
        if curve is None:
            return False
        data = {**step.data, "curve": curve}
        steps.replace([before, step], _join(before, step, "point", before.inputs, data), step)
        return True
    if step.kind == "line" and before.kind == "point" and _number(step):
        data = {**before.data, "curve": before.data["curve"].then_line(*_number(step))}
        steps.replace([before, step], _join(before, step, "point", before.inputs, data), step)
        return True
    return False


def _gate(steps, times):
    """A value times a function of itself."""
    if times.kind != "times":
        return False
    for name, other in (times.inputs, times.inputs[::-1]):
        point = steps.sole(other, "point")
        if point is not None and point.inputs == [name]:
            curve = point.data["curve"].times_argument()
            if curve is not None:
                data = {"curve": curve, "other": None, "scale": None}
                steps.replace([point, times], _join(point, times, "point", [name], data), times)
                return True
    return False


def _point_into_conv(steps, point):
    """A clipping function behind a convolution is its activation."""
    if point.kind != "point" or len(point.inputs) > 1 or point.data["curve"].kind != "clamp":
        return False
    conv = steps.sole(point.inputs[0], "conv") or steps.sole(point.inputs[0], "transposed")
    if conv is None or (conv.data["lo"], conv.data["hi"]) != (-np.inf, np.inf):
        return False
    curve, data = point.data["curve"], conv.data
    if not curve.is_clip:
        data = scaled(conv, curve.p, curve.q) if len(conv.inputs) == 1 else None
    if data is None:
        return False
    data = {**data, "lo": curve.lo, "hi": curve.hi}
    steps.replace([conv, point], _join(conv, point, conv.kind, conv.inputs, data), point)
    return True


def _residual(steps, point):
    """What is added to the result of a convolution is its residual."""
    if point.kind != "point" or point.data["other"] is None or point.data["scale"] is not None:
        return False
    places = {id(item): i for i, item in enumerate(steps.items)}
    a, b = point.inputs
    sides = [(a, b), (b, a)]
    sides.sort(key=lambda side: -places.get(id(steps.maker.get(side[0])), -1))  # the later convolution
    for name, other in sides:
        conv = steps.sole(name, "conv")
        if conv is None or not _is_bare(conv) or name == other:
            continue
        curve, data = point.data["curve"], conv.data
        fresh = _join(conv, point, "conv", [*conv.inputs, other], data)
        if curve.is_clip:
            fresh.data = {**data, "lo": curve.lo, "hi": curve.hi}
            steps.replace([conv, point], fresh, point)
            return True
        # The function stays behind it.
        middle = f"{point.output}/sum"
        fresh.output = middle
        rest = {"curve": curve, "other": None, "scale": None}
        behind = Step("point", [middle], point.output, rest, [])
        at = steps.items.index(point)
        steps.items[at : at + 1] = [fresh, behind]
        steps.items.remove(conv)
        steps._index()
        return True
    return False


def _one_more(steps, point):
    """x + x s = x (1 + s)."""
    if point.kind != "point" or point.data["other"] is None or point.data["scale"] is not None:
        return False
    for name, other in (point.inputs, point.inputs[::-1]):
        product = steps.sole(other, "point")
        if product is None or product.data["scale"] is None or product.data["other"] is not None:
            continue
        if product.inputs[0] != name or not product.data["curve"].is_identity:
            continue
        scale = product.inputs[1]
        maker = steps.sole(scale)
        grown = _shifted(maker)
        if grown is None:
            continue
        steps.replace([maker], grown, maker)
        data = {"curve": point.data["curve"], "other": None, "scale": 1, "grown": True}
        inputs = [name, grown.output]
        steps.replace([product, point], _join(product, point, "point", inputs, data), point)
        return True
    return False


def _shifted(step):
    """The step whose result is larger by 1, or None."""
    if step is None:
        return None
    if step.kind == "point":
        data = {**step.data, "curve": step.data["curve"].then_line(1.0, 1.0)}
    elif step.kind == "conv" and len(step.inputs) == 1:
        data = scaled(step, 1.0, 1.0)
        if data is None:
            return None
        data["lo"], data["hi"] = step.data["lo"] + 1, step.data["hi"] + 1
    else:
        return None
    data = {**data, "grown": True}
    return Step(step.kind, step.inputs, step.output + GROWN, data, step.protos)


def _points(steps, point):
    """Sums and products by channel, and the function behind them, in one pass."""
    if point.kind != "point" or point.data["scale"] is not None:
        return False
    sides = [point.inputs]
    if point.data["other"] is not None:
        sides.append(point.inputs[::-1])
    for name, *other in sides:
        before = steps.sole(name, "point")
        if before is None or not before.data["curve"].is_identity or name in other:
            continue
        if other and before.data["other"] is not None:
            continue
        inputs, data = [*before.inputs, *other], {**before.data, "curve": point.data["curve"]}
        if other:
            data["other"] = len(inputs) - 1
        steps.replace([before, point], _join(before, point, "point", inputs, data), point)
        return True
    return False


def _settle(item):
    """Lines left over become functions, or convolutions of one pixel and channel; products nodes again."""
    if not isinstance(item, Step) or item.kind not in ("line", "times"):
        return item
    if item.kind == "times":
        [proto] = item.protos
        return proto
    if _number(item):
        scale, shift = _number(item)
        data = {"curve": LINE.of_line(scale, shift), "other": None, "scale": None}
        return Step("point", item.inputs, item.output, data, item.protos)
    scale, shift = np.broadcast_arrays(item.data["scale"], item.data["shift"])
    data = {
        "w": scale.astype(np.float32),
        "b": shift.astype(np.float32),
        "given": {"group": scale.size},
        "lo": -np.inf,
        "hi": np.inf,
        "each": True,
    }
    return Step("conv", item.inputs, item.output, data, item.protos)
