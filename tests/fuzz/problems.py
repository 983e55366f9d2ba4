# SPDX-License-Identifier: BSD-3-Clause
"""Problems: flat dicts of words and numbers, so that one is a line of JSON and shrinks key by key."""

import json
import random
from dataclasses import dataclass

import numpy as np
from elements import ELEMENTS, bfloat16

OPERATORS = {
    "conv2d": 40,
    "conv1d": 8,
    "depthwise_conv2d": 8,
    "pointwise_conv2d": 6,
    "partial_conv2d": 4,
    "separable_conv2d": 8,
    "conv_transpose2d": 10,
    "conv2d_backward_input": 6,
    "conv2d_backward_weight": 8,
    "conv2d_backward_bias": 1,
    "conv1d_backward_input": 2,
    "conv1d_backward_weight": 2,
    "conv1d_backward_bias": 1,
    "factorize": 3,
    "explain": 4,
    "explain_huge": 3,
}  # and how often
MOST = {"tiny": 3e4, "middle": 1e6, "large": 8e6}  # multiplications

# What a key is where a problem does not name it, and what shrinking tries to make of it.
PLAIN = {
    "via": "call", "lead": [1], "groups": 1, "icg": 1, "ocg": 1, "ih": 1, "iw": 1, "kh": 1, "kw": 1,
    "stride": [1, 1], "dilation": [1, 1], "padding": 0, "mode": "zeros", "layout": "NCHW", "dtype": "float32",
    "activation": None, "bias": False, "residual": False, "algorithm": "auto", "accuracy": "standard",
    "budget": None, "threads": 1, "out": None, "workspace": None, "x_form": "plain", "w_form": "plain",
    "data": "integers", "at_end": True, "isa": None, "seed": 0, "extra": 0, "filters": 1, "multiplier": 1,
    "x_dtype": None, "out_dtype": None,  # those of the weight
    "output_padding": [0, 0], "inner_activation": None, "inner_bias": False, "rank": None, "matrix": False,
}  # fmt: skip


@dataclass(frozen=True)
class Geometry:
    """A convolution resolved: padding in lines before and behind, the size of the result."""

    rows: tuple
    columns: tuple
    stride: tuple
    dilation: tuple
    groups: int
    mode: object  # a word, or ("constant", value)
    size: tuple


def line(problem):
    """The problem as one line of JSON, without what is plain."""
    return json.dumps(
        {k: v for k, v in problem.items() if k not in PLAIN or v != PLAIN[k]}, separators=(",", ":")
    )


def parse(text):
    given = json.loads(text)
    unknown = given.keys() - PLAIN.keys() - {"op"}
    if unknown or given.get("op") not in OPERATORS:
        raise ValueError(f"not a problem: {text}")
    return PLAIN | given


def two(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def both_sides(p, axis, size):
    """Padding of one axis as (before, behind), for an image of `size`."""
    padding, k = p["padding"], (p["kh"], p["kw"])[axis]
    s, extent = p["stride"][axis], (k - 1) * p["dilation"][axis] + 1
    if padding == "valid":
        return 0, 0
    if padding == "full":
        return extent - 1, extent - 1
    if isinstance(padding, str):
        total = max((-(-size // s) - 1) * s + extent - size, 0)
        half = total // 2
        return (half, total - half) if padding == "same" else (total - half, half)
    if p["op"].startswith("conv1d"):
        return two(padding) if axis else (0, 0)
    return two(two(padding)[axis])


def geometry(p):
    """The Geometry of conv2d on x of ih x iw; None where it is not legal."""
    sides, size = [], []
    for axis, image in enumerate((p["ih"], p["iw"])):
        before, behind = both_sides(p, axis, image)
        extent = ((p["kh"], p["kw"])[axis] - 1) * p["dilation"][axis] + 1
        room = image + before + behind - extent
        if room < 0 or image < 1 or min(before, behind) < 0:
            return None
        sides.append((before, behind))
        size.append(room // p["stride"][axis] + 1)
    return Geometry(*sides, tuple(p["stride"]), tuple(p["dilation"]), p["groups"], mode(p), tuple(size))


def mode(p):
    """The border as calls take it."""
    return tuple(p["mode"]) if isinstance(p["mode"], list) else p["mode"]


def x_dtype(p):
    return named(p["x_dtype"] or p["dtype"])


def out_dtype(p):
    """Of the result; what partial_conv2d passes through keeps its type."""
    if p["op"] == "partial_conv2d":
        return x_dtype(p)
    return named(p["out_dtype"] or p["dtype"])


def named(name):
    """A dtype; where ml_dtypes is missing, float16 stands for its bfloat16."""
    return np.dtype(name if name != "bfloat16" else bfloat16 or np.float16)


def painted(p):
    """(result size, cut) of the transposed convolution of ih x iw, or None."""
    result, cut = [], []
    for axis, image in enumerate((p["ih"], p["iw"])):
        k, s, d = (p["kh"], p["kw"])[axis], p["stride"][axis], p["dilation"][axis]
        more = p["output_padding"][axis]
        before, behind = both_sides(p, axis, image * s)
        if not 0 <= more < max(s, d):
            return None
        if p["padding"] in ("same", "same_lower"):
            if more:
                return None
            size = image * s
        else:
            size = (image - 1) * s + d * (k - 1) + 1 + more - before - behind
        if size < 1:
            return None
        result.append(size)
        cut.append(before)
    return tuple(result), tuple(cut)


def legal(p):
    """Whether the documentation admits the problem."""
    op = p["op"]
    if op == "explain_huge":
        return True
    if op == "conv_transpose2d":
        return p["mode"] == "zeros" and painted(p) is not None
    g = geometry(p)
    if g is None:
        return False
    if op == "partial_conv2d":
        return g.size == (p["ih"], p["iw"]) and g.stride == (1, 1)
    if op == "factorize" and p["rank"] is not None:
        one = p["icg"] == 1
        most = min(p["icg"] * p["kh"], p["kw"] if one else p["ocg"] * p["kw"])
        return 1 <= p["rank"] <= most
    return True


def images(p):
    n = 1
    for size in p["lead"]:
        n *= size
    return n


def multiplications(p):
    """About as many as the reference does."""
    if p["op"] == "conv_transpose2d":
        pixels = p["ih"] * p["iw"]
    else:
        g = geometry(p)
        pixels = 1 if g is None else g.size[0] * g.size[1]
    channels = p["groups"] * p["icg"] * p["ocg"]
    more = p["groups"] * p["multiplier"] * p["filters"] if p["op"] == "separable_conv2d" else 0
    return max(1, images(p)) * pixels * (channels * p["kh"] * p["kw"] + more + p["extra"])


def _one_or_two(r, choices):
    a = r.choice(choices)
    return [a, a] if r.random() < 0.7 else [a, r.choice(choices)]


def _padding(r, op):
    kind = r.random()
    if kind < 0.35:
        return r.choice(("same", "same", "same_lower", "valid", "full"))
    if kind < 0.75:
        return r.choice((0, 1, 1, 1, 2, 3, 4, 5))
    if op.startswith("conv1d") or kind < 0.85:
        return [r.randrange(5), r.randrange(5)]
    return [[r.randrange(5), r.randrange(5)], [r.randrange(5), r.randrange(5)]]


def _activation(r):
    return r.choice((None, None, None, "relu", "relu6", ["clip", -1.5, 2.0], ["clip", 0.5, 3.0]))


def _border(r):
    if r.random() < 0.5:
        return "zeros"
    words = ("reflect", "replicate", "circular", "symmetric")
    return ["constant", r.choice((1, 3, 100))] if r.random() < 0.2 else r.choice(words)


def _elements(r, p):
    if r.random() < 0.4:
        p["x_dtype"] = r.choice(ELEMENTS)
    if r.random() < 0.3:
        p["out_dtype"] = r.choice(ELEMENTS)


def _huge(r):
    return r.choice((1, 2, 3, 2 ** r.randrange(1, 62), 2 ** r.randrange(1, 62) - 1, r.randrange(1, 1 << 20)))


def draw_huge(r):
    """Sizes of any magnitude, of which only an explanation can be asked."""
    p = {"op": "explain_huge", "seed": r.getrandbits(31), "lead": [_huge(r) for _ in range(r.randrange(3))]}
    for key in ("groups", "icg", "ocg", "ih", "iw", "kh", "kw"):
        p[key] = _huge(r) if r.random() < 0.4 else r.randrange(1, 20)
    p["stride"], p["dilation"] = ([_huge(r) if r.random() < 0.3 else 1 for _ in "hw"] for _ in range(2))
    p["padding"] = [[_huge(r) if r.random() < 0.2 else r.randrange(3) for _ in "ab"] for _ in "hw"]
    if r.random() < 0.3:
        p["padding"] = r.choice(("same", "full", "same_lower"))
    p["mode"] = _border(r)
    p["layout"], p["dtype"] = r.choice(("NCHW", "NHWC")), r.choice(("float32", "float64", "float16"))
    _elements(r, p)
    p["threads"] = r.choice((None, 1, 2, 3, 64, 70000, 1 << 40))
    p["accuracy"] = r.choice(("strict", "standard", "fast"))
    p["budget"] = r.choice((None, None, 0, _huge(r)))
    return PLAIN | p


def draw(seed, number, algorithms, isas, fixed=None):
    """Problem `number` of a run: legal, of a size that its class can afford. `fixed` sets keys."""
    r = random.Random(f"{seed}:{number}")
    operators, weights = zip(*OPERATORS.items(), strict=True)
    while True:
        op = (fixed or {}).get("op") or r.choices(operators, weights)[0]
        p = draw_huge(r) if op == "explain_huge" else _draw(r, op, algorithms)
        p["isa"] = r.choice(isas)
        if fixed:
            p.update(fixed)
        if legal(p):
            return p


def _draw(r, op, algorithms):
    p = dict(PLAIN, op=op, seed=r.getrandbits(31))
    scale = r.choices(tuple(MOST), (88, 10, 2))[0]
    top = {"tiny": 6, "middle": 40, "large": 70}[scale]
    p["lead"] = r.choice(([1], [1], [2], [3], [], [2, 2], [1, 1, 2], [0], [5]))
    p["groups"] = r.choice((1, 1, 1, 1, 2, 3))
    p["icg"], p["ocg"] = r.randint(1, top), r.randint(1, top)
    if r.random() < 0.15:
        p["groups"], p["icg"], p["ocg"] = r.randint(2, top + 2), 1, r.choice((1, 1, 2))
    p["kh"], p["kw"] = r.choice(
        [(1, 1), (3, 3), (3, 3), (3, 3), (2, 2), (4, 4), (5, 5), (7, 7), (1, 3), (3, 1), (1, 7), (7, 1),
         (r.randint(1, 6), r.randint(1, 6)), (r.randint(1, 6), r.randint(1, 6)),
         (r.randint(1, 15), r.randint(1, 15))]
    )  # fmt: skip
    if scale == "large" and r.random() < 0.3:
        p["kh"], p["kw"] = r.randint(1, 40), r.randint(1, 40)
    p["stride"] = [1, 1] if r.random() < 0.6 else _one_or_two(r, (1, 2, 2, 3, 4))
    p["dilation"] = [1, 1] if r.random() < 0.75 else _one_or_two(r, (1, 2, 3))
    p["padding"] = _padding(r, op)
    p["mode"] = _border(r)
    p["layout"] = r.choice(("NCHW", "NHWC"))
    p["dtype"] = r.choice(("float32", "float32", "float32", "float64", "float64", "float16"))
    _elements(r, p)
    p["activation"] = _activation(r)
    p["bias"], p["residual"] = r.random() < 0.4, r.random() < 0.3
    p["algorithm"] = r.choice(algorithms) if r.random() < 0.7 else "auto"
    p["accuracy"] = r.choice(("strict", "standard", "fast", "fast"))
    p["budget"] = r.choice(
        (None, None, None, None, None, "zero", "just", "just", "less", r.randrange(1 << 17))
    )
    p["threads"] = r.choice((1, 1, 1, 2, 3))
    p["out"] = r.choice((None, "plain", "plain", "gap"))
    p["workspace"] = r.choice((None, "exact", "exact", "more"))
    if r.random() < 0.4:
        p["x_form"] = _form(r)
    if r.random() < 0.3:
        p["w_form"] = _form(r)
    p["data"] = r.choice(
        ("normal", "normal", "normal", "integers", "integers", "integers", "positive", "sparse", "single",
         "constant", "shifted", "zerosum", "denormal", "large", "nan", "inf", "nan_weight")
    )  # fmt: skip
    p["at_end"] = r.random() < 0.6
    p["via"] = r.choice(("call", "plan", "c"))
    _adapt(r, p, top)

    # The least image that the kernel admits, and some more.
    more = {"tiny": 14, "middle": 40, "large": 70}[scale]
    for axis, key in enumerate(("ih", "iw")):
        p[key] = r.randint(1, 4) if r.random() < 0.3 else r.randint(1, more)
        if op.startswith("conv1d"):
            p[key] = 1 if key == "ih" else p[key] * r.choice((1, 3))
        while op != "conv_transpose2d":
            p["iw" if axis == 0 else "ih"] = max(p["iw" if axis == 0 else "ih"], 1)
            if _fits(p, axis):
                break
            p[key] += 1
    _afford(p, MOST[scale])
    return p


def _form(r):
    from .arrays import FORMS

    return r.choice(FORMS)


def _fits(p, axis):
    image = (p["ih"], p["iw"])[axis]
    before, behind = both_sides(p, axis, image)
    extent = ((p["kh"], p["kw"])[axis] - 1) * p["dilation"][axis] + 1
    return image + before + behind >= extent


def _adapt(r, p, top):
    """What an operator cannot have becomes plain; what only it has is drawn."""
    op = p["op"]
    if op not in ("conv2d", "conv1d"):
        p["via"] = "call"
    if op == "conv2d" and p["via"] == "c" and p["dtype"] == "float16":
        p["via"] = "plan"
    if op.startswith("conv1d"):
        p["kh"], p["stride"][0], p["dilation"][0], p["via"] = 1, 1, 1, "call"
        p["kw"] = r.choice((1, 2, 3, 5, 9, r.randint(1, 60)))
        p["stride"], p["dilation"] = [1, p["stride"][1]], [1, p["dilation"][1]]
    elif op == "depthwise_conv2d":
        p["groups"], p["icg"], p["ocg"] = r.randint(1, top + 2), 1, r.choice((1, 1, 1, 2, 3))
    elif op == "pointwise_conv2d":
        p["kh"] = p["kw"] = 1
        p["matrix"] = r.random() < 0.5
    elif op == "partial_conv2d":
        p["ocg"], p["stride"], p["extra"] = p["icg"], [1, 1], r.randint(0, 4)
        p["padding"], p["residual"], p["workspace"] = r.choice(("same", "same_lower")), False, None
        if p["out"] == "plain" and r.random() < 0.3:
            p["out"] = "x"
        # What passes through keeps its bits; so that x is the same for the formulas, none is float64 alone.
        p["x_dtype"] = None if p["x_dtype"] == "float64" else p["x_dtype"]
        p["out_dtype"] = None
    elif op == "separable_conv2d":
        p["groups"], p["icg"], p["multiplier"] = r.randint(1, top + 2), 1, r.choice((1, 1, 1, 2))
        p["ocg"], p["filters"] = p["multiplier"], r.randint(1, top + 4)
        p["inner_activation"], p["inner_bias"] = _activation(r), r.random() < 0.5
        p["via"], p["algorithm"] = r.choice(("call", "plan")), "auto"
    elif op == "conv_transpose2d":
        p["mode"], p["residual"], p["via"] = "zeros", False, r.choice(("call", "plan"))
        most = [max(s, d) for s, d in zip(p["stride"], p["dilation"], strict=True)]
        p["output_padding"] = [r.randrange(m) if r.random() < 0.5 else 0 for m in most]
        if p["padding"] in ("same", "same_lower"):
            p["output_padding"] = [0, 0]
    elif op == "factorize":
        p["algorithm"], p["via"], p["w_form"] = "auto", "plan", "plain"
        if p["data"] in ("nan_weight", "large"):
            p["data"] = "normal"
        most = min(p["icg"] * p["kh"], p["kw"] if p["icg"] == 1 else p["ocg"] * p["kw"])
        p["rank"] = None if r.random() < 0.5 else r.randint(1, most)
    elif op == "explain":
        p["algorithm"], p["activation"] = "auto", None
    if "_backward_" in op:
        p["residual"], p["bias"], p["activation"] = False, False, None
        p["x_dtype"] = p["out_dtype"] = None
        if op in ("conv2d_backward_input", "conv2d_backward_weight"):
            p["via"] = r.choice(("call", "plan"))
        else:
            p["budget"], p["workspace"] = None, None
        if op.endswith("weight"):
            p["algorithm"] = r.choice(("auto", "auto", "winograd_f4k3", "winograd_f2k3", "winograd_f2k5"))
        if op.endswith("bias") and p["data"] == "large":  # whose partial sums leave the range
            p["data"] = "normal"
    if p["algorithm"] != "auto" and p["accuracy"] != "fast" and r.random() < 0.8:
        p["accuracy"] = "fast"  # else most names would only be refused


def _afford(p, most):
    """Halve what only repeats until the problem is affordable; kernel and image stay."""
    for key in (
        "lead",
        "ocg",
        "icg",
        "filters",
        "groups",
        "lead",
        "ocg",
        "icg",
        "groups",
        "ih",
        "iw",
        "kh",
        "kw",
    ):
        while multiplications(p) > most:
            if key == "lead":
                if images(p) < 2:
                    break
                p["lead"] = [1] * len(p["lead"])
            elif p[key] == 1 or (key in ("ih", "iw") and not _smaller_image_fits(p, key)):
                break
            else:
                p[key] = max(1, p[key] // 2)
        if p["op"] == "partial_conv2d":
            p["ocg"] = p["icg"]


def _smaller_image_fits(p, key):
    q = dict(p)
    q[key] = max(1, p[key] // 2)
    return legal(q)
