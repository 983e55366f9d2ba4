# SPDX-License-Identifier: BSD-3-Clause
"""The smallest problem that still fails in the same way: key by key towards the plain."""

import time

from .problems import PLAIN, legal

ORDER = (
    "lead", "x_form", "w_form", "residual", "activation", "bias", "inner_bias", "inner_activation",
    "budget", "workspace", "out", "threads", "mode", "dilation", "stride", "padding", "output_padding",
    "groups", "ocg", "icg", "filters", "extra", "kh", "kw", "ih", "iw", "data", "via", "out_dtype", "x_dtype",
    "dtype", "layout",
    "rank", "at_end", "isa", "algorithm", "accuracy", "seed",
)  # fmt: skip


def _simpler(key, value):
    """Values to try instead, the plainest first."""
    plain = PLAIN[key]
    if value == plain:
        return
    yield plain
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if isinstance(value, int):
        for smaller in (value // 2, value - 1):
            if smaller >= 0 and smaller != plain and smaller != value:
                yield smaller
    elif isinstance(value, list) and all(isinstance(v, int) for v in value):
        for i, v in enumerate(value):
            for smaller in (v // 2, v - 1):
                if smaller >= 0:
                    yield [*value[:i], smaller, *value[i + 1 :]]
    elif isinstance(value, list) and all(isinstance(v, list) for v in value):
        for i, pair in enumerate(value):
            for j, v in enumerate(pair):
                if v:
                    changed = [list(each) for each in value]
                    changed[i][j] = v // 2
                    yield changed


def shrink(problem, fails, seconds=30):
    """`fails(problem)` gives the kind of its failure or None; the kind of the first is kept."""
    kind, end = fails(problem), time.monotonic() + seconds
    if kind is None:
        return problem
    helped = True
    while helped:
        helped = False
        for key in ORDER:
            for value in _simpler(key, problem[key]):
                if time.monotonic() > end:
                    return problem
                candidate = dict(problem, **{key: value})
                if candidate["op"] == "depthwise_conv2d":
                    candidate["icg"] = 1
                if candidate["op"] == "partial_conv2d":
                    candidate["ocg"] = candidate["icg"]
                if _sound(candidate) and fails(candidate) == kind:
                    problem, helped = candidate, True
                    break
    return problem


def _sound(p):
    sizes = ("groups", "icg", "ocg", "kh", "kw", "filters")
    return (
        min(p[key] for key in sizes) >= 1
        and min(p["stride"] + p["dilation"]) >= 1
        and (p["op"] == "explain_huge" or p["lead"] is not None)
        and legal(p)
    )
