# SPDX-License-Identifier: BSD-3-Clause
"""What the gradients of a convolution would cost, in rows as those of the convolution itself."""

import math

from .. import _kernels
from .._kernels import ALGORITHM_NAMES, bordered, explain_rows
from .composed import aligned_bytes
from .folded import APART, fold_bytes
from .phases import cut_phases, describe, in_place, result_bytes
from .together import choose

SUMS = "multiplications", "traffic_bytes", "predicted_seconds", "packed_bytes"


def _no_work(name):
    """A row of a sum of nothing."""
    costs = dict.fromkeys((*SUMS, "workspace_bytes", "error_bound"), 0)
    more = {"source": "", "eligible": True, "reason": None, "accuracy": "strict", "nan_reach": "window"}
    return {"algorithm": name, **more, **costs}


def _held(problem, row, budget):
    """Bytes of weights that the plan keeps of one convolution: packed, or as they are where there is room."""
    if row["packed_bytes"] is None:
        return None
    held = row["packed_bytes"] or math.prod(problem.weight_shape) * problem.weight_dtype.itemsize
    return held if budget is None or row["workspace_bytes"] + held <= budget else 0


def _in_one_pass(forward, cut, own, budget, rows):
    """
    The names of what `auto` makes all phases by in one pass, or None; and in `rows`, by name, the costs of
    the algorithms that do so, where there is room.
    """
    inner, size, axes, shared = cut

    def described(parts):
        return describe(inner, forward.y_shape, parts, None, "dy")

    chosen = None
    for name in (None, *rows):
        index = -1 if name is None else ALGORITHM_NAMES.index(name)
        inner = cut[0].derive(algorithm=index)
        engine, alone = choose(inner, size, axes, False, described, shared.values())
        if engine is None:
            continue
        each = [
            next(
                row
                for row in explain_rows(described([(axes[0][i], axes[1][j])]))[0]
                if row["algorithm"] == by
            )
            for (i, j), (by, _) in alone.items()
        ]
        workspace = max([engine.workspace_bytes, *(row["workspace_bytes"] for row in each)])
        packed = engine.packed_bytes + sum(row["packed_bytes"] for row in each)
        if budget is not None and own + workspace + packed > budget:
            continue
        if name is None:
            chosen = {by for by, _ in alone.values()} | ({engine.algorithm} & set(rows))
            continue
        own_bytes = (
            sum(math.prod(shape) for shape in (forward.x_shape, forward.y_shape)) * forward.dtype.itemsize
        )
        rows[name] |= {
            "eligible": True,
            "reason": None,
            "workspace_bytes": own + workspace,
            "packed_bytes": packed,
            "multiplications": engine.multiplications + sum(row["multiplications"] for row in each),
            "traffic_bytes": own_bytes + packed,
            "predicted_seconds": engine.seconds + sum(row["predicted_seconds"] for row in each),
        }
    return chosen


def _refused(rows, reason):
    for row in rows:
        row["eligible"], row["reason"] = False, row["reason"] or reason


def input_gradient_rows(forward):
    """
    What the gradient of x would cost by every algorithm, in all of the convolutions that it is made of.

    Returns
    -------
    (list of dict, set of str, int)
        A row for each algorithm, those that `auto` takes, how many threads would serve.
    """
    own = 0
    if forward.padding_mode not in APART and (wide := bordered(forward)) is not None:
        inner, own = fold_bytes(forward)
        budget, forward = forward.max_workspace, wide.derive(out_dtype=inner)
    else:
        budget, forward = forward.max_workspace, forward.derive(padding_mode=APART[0], border=0.0)
    cut = cut_phases(forward, forward.y_shape)
    forward, size, _, shared = cut
    problems = [describe(forward, forward.y_shape, parts, None, "dy") for parts in shared.values()]
    results = [result_bytes(forward, forward.y_shape, size, parts) for parts in shared.values()]
    result = 0 if in_place(forward, shared) else max(results, default=0)
    left = None
    if budget is not None:
        left = max(0, budget - own - result) // max(len(problems), 1)
        problems = [each.derive(max_workspace=left) for each in problems]
    if not problems:
        return [_no_work("direct")], {"direct"}, 1
    found = [explain_rows(each) for each in problems]
    for each, (costs, _, _) in zip(problems, found, strict=True):
        for row in costs:
            row["packed_bytes"] = _held(each, row, left)
    rows = []
    for same in zip(*(rows for rows, _, _ in found), strict=True):
        row = dict(same[0])
        if all(each["workspace_bytes"] is not None for each in same):
            row |= {key: sum(each[key] for each in same) for key in SUMS}
            row["traffic_bytes"] += 2 * result
            row["workspace_bytes"] = own + result + max(each["workspace_bytes"] for each in same)
            row["error_bound"] = max(each["error_bound"] for each in same)
        else:
            row |= dict.fromkeys((*SUMS, "workspace_bytes", "error_bound"))
        row["eligible"] = all(each["eligible"] for each in same)
        row["reason"] = next((each["reason"] for each in same if each["reason"]), None)
        rows.append(row)
    chosen, threads = {chosen for _, chosen, _ in found}, max(threads for _, _, threads in found)
    if budget is not None and budget < own + result:
        _refused(
            rows,
            f"it needs {own + result} bytes of workspace for what is spread, max_workspace allows {budget}",
        )
        chosen, threads = set(), 1
    together = _in_one_pass(forward, cut, own, budget, {row["algorithm"]: row for row in rows})
    return rows, chosen if together is None else together, threads


def weight_gradient_rows(forward):
    """What the gradient of the weight would cost by every algorithm; as `input_gradient_rows`."""
    if 0 in forward.x_shape or 0 in forward.weight_shape:
        return [_no_work("implicit_gemm")], {"implicit_gemm"}, 1
    own, summed = 0, forward
    if bordered(forward) is not None:
        own = aligned_bytes(bordered(forward).x_shape, forward.dtype)
        summed = bordered(forward, own)
    rows, chosen, threads = _kernels.weight_gradient_rows(summed)
    for row in rows:
        if row["workspace_bytes"] is not None:
            row["workspace_bytes"] += own
    if forward.max_workspace is not None and forward.max_workspace < own:
        _refused(
            rows, f"it needs {own} bytes for x with its border, max_workspace allows {forward.max_workspace}"
        )
    eligible = {row["algorithm"] for row in rows if row["eligible"]}
    return rows, {chosen} & eligible, threads
