# SPDX-License-Identifier: BSD-3-Clause
"""Descriptors at the ends of every range: served or refused, soon, with sizes that haven't wrapped.

Nothing is allocated: `explain` and plans of few weights only plan. In a build with PYCONV_SANITIZE=undefined
``python tests/test_extremes.py 200000 1`` tries as many under the sanitizer; see CONTRIBUTING.
"""

import contextlib
import ctypes
import math
import random
import sys
import time

import c_api
import numpy as np
import pytest

import pyconv

LARGEST = 2**63 - 1
THREADS = (None, 1, 1, 2, 2, 3, 7, 64, 1000, 65535, 2**31 - 1, 2**40)
BOUNDS = (None, None, None, 0, 1, 2**20, 2**40, 2**62, 2**63 - 1, 2**70)


def near(rng, bits):
    """A power of two or a neighbour, of at most so many bits."""
    return max(1, (1 << rng.randint(0, max(bits, 0))) + rng.choice((-1, 0, 0, 0, 1)))


def shares(rng, bits, count):
    """So many bits dealt to `count` sizes, few to most of them."""
    cuts = sorted(rng.choice((0, bits, rng.randint(0, bits))) for _ in range(count - 1))
    return [b - a for a, b in zip([0, *cuts], [*cuts, bits], strict=True)]


def axis(rng, size, bits):
    """kernel, stride, dilation, padding of an axis; mostly such that something is left."""
    pads = [rng.choice((0, 0, 0, 0, 0, 1, 1, 2, near(rng, 3), near(rng, 40))) for _ in range(2)]
    padded = size + sum(pads)
    kernel = min(near(rng, bits), rng.choice((padded, padded, padded, padded, 2**40)))
    room = (padded - 1) // max(kernel - 1, 1)
    dilation = rng.choice((1, 1, 1, 1, max(room, 1), max(room - 1, 1), min(2, room) or 1, near(rng, 40)))
    stride = rng.choice((1, 1, 1, 2, 3, padded, near(rng, 40)))
    return kernel, stride, dilation, pads


def descriptor(rng):
    """Arguments of `explain`: whole arrays near some number of bits, mostly legal."""
    image = rng.choice((4, 10, 20, 30, rng.randint(0, 49), 45, 47, 48, 49, 50))
    n, g, icg, ih, iw = (near(rng, b) if rng.random() < 0.3 else 1 << b for b in shares(rng, image, 5))
    if rng.random() < 0.1:
        n = 0
    weights = rng.choice((2, 4, 8, rng.randint(0, 49), 47, 48, 50))
    ocg_bits, kh_bits, kw_bits = shares(rng, weights, 3)
    ocg = near(rng, ocg_bits)
    kh, sh, dh, ph = axis(rng, ih, kh_bits)
    kw, sw, dw, pw = axis(rng, iw, kw_bits)
    layout = rng.choice(("NCHW", "NHWC"))
    x = (n, g * icg, ih, iw) if layout == "NCHW" else (n, ih, iw, g * icg)
    return {
        "x_shape": x,
        "weight_shape": (g * ocg, icg, kh, kw),
        "stride": (sh, sw),
        "padding": (tuple(ph), tuple(pw)),
        "dilation": (dh, dw),
        "groups": g,
        "layout": layout,
        "padding_mode": rng.choice(
            (*["zeros"] * 6, "reflect", "replicate", "circular", "symmetric", ("constant", 1))
        ),
        "dtype": rng.choice(("float32", "float32", "float64", "float16", "uint8", "int16")),
        "out_dtype": rng.choice((None, None, None, "uint8", "float16", "float64")),
        "accuracy": rng.choice(("strict", "standard", "fast")),
        "threads": rng.choice(THREADS),
        "max_workspace": rng.choice(BOUNDS),
    }


def outputs(d):
    sizes = d["x_shape"][2:] if d["layout"] == "NCHW" else d["x_shape"][1:3]
    return [
        (size + sum(pads) - dilation * (kernel - 1) - 1) // stride + 1
        for size, pads, dilation, kernel, stride in zip(
            sizes, d["padding"], d["dilation"], d["weight_shape"][2:], d["stride"], strict=True
        )
    ]


def exact_workspaces(d):
    """Of the algorithms whose formula the README states, without a limit of 64 bits."""
    oc, icg, kh, kw = d["weight_shape"]
    n = d["x_shape"][0]
    ih, iw = d["x_shape"][2:] if d["layout"] == "NCHW" else d["x_shape"][1:3]
    oh, ow = outputs(d)
    size = np.dtype(d["dtype"]).itemsize
    patches = kh * kw * icg * oh * ow * size
    products = kh * kw * (oc // d["groups"]) * ih * iw * size
    # Where the padded image is one pixel wide, any stride is 1.
    steps = [min(s, i + sum(p)) for s, i, p in zip(d["stride"], (ih, iw), d["padding"], strict=True)]
    in_place = kh * kw == 1 and steps == [1, 1] and (oh, ow) == (ih, iw)
    return {
        "im2col": 0 if in_place and d["layout"] == "NCHW" else patches,
        "im2row": 0 if in_place and d["layout"] == "NHWC" else patches,
        "kn2row": products,
        "kn2col": products,
        "mec": n * ow * ih * kw * icg * size,
    }


def in_place(d):
    """Whether algorithms read x and write y where they are, not piece by piece through buffers."""
    plain = d["padding_mode"] == "zeros" and d["dtype"] in ("float32", "float64") and d["out_dtype"] is None
    return plain and (d["layout"] == "NCHW" or d["x_shape"][3] > 8)


def check_rows(d, rows):
    exact = exact_workspaces(d) if in_place(d) else {}
    multiplications = math.prod((d["x_shape"][0], *d["weight_shape"], *outputs(d)))
    for row in rows:
        name = row["algorithm"]
        if row["predicted_seconds"] is not None:
            assert math.isfinite(row["predicted_seconds"]) and row["predicted_seconds"] >= 0, row
            assert row["traffic_bytes"] >= 0 and row["multiplications"] >= 0, row
        if row["workspace_bytes"] is not None and name in exact:
            assert row["workspace_bytes"] == min(exact[name], LARGEST), row
        if row["eligible"]:
            assert 0 <= row["workspace_bytes"] + row["packed_bytes"] < LARGEST, row
        if name == "im2col":  # its only form serves, or nothing is counted
            assert (row["multiplications"] is None) == (row["workspace_bytes"] is None), row
        if name == "direct" or (name == "im2col" and row["multiplications"] is not None):
            if name == "direct" or in_place(d):
                assert math.isclose(row["multiplications"], multiplications, rel_tol=1e-12), row
            else:  # neighbouring pieces share outputs
                assert row["multiplications"] >= multiplications * (1 - 1e-12), row


def check_plans(d):
    """What takes weights takes few, so that little is packed; nothing is run."""
    x_shape, w_shape = d["x_shape"], d["weight_shape"]
    dtype = d["dtype"] if d["dtype"].startswith("float") else "float32"
    geometry = {name: d[name] for name in ("stride", "padding", "dilation", "groups", "layout")}
    bounds = {name: d[name] for name in ("threads", "max_workspace")}
    gradient = pyconv.plan_conv2d_backward_weight(x_shape, w_shape, dtype=dtype, **geometry, **bounds)
    assert gradient.multiplications == math.prod((x_shape[0], *w_shape, *outputs(d)))
    assert 0 <= gradient.workspace_bytes <= LARGEST
    if math.prod(w_shape) <= 64:
        weight = np.zeros(w_shape, dtype)
        modes = {name: d[name] for name in ("padding_mode", "accuracy", "dtype", "out_dtype")}
        plan = pyconv.plan(x_shape, weight, **geometry, **bounds, **modes)
        assert 0 <= plan.workspace_bytes < LARGEST and plan.multiplications >= 0
        assert plan.algorithm in str(plan)


def check_c_api(d, rng):
    """The message about an algorithm that can't serve plans it first, for any number of threads."""
    oc, icg, kh, kw = d["weight_shape"]
    (ph0, ph1), (pw0, pw1) = d["padding"]
    ih, iw = d["x_shape"][2:] if d["layout"] == "NCHW" else d["x_shape"][1:3]
    fields = {
        "dtype": rng.randrange(3), "layout": rng.randrange(2), "padding_mode": rng.randrange(6),
        "x_dtype": rng.randrange(-1, 8), "y_dtype": rng.randrange(-1, 8),
        "border": rng.choice((0, 1, 255, -7.5)),
        "threads": rng.choice((0, 1, 2, 64, 2**31 - 1)),
        "n": d["x_shape"][0], "g": d["groups"], "ic": icg * d["groups"], "ih": ih, "iw": iw,
        "oc": oc, "icg": icg, "kh": kh, "kw": kw, "sh": d["stride"][0], "sw": d["stride"][1],
        "dh": d["dilation"][0], "dw": d["dilation"][1], "ph0": ph0, "ph1": ph1, "pw0": pw0, "pw1": pw1,
    }  # fmt: skip
    wild = c_api.Conv2d(
        **{name: value & (2**63 - 1) if name in c_api.SIZES else value for name, value in fields.items()}
    )
    wild.algorithm = rng.randrange(-1, len(pyconv.algorithms()))
    if rng.random() < 0.1:
        setattr(wild, rng.choice(c_api.SIZES), rng.choice((0, -1, 2**63 - 1, -(2**63), 2**40, 2**62)))
    text = ctypes.create_string_buffer(1000)
    status = c_api.C["PYCONV_STATUS_UNSUPPORTED"]
    assert c_api.status_message(status, ctypes.addressof(wild), text, len(text)) == len(text.value)


def attempt(rng):
    """(the descriptor, seconds to explain it, whether it was legal) after all checks."""
    d = descriptor(rng)
    check_c_api(d, rng)
    start = time.perf_counter()
    try:
        report = pyconv.explain(**d)
    except ValueError as error:
        assert any(digit.isdigit() for digit in str(error)), "a refusal names the numbers"
        return d, time.perf_counter() - start, False
    seconds = time.perf_counter() - start
    check_rows(d, report.rows)
    with contextlib.suppress(pyconv.UnsupportedError, MemoryError):
        check_plans(d)
    return d, seconds, True


def sweep(count, seed):
    """(the number that were legal, the slowest descriptor and its seconds)"""
    rng = random.Random(seed)
    legal, slowest, longest = 0, None, 0.0
    for _ in range(count):
        state = rng.getstate()
        try:
            d, seconds, served = attempt(rng)
        except BaseException:
            rng.setstate(state)
            print(descriptor(rng), file=sys.stderr)
            raise
        legal += served
        if seconds > longest:
            slowest, longest = d, seconds
    return legal, slowest, longest


@pytest.mark.parametrize("seed", range(4))
def test_any_descriptor_is_served_or_refused(seed):
    legal, _, _ = sweep(750, seed)
    assert legal > 250, "most of them must reach the cost models"


CASES = {
    "a band whose bytes wrap to 0": {
        "x_shape": (524288, 1, 12), "weight_shape": (1, 524288, 1, 3), "stride": (1, 549755813888)
    },
    "many threads": {
        "x_shape": (1, 2**20, 2**14, 2**14), "weight_shape": (2**20, 2**20, 1, 1), "threads": 70_000
    },
    "as many bands": {
        "x_shape": (1, 2**20, 2**20, 64), "weight_shape": (2**8, 64, 3, 3),
        "layout": "NHWC", "threads": 65_521,
    },
    "a kernel of many rows": {"x_shape": (1, 1, 2**39, 1), "weight_shape": (1, 1, 2**38, 1)},
    "steps without end": {
        "x_shape": (1, 2**20, 4, 4), "weight_shape": (3, 2**20, 1, 1),
        "stride": 2**40 - 1, "dilation": 2**40 - 1,
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_wrapped_or_took_seconds(case):
    report = pyconv.explain(**case)
    assert sum(row["chosen"] for row in report.rows) == 1


def test_products_beyond_int64_are_exact():
    n, c, k = 2**16, 2**12, 2**12
    sizes = (n, c, 2**10, 2**10), (k, c, 3, 3)
    plan = pyconv.plan_conv2d_backward_weight(*sizes, padding=1, accuracy="strict")
    assert plan.multiplications == n * c * k * 9 * 2**20 > LARGEST


if __name__ == "__main__":
    count, seed = (int(word) for word in [*sys.argv[1:], "1000", "0"][:2])
    begin = time.perf_counter()
    legal, slowest, longest = sweep(count, seed)
    print(f"{count} descriptors, {legal} legal, {time.perf_counter() - begin:.0f} s")
    print(f"the slowest took {longest * 1e3:.1f} ms: {slowest}")
