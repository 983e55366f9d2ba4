# SPDX-License-Identifier: BSD-3-Clause
"""What every algorithm would cost for one convolution, and why one was chosen."""

import html
import math
import time
from dataclasses import replace

import numpy as np

from ._arguments import checked_shape, parse_word
from ._kernels import DTYPES, Plan, WeightGradientPlan, border_words, explain_rows, type_words
from ._problem import ALGORITHM_CODES, problem
from .operators.explained import input_gradient_rows, weight_gradient_rows
from .operators.folded import input_gradient_once
from .volumes.describe import LAYOUTS_3D, Volume, volume
from .volumes.explain import volume_rows
from .volumes.plans import VolumePlan

COLUMNS = (
    "algorithm",
    "predicted",
    "measured",
    "workspace",
    "weights",
    "multiplications",
    "traffic",
    "class",
)
LEGEND = (
    "predicted: by the cost model. workspace: scratch memory of a call. weights: as a plan packs them.",
    "multiplications: of the whole batch. traffic: bytes read and written beyond a core's own cache.",
    "class: bound of the error, and how far a NaN of the input spreads.",
)


def in_seconds(value):
    """``12.3 us``"""
    for unit, scale in (("us", 1e6), ("ms", 1e3)):
        if value * scale < 999.5:
            return f"{value * scale:.3g} {unit}"
    return f"{value:.3g} s"


def in_bytes(value):
    """``12.3 kB``"""
    for unit, scale in (("B", 1), ("kB", 1e3), ("MB", 1e6)):
        if value < 999.5 * scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e9:.4g} GB"


def _forward_rows(described):
    rows, chosen, threads = explain_rows(described)
    return rows, {chosen}, threads


OF = {
    "forward": _forward_rows,
    "input_gradient": input_gradient_rows,
    "weight_gradient": weight_gradient_rows,
}


class Report:
    """
    A table of algorithms: print it, let a notebook show it, or read `rows`.

    Made by `pyconv.explain`.

    Attributes
    ----------
    rows : list of dict
        The eligible algorithms from the fastest on, then the others. Keys: ``algorithm``, ``source`` (paper),
        ``eligible``, ``chosen``, ``reason`` (why not eligible, or None), ``workspace_bytes``,
        ``packed_bytes``, ``multiplications``, ``traffic_bytes``, ``accuracy``, ``error_bound`` (roundings of
        A or E, see the notes of `pyconv.conv2d`), ``nan_reach``, ``predicted_seconds``,
        ``measured_seconds``. None stands for what has no meaning or was not measured.
    title : str
        The convolution in words.
    """

    def __init__(self, title, rows):
        self.title = title
        self.rows = rows

    def _columns(self):
        measured = any(row["measured_seconds"] is not None for row in self.rows)
        return [name for name in COLUMNS if name != "measured" or measured]

    def _cells(self, row):
        mark = "*" if row["chosen"] else " " if row["eligible"] else "-"
        texts = {
            "algorithm": f"{mark} {row['algorithm']}",
            "predicted": _text(in_seconds, row["predicted_seconds"]),
            "measured": _text(in_seconds, row["measured_seconds"]),
            "workspace": _text(in_bytes, row["workspace_bytes"]),
            "weights": _text(in_bytes, row["packed_bytes"]),
            "multiplications": _text("{:,}".format, row["multiplications"]),
            "traffic": _text(in_bytes, row["traffic_bytes"]),
            "class": f"{row['accuracy']}, {row['nan_reach']}",
        }
        return [texts[name] for name in self._columns()]

    def __repr__(self):
        return str(self)

    def __str__(self):
        table = [self._columns(), *map(self._cells, self.rows)]
        table[0][0] = "  " + table[0][0]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [self.title, ""]
        for first, *middle, last in table:
            words = [cell.rjust(width) for cell, width in zip(middle, widths[1:], strict=False)]
            lines.append("  ".join([first.ljust(widths[0]), *words, last]))
        against = [f"- {row['algorithm']}: {row['reason']}" for row in self.rows if not row["eligible"]]
        return "\n".join([*lines, "", "* chosen by algorithm='auto'", *against, "", *LEGEND])

    def _repr_html_(self):
        head = "".join(f"<th>{name}</th>" for name in [*self._columns(), "why not"])
        body = []
        for row in self.rows:
            cells = [html.escape(cell.strip()) for cell in [*self._cells(row), row["reason"] or ""]]
            style = (
                ' style="font-weight: bold"'
                if row["chosen"]
                else ""
                if row["eligible"]
                else ' style="opacity: 0.6"'
            )
            body.append(f"<tr{style}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        caption = html.escape(self.title).replace("\n", "<br>")
        legend = "<br>".join(map(html.escape, LEGEND))
        return f"<p>{caption}</p><table><tr>{head}</tr>{''.join(body)}</table><p>{legend}</p>"


def _text(show, value):
    return "-" if value is None else show(value)


def _fastest(call, seconds):
    """The least time of a call, in about so many seconds after the first."""
    call()
    least, end = math.inf, time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        least = min(least, now - start)
        if now > end:
            return least


def explain(
    x_shape,
    weight_shape,
    *,
    of="forward",
    dtype="float32",
    weight_dtype=None,
    out_dtype=None,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCHW",
    padding_mode="zeros",
    max_workspace=None,
    accuracy=None,
    threads=None,
    measure=False,
):
    """
    What every algorithm would cost for one convolution, and which `algorithm="auto"` chooses.

    Parameters
    ----------
    x_shape, weight_shape : tuple of int
        Shapes of `x` and `weight` as `pyconv.conv2d` takes them, or, in the layouts of volumes, ``"NCDHW"``
        and ``"NDHWC"``, `pyconv.conv3d`.
    of : {"forward", "input_gradient", "weight_gradient"}
        Of `pyconv.conv2d`, `pyconv.conv2d_backward_input` or `pyconv.conv2d_backward_weight`. The gradient
        of the input is one convolution, or one for each phase of the stride: a row counts all of them, and
        ``auto`` may take another algorithm for each.
    dtype : dtype
        Of `x`.
    weight_dtype : dtype, optional
        By default that of `x` if it is float32, float64 or float16, else float32.
    out_dtype : dtype, optional
        By default that of the weight.
    stride, padding, dilation, groups, layout, padding_mode, max_workspace, accuracy, threads
        As in `pyconv.conv2d`.
    measure : bool
        Also time each eligible algorithm, on random numbers and with packed weights: a tenth of a second
        each, or two calls where these take longer.

    Returns
    -------
    Report
        One row per algorithm; print it.

    Raises
    ------
    TypeError, ValueError
        As `pyconv.conv2d`.

    Notes
    -----
    The predictions are those that the choice rests on. They come from a roofline model: operations by the
    rate of the kernel, plus bytes by the bandwidth of the memory they come from, plus calls by their cost.
    ``python -m pyconv calibrate`` measures its constants on a machine.

    Weights aren't known here: a plan that finds depthwise kernels of rank one runs them in two passes, with
    another workspace and fewer multiplications.

    Examples
    --------
    >>> import pyconv
    >>> report = pyconv.explain((1, 1, 16, 16), (128, 1, 3, 3))
    >>> {row["algorithm"]: row["multiplications"] for row in report.rows}["direct"]
    225792
    """
    dtype = np.dtype(dtype)
    if weight_dtype is None:
        weight_dtype = dtype if dtype.name in DTYPES else np.float32
    solid = isinstance(layout, str) and layout in LAYOUTS_3D
    described = (volume if solid else problem)(
        checked_shape(x_shape, "x_shape"),
        dtype,
        checked_shape(weight_shape, "weight_shape"),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        padding_mode=padding_mode,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        dtype_of="dtype",
        weight_dtype=np.dtype(weight_dtype),
        out_dtype=out_dtype,
    )
    rows_of = parse_word(of, OF, "of")
    if solid and of != "forward":
        raise ValueError(f"of volumes only 'forward' is explained, not {of!r}")
    if of != "forward":
        _check_types(described)
    rows, chosen, threads = (volume_rows if solid else rows_of)(described)
    for row in rows:
        row["chosen"] = row["algorithm"] in chosen
        row["measured_seconds"] = None
    if measure:
        _measure(rows, described, of)
    rows.sort(key=lambda row: row["predicted_seconds"] if row["eligible"] else math.inf)
    flat = described.flat if solid else described
    padding = described.padding if solid else (described.padding[:2], described.padding[2:])
    x, weight, y = (f"{name} {shape}".strip() for name, shape in _shapes(described, of))
    types = type_words(flat.dtype, flat.weight_dtype, flat.out_dtype)
    title = (
        f"{x}, {weight} -> {y}, {types}, {layout}\n"
        f"stride {described.stride}, padding {padding} {border_words(flat.padding_mode, flat.border)}, "
        f"dilation {described.dilation}, groups {groups}, threads {threads}"
    )
    return Report(title, rows)


def _shapes(described, of):
    """(name, shape) of two operands and of the result."""
    x, weight, y = described.x_shape, described.weight_shape, described.y_shape
    if of == "input_gradient":
        return ("dy", y), ("weight", weight), ("dx", x)
    if of == "weight_gradient":
        return ("x", x), ("dy", y), ("dweight", weight)
    return ("x", x), ("weight", weight), ("", y)


def _check_types(described):
    """Raises unless a gradient is of the type of what it is computed from."""
    if not described.dtype == described.weight_dtype == described.out_dtype:
        types = type_words(described.dtype, described.weight_dtype, described.out_dtype)
        raise TypeError(f"x, weight and result must be of one dtype for a gradient, are {types}")


def _measure(rows, described, of):
    rng = np.random.default_rng(0)
    flat = described.flat if isinstance(described, Volume) else described
    (_, first), (_, second), _ = _shapes(described, of)
    first, second = _random(rng, first, flat.dtype), _random(rng, second, flat.weight_dtype)
    for row in rows:
        if row["eligible"]:
            named = flat.derive(algorithm=ALGORITHM_CODES[row["algorithm"]])
            operands = (first,)
            if flat is not described:
                ready = VolumePlan(replace(described, flat=named), second)
            elif of == "forward":
                ready = Plan(named, second)
            elif of == "input_gradient":
                ready = input_gradient_once(named, second)
            else:
                ready, operands = WeightGradientPlan(named), (first, second)
            out, workspace = np.empty(ready.output_shape, flat.out_dtype), ready.new_workspace()
            call = lambda run=ready, given=operands, y=out, w=workspace: run(*given, y, w)  # noqa: E731
            row["measured_seconds"] = _fastest(call, 0.1)


def _random(rng, shape, dtype):
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        return rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)
    return rng.standard_normal(shape, np.float32).astype(dtype)
