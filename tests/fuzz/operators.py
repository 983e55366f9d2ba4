# SPDX-License-Identifier: BSD-3-Clause
"""The calls: each operator's arrays, the right values with their bound, and the package asked in one way."""

import contextlib
import ctypes
from dataclasses import dataclass, field, replace

import c_api
import numpy as np
from elements import computing

import pyconv

from . import exact
from .arrays import Fence, Operand, fill, fill_elements
from .problems import geometry, images, mode, out_dtype, painted, x_dtype

ULP = {"float16": 2.0**-24, "float32": 2.0**-24, "float64": 2.0**-52}  # float16 is computed in float32;
# float64 is judged in float64, whose own error is as large

UNIVERSAL = ("direct", "im2col", "im2row", "mec")
LIMITS = ("algorithm", "accuracy", "threads")

fences = {}


def fence(role):
    if role not in fences:
        fences[role] = Fence()
    return fences[role]


@dataclass
class Truth:
    """What the result must be: value, A = |x| * |w| with bias and residual, and terms per sum."""

    value: np.ndarray  # in the shape of the result
    size: np.ndarray
    terms: int
    inherited: object = 0.0  # of an operator before this one: A times terms, carried through
    cap: object = (
        None  # per image, what A can't exceed even where no output shows it; not finite where x isn't
    )
    fan: int = 1  # terms of the last sum, where what underflows before it counts so often


@dataclass
class Case:
    problem: dict
    shape: tuple  # of the result
    operands: dict
    run: object  # run(out, workspace) -> the result
    truth: object  # truth() -> Truth
    plan: object = None  # with workspace_bytes, packed_bytes; None where there is none
    handles: list = field(default_factory=list)  # C plans to destroy


def classes():
    """algorithm -> accuracy class"""
    rows = pyconv.explain((1, 1, 8, 8), (1, 1, 3, 3)).rows
    return {row["algorithm"]: row["accuracy"] for row in rows}


def arranged(a, p):
    """(n, c, h, w) as callers have it: the layout, the leading dimensions; a signal without its row."""
    if p["layout"] == "NHWC":
        a = a.transpose(0, 2, 3, 1)
    a = a.reshape(*p["lead"], *a.shape[1:])
    return a.squeeze(-3 if p["layout"] == "NHWC" else -2) if p["op"].startswith("conv1d") else a


class Data:
    """The arrays of a problem: float64 as the formulas take them, operands as the call does."""

    def __init__(self, p):
        self.p, self.rng, self.operands = p, np.random.default_rng(p["seed"]), {}

    def _keep(self, role, values, form):
        self.operands[role] = Operand(fence(role), values, form, self.p["at_end"])
        return self.operands[role].given

    def image(self, role, channels, rows, columns, form="plain", kind=None):
        """The array in float64, (n, c, h, w), and as given."""
        p, shape = self.p, (images(self.p), channels, rows, columns)
        inner = computing(p["dtype"])
        if kind is None:
            reach = p["dtype"] if p["data"] == "large" else inner  # the weight's range bounds the products
            a = fill_elements(p["data"], shape, x_dtype(p), reach, self.rng)
        else:
            a = fill(kind, shape, p["dtype"], self.rng, True)
        with np.errstate(over="ignore"):
            exact = a.astype(inner).astype(np.float64)
        return exact, self._keep(role, arranged(a, p), form)

    def weight(self, role, shape, form="plain"):
        p = self.p
        a = fill(p["data"], shape, p["dtype"], self.rng, True)
        given = a
        if p["op"].startswith("conv1d"):
            given = a[:, :, 0]
        elif p["matrix"]:
            given = a[:, :, 0, 0]
        return a.astype(np.float64), self._keep(role, given, form)

    def extra(self, role, shape):
        """A bias or a residual, or None."""
        p = self.p
        kind = p["data"] if p["data"] in ("integers", "denormal") else "normal"
        if role == "residual":
            a = fill_elements(kind, shape, out_dtype(p), computing(p["dtype"]), self.rng)
        else:
            a = fill(kind, shape, p["dtype"], self.rng)
        exact = a.astype(computing(p["dtype"])).astype(np.float64)
        return exact, self._keep(role, a, "plain")

    def bias(self, count):
        return self.extra("bias", (count,)) if self.p["bias"] else (None, None)

    def residual(self, shape):
        return self.extra("residual", shape) if self.p["residual"] else (None, None)


def clip(y, activation):
    if activation is None:
        return y
    lo, hi = {"relu": (0, np.inf), "relu6": (0, 6)}.get(
        activation if isinstance(activation, str) else ""
    ) or activation[1:]
    return np.clip(y, lo, hi)


def said(activation):
    return tuple(activation) if isinstance(activation, list) else activation


def finished(value, size, bias, residual, p, terms, inherited=0.0, fan=1, cap=None):
    """Bias, residual and activation on both sides; the truth in the shape of the result."""
    if bias is not None:
        value, size = value + bias[:, None, None], size + np.abs(bias)[:, None, None]
    value, size = arranged(value, p), arranged(size, p)
    if residual is not None:
        value, size = value + residual, size + np.abs(residual)
    return Truth(clip(value, p["activation"]), size, terms + 2, inherited, cap, fan)


def cap(x, w, p):
    """max |x| of each image, times the sum of |w|; infinite where transforms may overflow, see README."""
    most = np.finfo("f8" if p["dtype"] == "float64" else "f4").max
    pixel, filters = np.abs(x).max(axis=(1, 2, 3), initial=0), np.abs(w)
    if isinstance(p["mode"], list):
        pixel = np.maximum(pixel, p["mode"][1])
    sums = filters.sum(axis=(2, 3)).max(initial=0)
    return np.where((pixel > most / 4.3) | (sums > most / 3.5), np.inf, pixel * filters.sum())


def words(p):
    """Keywords that most operators share."""
    return {
        "stride": tuple(p["stride"]), "padding": p["padding"], "dilation": tuple(p["dilation"]),
        "layout": p["layout"], **{key: p[key] for key in LIMITS},
        **({"out_dtype": out_dtype(p)} if p["out_dtype"] else {}),
    }  # fmt: skip


def bounded(p, make, keywords):
    """`make(max_workspace=…)` under the budget the problem asks for, and the bytes it may take."""
    budget = p["budget"]
    if budget in ("just", "less"):
        free = make(**keywords)
        budget = max(0, free.workspace_bytes + getattr(free, "packed_bytes", 0) - (budget == "less"))
    elif budget == "zero":
        budget = 0
    return make(**keywords, max_workspace=budget), budget


class Overdrawn(AssertionError):
    """A plan takes more memory than it was allowed."""


def planned(p, make, keywords):
    plan, budget = bounded(p, make, keywords)
    used = plan.workspace_bytes + getattr(plan, "packed_bytes", 0)
    if budget is not None and used > budget:
        raise Overdrawn(f"takes {used} bytes of the {budget} allowed")
    keywords["max_workspace"] = budget
    return plan


def conv2d(p):
    """conv2d in its three ways, and its guises depthwise, pointwise and conv1d."""
    g, op = geometry(p), p["op"]
    data = Data(p)
    channels, filters = p["groups"] * p["icg"], p["groups"] * p["ocg"]
    plain = p["via"] == "c"
    x, given = data.image("x", channels, p["ih"], p["iw"], "plain" if plain else p["x_form"])
    shape = (filters, p["icg"], p["kh"], p["kw"])
    w, given_w = data.weight("weight", shape, "plain" if plain else p["w_form"])
    bias, given_bias = data.bias(filters)
    result = arranged(np.empty((images(p), filters, *g.size)), p).shape
    residual, given_residual = data.residual(result)
    keywords = words(p) | {"padding_mode": mode(p), "activation": said(p["activation"])}
    if op != "depthwise_conv2d":
        keywords["groups"] = p["groups"]

    def truth():
        value, size = exact.correlate(x, w, g), exact.correlate(np.abs(x), np.abs(w), g)
        return finished(value, size, bias, residual, p, p["icg"] * p["kh"] * p["kw"], cap=cap(x, w, p))

    case = Case(p, result, data.operands, None, truth)
    if p["via"] == "c":
        return _by_c(p, case, g, given, given_w, given_bias, given_residual)

    x_shape = arranged(np.empty((images(p), channels, p["ih"], p["iw"])), p | {"op": "conv2d"}).shape
    twin = keywords | {"groups": p["groups"]}
    if op == "conv1d":
        padding = p["padding"]
        twin["padding"] = padding if isinstance(padding, str) else g.rows and (g.rows, g.columns)
        keywords |= {"stride": p["stride"][1], "dilation": p["dilation"][1]}
        if p["layout"] == "NHWC":
            keywords["layout"] = "NLC"
        else:
            keywords["layout"] = "NCL"

    def make(**rest):
        if op == "conv2d":
            return pyconv.plan(x_shape, given_w, given_bias, dtype=x_dtype(p), **rest)
        return pyconv.plan(x_shape, w.astype(p["dtype"]), bias, dtype=x_dtype(p), **rest)

    if op != "conv2d" and bias is not None:
        bias = bias.astype(p["dtype"])
    case.plan = planned(p, make, twin)
    keywords["max_workspace"] = twin["max_workspace"]
    if p["via"] == "plan":
        case.run = lambda out, workspace: case.plan(
            given, out=out, workspace=workspace, residual=given_residual
        )
        return case
    function = getattr(pyconv, op)
    case.run = lambda out, workspace: function(
        given, given_w, given_bias, residual=given_residual, out=out, workspace=workspace, **keywords
    )
    return case


class Refused(ValueError):
    """The C API's UNSUPPORTED."""


def _by_c(p, case, g, x, w, bias, residual):
    C, word, border = c_api.C, p["mode"], 0.0
    if isinstance(word, list):
        word, border = word
    lo, hi = {None: (-np.inf, np.inf), "relu": (0, np.inf), "relu6": (0, 6)}.get(
        said(p["activation"]) if not isinstance(p["activation"], list) else "",
        p["activation"] and p["activation"][1:],
    )
    d = c_api.Conv2d(
        dtype=C["PYCONV_F64" if p["dtype"] == "float64" else "PYCONV_F32"], layout=C["PYCONV_" + p["layout"]],
        padding_mode=C["PYCONV_" + word.upper()], border=border,
        accuracy=C["PYCONV_" + p["accuracy"].upper()],
        algorithm=c_api.algorithm(p["algorithm"].encode()), threads=p["threads"],
        n=images(p), g=p["groups"], ic=p["groups"] * p["icg"], ih=p["ih"], iw=p["iw"],
        oc=p["groups"] * p["ocg"], icg=p["icg"], kh=p["kh"], kw=p["kw"],
        sh=p["stride"][0], sw=p["stride"][1], dh=p["dilation"][0], dw=p["dilation"][1],
        x_dtype=c_api.code(x_dtype(p)), y_dtype=c_api.code(out_dtype(p)),
        ph0=g.rows[0], ph1=g.rows[1], pw0=g.columns[0], pw1=g.columns[1], lo=lo, hi=hi,
    )  # fmt: skip

    def create():
        status, handle = c_api.create(d, w, bias)
        if status == "UNSUPPORTED" or status == "OVER_BUDGET" or status == "UNDER_ACCURACY":
            raise pyconv.UnsupportedError(c_api.message(status, d))
        if status != "OK":
            raise AssertionError(f"pyconv_plan_create returns {status}: {c_api.message(status, d)}")
        case.handles.append(handle)
        return handle

    handle = create()
    used = c_api.plan_workspace_bytes(handle) + c_api.plan_packed_bytes(handle)
    budget = {"zero": 0, "just": used, "less": max(0, used - 1)}.get(p["budget"], p["budget"])
    if budget is not None:
        d.max_workspace = budget
        handle = create()
        used = c_api.plan_workspace_bytes(handle) + c_api.plan_packed_bytes(handle)
        if used > budget:
            raise Overdrawn(f"takes {used} bytes of the {budget} allowed")
    oh, ow = ctypes.c_int64(), ctypes.c_int64()
    c_api.plan_output_size(handle, oh, ow)
    if (oh.value, ow.value) != g.size:
        raise AssertionError(f"pyconv_plan_output_size says {(oh.value, ow.value)}, right is {g.size}")

    def run(out, workspace):
        out = np.zeros(case.shape, out_dtype(p)) if out is None else out
        block = workspace if workspace is None or workspace.size else None
        plain = x.dtype == out.dtype == p["dtype"]
        status = (c_api.run if plain else c_api.run_elements)(handle, x, out, block, residual)
        if status != "OK":
            raise AssertionError(f"pyconv_plan_run returns {status}")
        return out

    case.run = run
    case.plan = _Sizes(c_api.plan_workspace_bytes(handle))
    return case


@dataclass
class _Sizes:
    workspace_bytes: int


def partial(p):
    g, data = geometry(p), Data(p)
    count = p["groups"] * p["icg"]
    x, given = data.image(
        "x", count + p["extra"], p["ih"], p["iw"], "plain" if p["out"] == "x" else p["x_form"]
    )
    w, given_w = data.weight("weight", (count, p["icg"], p["kh"], p["kw"]), p["w_form"])
    bias, given_bias = data.bias(count)
    keywords = words(p) | {
        "padding_mode": mode(p), "activation": said(p["activation"]), "groups": p["groups"],
        "max_workspace": 0 if p["budget"] == "zero" else None,
    }  # fmt: skip
    del keywords["stride"]

    def truth():
        first = x[:, :count]
        value, size = exact.correlate(first, w, g), exact.correlate(np.abs(first), np.abs(w), g)
        if bias is not None:
            value, size = value + bias[:, None, None], size + np.abs(bias)[:, None, None]
        value = np.concatenate([clip(value, p["activation"]), x[:, count:]], 1)
        size = np.concatenate([size, np.abs(x[:, count:])], 1)
        terms = p["icg"] * p["kh"] * p["kw"] + 2
        return Truth(arranged(value, p), arranged(size, p), terms, cap=cap(x, w, p))

    case = Case(p, arranged(x, p).shape, data.operands, None, truth)
    saved = arranged(x, p).astype(x_dtype(p))

    def run(out, workspace):
        if p["out"] == "x" and isinstance(given, np.ndarray):
            given[...] = saved
            return pyconv.partial_conv2d(given, given_w, given_bias, out=given, **keywords)
        return pyconv.partial_conv2d(given, given_w, given_bias, out=out, **keywords)

    case.run = run
    return case


def separable(p):
    g, data = geometry(p), Data(p)
    c, middle, filters = p["groups"], p["groups"] * p["ocg"], p["filters"]
    x, given = data.image("x", c, p["ih"], p["iw"], p["x_form"])
    dw, given_dw = data.weight("weight", (middle, 1, p["kh"], p["kw"]), p["w_form"])
    pw, given_pw = data.weight("pointwise", (filters, middle, 1, 1))
    b1, given_b1 = data.extra("inner_bias", (middle,)) if p["inner_bias"] else (None, None)
    bias, given_bias = data.bias(filters)
    result = arranged(np.empty((images(p), filters, *g.size)), p).shape
    residual, given_residual = data.residual(result)
    keywords = words(p) | {
        "padding_mode": mode(p), "activation": said(p["activation"]), "depthwise_bias": given_b1,
        "depthwise_activation": said(p["inner_activation"]),
    }  # fmt: skip
    del keywords["algorithm"]

    def truth():
        inner, size = exact.correlate(x, dw, g), exact.correlate(np.abs(x), np.abs(dw), g)
        if b1 is not None:
            inner, size = inner + b1[:, None, None], size + np.abs(b1)[:, None, None]
        inner, matrix = clip(inner, p["inner_activation"]), pw[:, :, 0, 0]

        def times(m, a):
            n, c, h, w = a.shape
            return (m @ a.reshape(n, c, h * w)).reshape(n, filters, h, w)

        value, outer = times(matrix, inner), times(np.abs(matrix), np.abs(inner))
        inherited = arranged(times(np.abs(matrix), size), p) * (p["kh"] * p["kw"] + 2)
        return finished(value, outer, bias, residual, p, middle, inherited, middle * p["kh"] * p["kw"])

    case = Case(p, result, data.operands, None, truth)
    x_shape = arranged(x, p).shape

    def make(**rest):
        return pyconv.plan_separable_conv2d(x_shape, given_dw, given_pw, given_bias, dtype=x_dtype(p), **rest)

    case.plan = planned(p, make, keywords)
    if p["via"] == "plan":
        case.run = lambda out, workspace: case.plan(
            given, out=out, workspace=workspace, residual=given_residual
        )
    else:
        case.run = lambda out, workspace: pyconv.separable_conv2d(
            given,
            given_dw,
            given_pw,
            given_bias,
            residual=given_residual,
            out=out,
            workspace=workspace,
            **keywords,
        )
    return case


def transposed(p):
    data, (size, cut) = Data(p), painted(p)
    channels, filters = p["groups"] * p["icg"], p["groups"] * p["ocg"]
    x, given = data.image("x", channels, p["ih"], p["iw"], p["x_form"])
    w, given_w = data.weight("weight", (channels, p["ocg"], p["kh"], p["kw"]), p["w_form"])
    bias, given_bias = data.bias(filters)
    keywords = words(p) | {
        "output_padding": tuple(p["output_padding"]), "groups": p["groups"],
        "activation": said(p["activation"]),
    }  # fmt: skip

    def truth():
        g = _Strides(p)
        value, magnitude = exact.paint(x, w, g, size, cut), exact.paint(np.abs(x), np.abs(w), g, size, cut)
        terms = p["icg"] * p["kh"] * p["kw"]
        return finished(value, magnitude, bias, None, p, terms, cap=cap(x, w, p))

    case = Case(p, arranged(np.empty((images(p), filters, *size)), p).shape, data.operands, None, truth)
    x_shape = arranged(x, p).shape
    make = lambda **rest: pyconv.plan_conv_transpose2d(x_shape, given_w, given_bias, dtype=x_dtype(p), **rest)  # noqa: E731
    case.plan = planned(p, make, keywords)
    if p["via"] == "plan":
        case.run = lambda out, workspace: case.plan(given, out=out, workspace=workspace)
    else:
        case.run = lambda out, workspace: pyconv.conv_transpose2d(
            given, given_w, given_bias, out=out, workspace=workspace, **keywords
        )
    return case


class _Strides:
    def __init__(self, p):
        self.stride, self.dilation, self.groups = p["stride"], p["dilation"], p["groups"]


def along(p, keywords):
    """The keywords of conv2d as those of conv1d, where that is the operator."""
    if not p["op"].startswith("conv1d"):
        return keywords
    axis = {"stride": p["stride"][1], "dilation": p["dilation"][1]}
    return keywords | axis | {"layout": "NLC" if p["layout"] == "NHWC" else "NCL"}


def copies(p, g):
    """How many pixels of the padded image are copies of one, at most."""
    if g.mode == "zeros" or isinstance(g.mode, tuple):
        return 1
    axes = zip((p["ih"], p["iw"]), (g.rows, g.columns), strict=True)
    rows, columns = (np.bincount(exact.index(size, *sides, g.mode)).max() for size, sides in axes)
    return int(rows * columns)


def backward_input(p):
    g, data, signal = geometry(p), Data(p), p["op"] == "conv1d_backward_input"
    channels, filters = p["groups"] * p["icg"], p["groups"] * p["ocg"]
    dy, given = data.image("x", filters, *g.size, p["x_form"])
    w, given_w = data.weight("weight", (filters, p["icg"], p["kh"], p["kw"]), p["w_form"])
    keywords = words(p) | {"groups": p["groups"], "padding_mode": mode(p)}
    shape = arranged(np.empty((images(p), channels, p["ih"], p["iw"])), p).shape
    size = (p["ih"] + sum(g.rows), p["iw"] + sum(g.columns))

    def painted_by(dy, w):
        canvas = exact.paint(dy, w, _Strides(p), size, (0, 0))
        return exact.fold(canvas, g.rows, g.columns, (p["ih"], p["iw"]), g.mode)

    def truth():
        value, magnitude = painted_by(dy, w), painted_by(np.abs(dy), np.abs(w))
        terms = p["ocg"] * p["kh"] * p["kw"] * copies(p, g)
        return finished(value, magnitude, None, None, p, terms, cap=cap(dy, w, p))

    case = Case(p, shape, data.operands, None, truth)
    if signal:
        keywords = along(p, keywords)
        case.run = lambda out, workspace: pyconv.conv1d_backward_input(
            shape, given_w, given, out=out, workspace=workspace, **keywords
        )
        return case
    make = lambda **rest: pyconv.plan_conv2d_backward_input(shape, given_w, dtype=p["dtype"], **rest)  # noqa: E731
    case.plan = planned(p, make, keywords)
    if p["via"] == "plan":
        case.run = lambda out, workspace: case.plan(given, out=out, workspace=workspace)
    else:
        case.run = lambda out, workspace: pyconv.conv2d_backward_input(
            shape, given_w, given, out=out, workspace=workspace, **keywords
        )
    return case


def backward_weight(p):
    g, data, signal = geometry(p), Data(p), p["op"] == "conv1d_backward_weight"
    channels, filters = p["groups"] * p["icg"], p["groups"] * p["ocg"]
    x, given = data.image("x", channels, p["ih"], p["iw"], p["x_form"])
    dy, given_dy = data.image("dy", filters, *g.size, p["w_form"], kind=p["data"])
    shape = (filters, p["icg"], p["kh"], p["kw"])
    keywords = words(p) | {"groups": p["groups"], "padding_mode": mode(p)}
    result = (*shape[:2], shape[3]) if signal else shape

    def truth():
        value = exact.weight_gradient(x, dy, shape, g)
        positive = replace(g, mode=(g.mode[0], abs(g.mode[1]))) if isinstance(g.mode, tuple) else g
        magnitude = exact.weight_gradient(np.abs(x), np.abs(dy), shape, positive)
        terms = max(1, images(p)) * g.size[0] * g.size[1]
        most = np.abs(x).max(initial=0) * np.abs(dy).sum()  # of pixels that no tap meets, too
        return Truth(value.reshape(result), magnitude.reshape(result), terms, cap=np.array([most]))

    case = Case(p, result, data.operands, None, truth)
    x_shape = arranged(x, p).shape
    if signal:
        keywords = along(p, keywords)
        case.run = lambda out, workspace: pyconv.conv1d_backward_weight(
            given, result, given_dy, out=out, workspace=workspace, **keywords
        )
        return case
    make = lambda **rest: pyconv.plan_conv2d_backward_weight(x_shape, shape, dtype=p["dtype"], **rest)  # noqa: E731
    case.plan = planned(p, make, keywords)
    if p["via"] == "plan":
        case.run = lambda out, workspace: case.plan(given, given_dy, out=out, workspace=workspace)
    else:
        case.run = lambda out, workspace: pyconv.conv2d_backward_weight(
            given, shape, given_dy, out=out, workspace=workspace, **keywords
        )
    return case


def backward_bias(p):
    data, filters = Data(p), p["groups"] * p["ocg"]
    dy, given = data.image("x", filters, p["ih"], p["iw"], p["x_form"])
    keywords = {"layout": p["layout"], "threads": p["threads"]}
    if p["op"].startswith("conv1d"):
        keywords["layout"] = along(p, {})["layout"]

    def truth():
        value, size = dy.sum((0, 2, 3)), np.abs(dy).sum((0, 2, 3))
        return Truth(value, size, dy.size // max(filters, 1))

    function = getattr(pyconv, p["op"])
    run = lambda out, workspace: function(given, out=out, **keywords)  # noqa: E731
    return Case(p, (filters,), data.operands, run, truth)


def factorized(p):
    """Two convolutions by the factors as they are, rounded to the dtype."""
    data = Data(p)
    channels, filters = p["groups"] * p["icg"], p["groups"] * p["ocg"]
    x, given = data.image("x", channels, p["ih"], p["iw"], p["x_form"])
    _, given_w = data.weight("weight", (filters, p["icg"], p["kh"], p["kw"]), "plain")
    bias, given_bias = data.bias(filters)
    factors = pyconv.factorize(given_w, p["rank"], groups=p["groups"])
    g = geometry(p)
    result = arranged(np.empty((images(p), filters, *g.size)), p).shape
    residual, given_residual = data.residual(result)
    keywords = words(p) | {"padding_mode": mode(p), "activation": said(p["activation"])}
    del keywords["algorithm"]

    def truth():
        # A constant around the image is summed by the columns, too.
        left = g.columns if isinstance(g.mode, tuple) else (0, 0)
        first = replace(g, columns=left, stride=(g.stride[0], 1), dilation=(g.dilation[0], 1),
                        size=(g.size[0], p["iw"] + sum(left)), groups=factors.groups)  # fmt: skip
        second = replace(g, rows=(0, 0), stride=(1, g.stride[1]), dilation=(1, g.dilation[1]),
                         groups=factors.horizontal_groups)  # fmt: skip
        if isinstance(g.mode, tuple):
            second = replace(second, columns=(0, 0), mode="zeros")
        v, h = factors.vertical.astype(np.float64), factors.horizontal.astype(np.float64)
        middle, size = exact.correlate(x, v, first), exact.correlate(np.abs(x), np.abs(v), first)
        value, outer = exact.correlate(middle, h, second), exact.correlate(np.abs(middle), np.abs(h), second)
        inherited = arranged(exact.correlate(size, np.abs(h), second), p) * (p["icg"] * p["kh"] + 2)
        return finished(
            value, outer, bias, residual, p, factors.rank * p["kw"], inherited, p["icg"] * p["kh"]
        )

    case = Case(p, result, data.operands, None, truth)
    x_shape = arranged(x, p).shape
    case.plan = planned(
        p, lambda **rest: factors.plan(x_shape, given_bias, dtype=x_dtype(p), **rest), keywords
    )
    case.run = lambda out, workspace: case.plan(given, out=out, workspace=workspace, residual=given_residual)
    return case


BUILDERS = {
    "conv2d": conv2d, "conv1d": conv2d, "depthwise_conv2d": conv2d, "pointwise_conv2d": conv2d,
    "partial_conv2d": partial, "separable_conv2d": separable, "conv_transpose2d": transposed,
    "conv2d_backward_input": backward_input, "conv2d_backward_weight": backward_weight,
    "conv1d_backward_input": backward_input, "conv1d_backward_weight": backward_weight,
    "conv2d_backward_bias": backward_bias, "conv1d_backward_bias": backward_bias,
    "factorize": factorized,
}  # fmt: skip


@contextlib.contextmanager
def case(p):
    """The Case of a problem; its C plans end with the block."""
    built = BUILDERS[p["op"]](p)
    try:
        yield built
    finally:
        for handle in built.handles:
            c_api.plan_destroy(handle)
