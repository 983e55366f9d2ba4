# SPDX-License-Identifier: BSD-3-Clause
"""What the gradients of a convolution would cost, in rows as those of the convolution itself."""

import math
from collections import defaultdict
from itertools import product

import numpy as np

from .. import _kernels
from .._kernels import LAYOUTS, bordered, explain_rows
from .composed import aligned_bytes
from .folded import APART
from .phases import FEW_FILTERS, phases

SUMS = "multiplications", "traffic_bytes", "predicted_seconds", "packed_bytes"


def _outputs(phase, padding, size):
    return size + sum(padding) - (phase.length - 1) * phase.dilation


def _convolutions(forward):
    """
    The convolutions that a `TransposedPlan` of dy is made of, without their budget, and the bytes of the
    largest result that has yet to be spread.
    """
    nchw, groups, (filters, ocg, *kernel) = (
        forward.layout == LAYOUTS["NCHW"],
        forward.groups,
        forward.weight_shape,
    )
    lines = slice(-2, None) if nchw else slice(-3, -1)
    size = forward.y_shape[lines]
    axes = [
        phases(*axis)
        for axis in zip(
            size,
            forward.x_shape[lines],
            kernel,
            forward.stride,
            forward.dilation,
            forward.padding[::2],
            strict=True,
        )
    ]
    shared = defaultdict(list)
    for rows, columns in product(*axes):
        alike = (rows.length, columns.length) if ocg <= FEW_FILTERS else (rows.first, columns.first)
        shared[alike].append((rows, columns))
    problems, result = [], 0
    for parts in shared.values():
        padding = [
            (max(0, *(part[i].before for part in parts)), max(0, *(part[i].after for part in parts)))
            for i in (0, 1)
        ]
        channels = groups * len(parts) * ocg
        outputs = [_outputs(*axis) for axis in zip(parts[0], padding, size, strict=True)]
        result = max(result, aligned_bytes((*forward.y_shape[:-3], channels, *outputs), forward.out_dtype))
        problems.append(
            forward.derive(
                x_shape=forward.y_shape,
                weight_shape=(channels, filters // groups, *(axis.length for axis in parts[0])),
                stride=(1, 1),
                padding=(*padding[0], *padding[1]),
                dilation=tuple(axis.dilation for axis in parts[0]),
                max_workspace=None,
                x="dy",
            )
        )
    direct = forward.stride == (1, 1) and all(
        axis.before >= 0 and axis.after >= 0 for parts in shared.values() for axis in parts[0]
    )
    return problems, 0 if direct else result


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
        inner = np.dtype(np.float64 if forward.weight_dtype == np.float64 else np.float32)
        own = aligned_bytes(wide.x_shape, inner)
        if inner != forward.out_dtype:
            own += aligned_bytes(forward.x_shape, inner)
        budget, forward = forward.max_workspace, wide.derive(out_dtype=inner)
    else:
        budget, forward = forward.max_workspace, forward.derive(padding_mode=APART[0], border=0.0)
    problems, result = _convolutions(forward)
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
    if budget is not None and budget < own + result:
        _refused(
            rows,
            f"it needs {own + result} bytes of workspace for what is spread, max_workspace allows {budget}",
        )
        return rows, set(), 1
    return rows, {chosen for _, chosen, _ in found}, max(threads for _, _, threads in found)


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
