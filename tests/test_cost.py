# SPDX-License-Identifier: BSD-3-Clause
"""The closed formulas against hand-counted numbers and against what plans and `explain` say."""

import doctest

import numpy as np
import pytest

import pyconv
from pyconv import cost

# h, w, cin, cout, k: primes, so that no factor can stand for another.
H, W, CIN, COUT, K = 11, 13, 5, 7, 3


def test_standard():
    each = cost.standard(H, W, CIN, COUT, K)
    assert each.multiplications == 11 * 13 * 7 * 9 * 5
    assert each.memory_accesses == 11 * 13 * (5 + 7) + 9 * 5 * 7
    assert each.parameters == 9 * 5 * 7


def test_depthwise_separable():
    each = cost.depthwise_separable(H, W, CIN, COUT, K)
    assert each.multiplications == 11 * 13 * 5 * 9 + 11 * 13 * 5 * 7
    assert each.memory_accesses == 2 * 11 * 13 * 5 + 5 * 9 + 5 * 7 + 11 * 13 * (5 + 7)
    assert each.parameters == 5 * 9 + 5 * 7


def test_partial():
    each = cost.partial(H, W, 3, 5)
    assert each.multiplications == 11 * 13 * 9 * 25
    assert each.memory_accesses == 2 * 11 * 13 * 3 + 25 * 9
    assert each.parameters == 25 * 9


def test_formulas_agree_with_plans():
    x, padding = (1, CIN, H, W), K // 2

    def plan(cin, cout, k, **keywords):
        return pyconv.plan((1, cin, H, W), np.ones((cout, cin // keywords.get("groups", 1), k, k), "f4"),
                           padding=k // 2, algorithm="direct", **keywords).multiplications  # fmt: skip

    assert cost.standard(H, W, CIN, COUT, K).multiplications == plan(CIN, COUT, K)
    separable = plan(CIN, CIN, K, groups=CIN) + plan(CIN, COUT, 1)
    assert cost.depthwise_separable(H, W, CIN, COUT, K).multiplications == separable
    report = pyconv.explain(x, (COUT, CIN, K, K), padding=padding)
    direct = next(row for row in report.rows if row["algorithm"] == "direct")
    assert direct["traffic_bytes"] == 4 * cost.standard(H, W, CIN, COUT, K).memory_accesses


def test_costs_add():
    assert cost.Cost(1, 2, 3) + cost.Cost(10, 20, 30) == cost.Cost(11, 22, 33)


@pytest.mark.parametrize("k", [3, 5, 7, 11])
def test_replacements_see_as_far(k):
    stacks = cost.replacements(k, 8, 20, 30)
    assert len(stacks) == 4
    assert {each.receptive_field for each in stacks.values()} == {(k, k)}
    assert stacks[f"one {k}x{k}"].parameters == k * k * 64
    assert stacks[f"{k // 2} of 3x3"].parameters == k // 2 * 9 * 64
    assert stacks[f"{k}x1 and 1x{k}"].parameters == 2 * k * 64
    assert stacks[f"1x1, {k}x{k}, 1x1"].parameters == 2 * 8 * 2 + k * k * 4
    for each in stacks.values():
        assert each.multiplications == 20 * 30 * each.parameters
        assert each.operations == 2 * each.multiplications


def receptive_field(layers, size):
    """Extent of the input that reaches the middle output, by convolving a NaN in every row and column."""
    x = np.zeros((1, 1, size, size), np.float32)
    reached = []
    for axis in (2, 3):
        hits = []
        for at in range(size):
            x[:] = 0
            x[(0, 0, at, slice(None)) if axis == 2 else (0, 0, slice(None), at)] = np.nan
            y = x
            for layer in layers:
                k, s, d = (cost._pair(v) for v in (layer.kernel, layer.stride, layer.dilation))
                y = pyconv.conv2d(
                    y, np.ones((1, 1, *k), np.float32), stride=s, dilation=d, algorithm="direct"
                )
            if np.isnan(y[0, 0, y.shape[2] // 2, y.shape[3] // 2]):
                hits.append(at)
        reached.append(hits[-1] - hits[0] + 1)
    return tuple(reached)


@pytest.mark.parametrize(
    "layers",
    [
        [cost.Layer(3, 1, 1), cost.Layer(3, 1, 1)],
        [cost.Layer(3, 1, 1, stride=2), cost.Layer((1, 5), 1, 1), cost.Layer((3, 1), 1, 1)],
        [cost.Layer((5, 3), 1, 1, stride=(1, 2), dilation=(2, 1)), cost.Layer(2, 1, 1, dilation=3)],
    ],
)
def test_receptive_field_is_what_a_nan_shows(layers):
    assert cost.stack(layers).receptive_field == receptive_field(layers, 33)


def test_stack_counts_strides_and_groups():
    each = cost.stack([(3, 4, 8, 2), ((1, 5), 8, 8, (2, 1), 1, 4)], 9, 11)
    first, second = 5 * 6 * 9 * 4 * 8, 3 * 6 * 5 * 8 * 8 // 4
    assert each.multiplications == first + second
    assert each.parameters == 9 * 4 * 8 + 5 * 8 * 8 // 4
    moved = 9 * 11 * 4 + 5 * 6 * 8 + 5 * 6 * 8 + 3 * 6 * 8
    assert each.memory_accesses == moved + each.parameters


def test_stack_of_one_is_standard():
    each = cost.stack([(K, CIN, COUT)], H, W)
    assert cost.Cost(each.multiplications, each.memory_accesses, each.parameters) == cost.standard(
        H, W, CIN, COUT, K
    )


@pytest.mark.parametrize(("m", "r", "saving"), [(2, 3, 2.25), (4, 3, 4), (6, 3, 5.0625), (2, 5, 100 / 36)])
def test_winograd_saves(m, r, saving):
    assert cost.winograd(m, r).saving == pytest.approx(saving)


def test_winograd_agrees_with_plans():
    for m in (2, 4, 6):
        each = cost.winograd(m, 3, 15, 18, 16, 12)
        plan = pyconv.plan((1, 16, 17, 20), np.ones((12, 16, 3, 3), "f4"),
                           algorithm=f"winograd_f{m}k3", accuracy="fast")  # fmt: skip
        assert each.multiplications == plan.multiplications
        assert each.direct_multiplications == 15 * 18 * 9 * 16 * 12
        assert each.tile == m + 2 and each.parameters == (m + 2) ** 2 * 192
        assert each.buffers == each.multiplications // 192 * 28
    assert cost.winograd(4, 3, 14, 14, 1, 128).multiplications == 73_728


def test_buffers_agree_with_workspaces():
    sizes = cost.buffers(17, 19, 6, 4, 3, 5, n=2, stride=(2, 1), padding=(1, 0), dilation=(1, 2))
    rows = pyconv.explain((2, 6, 17, 19), (4, 6, 3, 5), stride=(2, 1), padding=(1, 0), dilation=(1, 2)).rows
    workspaces = {row["algorithm"]: row["workspace_bytes"] for row in rows}
    for name in ("direct", "im2col", "im2row", "mec", "kn2row", "kn2col"):
        assert 4 * sizes[name] == workspaces[name], name
    assert sizes["indirect"] * 6 == sizes["im2col"]
    assert sizes["kn2row_acc"] * 15 == sizes["kn2row"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cost.standard(0, 1, 1, 1, 1), "h must be positive, is 0"),
        (lambda: cost.winograd(4, 3, cin=-1), "cin must be positive, is -1"),
        (lambda: cost.stack([]), "at least one layer"),
        (lambda: cost.stack([(3, 4, 8), (3, 4, 8)]), "8 filters is followed by one of 4 channels"),
        (lambda: cost.Layer(3, 4, 6, groups=4), "groups=4 must divide cin=4 and cout=6"),
        (lambda: cost.replacements(4, 8), "k must be odd"),
        (lambda: cost.replacements(3, 6), "multiple of 4"),
        (lambda: cost.buffers(2, 9, 1, 1, 3, 3), "3x3 kernel is larger than the 2x9 image"),
    ],
)
def test_bad_sizes_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("size", [8.5, 8.0, "8", None])
def test_sizes_are_ints(size):
    with pytest.raises(TypeError, match=r"w must be .*int"):
        cost.standard(8, size, 4, 4, 3)


def test_examples_in_docstrings():
    results = doctest.testmod(cost)
    assert results.attempted > 5 and results.failed == 0
