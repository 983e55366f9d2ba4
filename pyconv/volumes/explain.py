# SPDX-License-Identifier: BSD-3-Clause
"""The rows of `pyconv.explain` for volumes: those of what `VolumePlan` would run, as often as it would."""

import math

import numpy as np

from .._kernels import (
    ALGORITHM_NAMES,
    LAYOUTS,
    SLICED,
    UnsupportedError,
    VolumeDepthwise,
    explain_rows,
    explain_slices,
)
from .plans import flattened, image_problem, window_bytes

SCALED = ("multiplications", "traffic_bytes", "predicted_seconds")


def _scaled(row, count):
    return row | {key: None if row[key] is None else row[key] * count for key in SCALED}


def _depthwise(v, row, count):
    """By the kernels for depthwise volumes, or None where these don't serve."""
    plane = {"layout": LAYOUTS["NCHW"], "x_shape": (1, *v.size[1:])} if v.channels == 1 else {}
    problem = v.slice_problem(1, **plane)
    try:
        made = VolumeDepthwise(problem, v.numbers, np.zeros(v.weight_shape, v.flat.weight_dtype), None)
    except UnsupportedError:
        return None
    each = explain_rows(problem)[0][ALGORITHM_NAMES.index("depthwise")]
    facts = ("workspace_bytes", "packed_bytes", "multiplications")
    return _scaled(each, count * v.kernel[0]) | {name: getattr(made, name) for name in facts}


def _in_windows(v, row, count):
    """Slice by slice, of a row for what the bound leaves beside the windows; the plain loop needs none."""
    row, most, extra = _scaled(row, count), v.flat.max_workspace, window_bytes(v)
    if row["algorithm"] == "direct" or row["workspace_bytes"] is None:
        return row
    row["workspace_bytes"] += extra
    # Weights of channels-last windows are in another order than the caller's, who can't lend them.
    lent = most is not None and v.channels_last and row["packed_bytes"] == 0
    if most is not None and (extra > most or lent):
        held = row["workspace_bytes"] + (
            math.prod(v.weight_shape) * v.flat.weight_dtype.itemsize if lent else 0
        )
        reason = f"it needs {held} bytes of workspace and weights, max_workspace allows {most}"
        row |= {"eligible": False, "reason": reason}
    return row


def volume_rows(v):
    """(rows, names of those chosen, threads), as `pyconv.explain` takes them, of a `Volume`."""
    flat = flattened(v)
    if flat is not None and v.channels and v.filters:
        rows, chosen, threads = explain_rows(image_problem(v, flat))
        return rows, {chosen}, threads
    window = v.slice_problem(v.kernel[0])
    most = v.flat.max_workspace
    beside = None if most is None else max(most - window_bytes(v), 0)
    count = v.batch * v.outputs[0]
    rows, chosen, threads = explain_rows(window.derive(max_workspace=beside))
    found, fits = [], {}
    for code, row in enumerate(rows):
        name, made = row["algorithm"], None
        if name == "depthwise" and v.is_depthwise:
            made = _depthwise(v, row, count)
            chosen = name if made else chosen
        elif v.flat.groups == 1 and name in SLICED and v.channels and v.filters:
            made = explain_slices(window.derive(algorithm=code), v.numbers)
            if made["eligible"]:
                fits[name] = made["predicted_seconds"]
        found.append(made or _in_windows(v, row, count))
    if fits and chosen != "depthwise":
        chosen = min(fits, key=fits.get)
    if not any(row["algorithm"] == chosen and row["eligible"] for row in found):
        chosen = "direct"
    return found, {chosen}, threads
