# SPDX-License-Identifier: BSD-3-Clause
"""One problem, run and judged."""

from dataclasses import dataclass

import numpy as np

import pyconv
from pyconv import _kernels

from . import operators
from .arrays import POISONS, Target
from .judge import verdict
from .operators import UNIVERSAL, Overdrawn, fence
from .problems import images, mode, out_dtype, x_dtype


@dataclass
class Outcome:
    """`failure` is None or (kind, text); shrinking keeps the kind."""

    failure: object = None
    refused: bool = False
    calls: int = 0


class State:
    """What stays from problem to problem: the instruction set in use, the classes of the algorithms."""

    def __init__(self):
        self.isa = _kernels.build_info()["instruction set in use"]
        self.classes = operators.classes()
        self.views = self._takes_views()

    def use(self, isa):
        if isa is not None and isa != self.isa:
            self.isa = _kernels.set_isa(isa)

    @staticmethod
    def _takes_views():
        """Whether this version writes into arrays that aren't contiguous."""
        x = np.ones((1, 1, 2, 2), np.float32)
        try:
            pyconv.conv2d(x, x, padding=1, out=np.empty((1, 1, 3, 4), np.float32)[..., :3])
        except ValueError:
            return False
        return True


def _may_refuse(p):
    """Whether UnsupportedError is an answer to this problem."""
    if p["budget"] is not None:
        return p["algorithm"] != "auto" or p["op"] not in (
            "conv2d",
            "conv1d",
            "depthwise_conv2d",
            "pointwise_conv2d",
        )
    return p["algorithm"] != "auto" and p["algorithm"] not in UNIVERSAL


def _strict(p, state):
    if p["accuracy"] == "strict" or p["op"].endswith("backward_bias"):
        return True
    return state.classes.get(p["algorithm"]) == "strict" and not p["op"].startswith("conv_transpose")


def run(p, state):
    """The Outcome of a problem."""
    state.use(p["isa"])
    outcome = Outcome()
    try:
        if p["op"] == "explain_huge":
            outcome.failure = _explain_huge(p)
            outcome.calls = 1
        elif p["op"] == "explain":
            outcome.failure = _explain(p, outcome)
        else:
            with operators.case(p) as case:
                outcome.failure = _run_case(p, case, state, outcome)
    except pyconv.UnsupportedError as error:
        outcome.refused = True
        if not _may_refuse(p):
            outcome.failure = ("refusal", f"UnsupportedError: {error}")
    except Overdrawn as error:
        outcome.failure = ("budget", str(error))
    except Exception as error:
        outcome.failure = (type(error).__name__, f"{type(error).__name__}: {error}")
    return outcome


def _run_case(p, case, state, outcome):
    with np.errstate(all="ignore"):
        truth, first = case.truth(), None
    for poison in POISONS:
        out = workspace = None
        gap = (
            3 if p["out"] == "gap" and state.views and p["via"] != "c" and p["op"] != "partial_conv2d" else 0
        )
        if p["out"] in ("plain", "gap"):
            out = Target(fence("out"), case.shape, out_dtype(p), p["at_end"], 0xFF, gap)
        if p["workspace"] and case.plan is not None:
            more = 100 if p["workspace"] == "more" else 0
            size = case.plan.workspace_bytes + more
            block = fence("workspace").take(size, p["at_end"], 64)
            block[:] = poison
            workspace = block
        given = None if out is None else out.array
        y = case.run(given, workspace)
        outcome.calls += 1
        if given is not None and y is not given:
            return ("out", "the result is not `out`")
        for name, operand in case.operands.items():
            if not operand.unchanged() and not (name == "x" and p["out"] == "x" and operand.fence.intact()):
                return ("modified", f"{name} or what lies beside it has changed")
        if out is not None and not out.intact():
            return ("outside", "written outside the output")
        if workspace is not None:
            if not fence("workspace").intact():
                return ("outside", "written outside the workspace")
            if p["workspace"] == "more" and (block[case.plan.workspace_bytes :] != poison).any():
                return ("outside", "written behind workspace_bytes")
        y = np.array(y)
        if first is not None:
            if first.tobytes() != y.tobytes():
                return ("repeat", "the second run gives other bits")
            continue
        first = y
        text = verdict(y, truth, p, _strict(p, state))
        if text:
            return ("value", text)
    return None


BEYOND_GRADIENTS = ("dtype", "out_dtype")


def _explanation(p):
    icg, groups, filters = p["icg"], p["groups"], p["groups"] * p["ocg"]
    image = (groups * icg, p["ih"], p["iw"])
    if p["layout"] == "NHWC":
        image = (*image[1:], image[0])
    budget = {"zero": 0, "just": 1 << 16, "less": 1 << 12}.get(p["budget"], p["budget"])
    padding = p["padding"] if not isinstance(p["padding"], list) else tuple(map(tuple, p["padding"])) \
        if isinstance(p["padding"][0], list) else tuple(p["padding"])  # fmt: skip
    keywords = {
        "stride": tuple(p["stride"]), "padding": padding, "dilation": tuple(p["dilation"]), "groups": groups,
        "layout": p["layout"], "padding_mode": mode(p), "max_workspace": budget, "accuracy": p["accuracy"],
        "threads": p["threads"], "dtype": x_dtype(p), "out_dtype": out_dtype(p),
    }  # fmt: skip
    return (*p["lead"], *image), (filters, icg, p["kh"], p["kw"]), keywords


def _explain_huge(p):
    """Any size gives a table of sane numbers, or a ValueError; never more, never less."""
    shape, w_shape, keywords = _explanation(p)
    try:
        rows = pyconv.explain(shape, w_shape, weight_dtype=p["dtype"], **keywords).rows
    except (ValueError, OverflowError) as error:
        return None if isinstance(error, ValueError) else ("OverflowError", str(error))
    for row in rows:
        for key in (
            "workspace_bytes",
            "packed_bytes",
            "multiplications",
            "traffic_bytes",
            "predicted_seconds",
        ):
            if row[key] is not None and not row[key] >= 0:
                return ("explain", f"{row['algorithm']}: {key} is {row[key]}")
        if row["eligible"] and keywords["max_workspace"] is not None:
            used = row["workspace_bytes"] + row["packed_bytes"]
            if used > keywords["max_workspace"]:
                return ("budget", f"{row['algorithm']} takes {used} bytes and is eligible")
    try:
        gradient = pyconv.plan_conv2d_backward_weight(
            shape, w_shape, **{k: v for k, v in keywords.items() if k not in BEYOND_GRADIENTS}
        )
    except ValueError:
        return None
    if gradient.workspace_bytes < 0 or gradient.multiplications < 0:
        return ("explain", f"weight gradient: {gradient.multiplications} multiplications")
    return None


def _explain(p, outcome):
    """The rows say what plans then do."""
    shape, w_shape, keywords = _explanation(p)
    report = pyconv.explain(shape, w_shape, weight_dtype=p["dtype"], **keywords)
    str(report)
    report._repr_html_()
    # Of full rank: explain doesn't see weights, and kernels of rank one make other plans.
    taps = np.add.outer(np.arange(w_shape[-2]), np.arange(w_shape[-1])) % 3 != 0
    weight = np.broadcast_to(taps, w_shape).astype(p["dtype"])
    chosen = [row["algorithm"] for row in report.rows if row["chosen"]]
    auto = pyconv.plan(shape, weight, **keywords)
    if chosen != [auto.algorithm]:
        return ("explain", f"chosen is {chosen}, plan takes {auto.algorithm}")
    for row in report.rows:
        outcome.calls += 1
        try:
            plan = pyconv.plan(shape, weight, algorithm=row["algorithm"], **keywords)
        except pyconv.UnsupportedError:
            if row["eligible"]:
                return ("explain", f"{row['algorithm']} is eligible, and refused")
            continue
        if not row["eligible"]:
            return ("explain", f"{row['algorithm']} is not eligible, and serves")
        for key in ("workspace_bytes", "packed_bytes", "multiplications"):
            if row[key] != getattr(plan, key):
                return (
                    "explain",
                    f"{row['algorithm']}: {key} {row[key]}, the plan's is {getattr(plan, key)}",
                )
    if x_dtype(p) == out_dtype(p) == np.dtype(p["dtype"]):
        for of in ("input_gradient", "weight_gradient"):
            if text := _explain_gradient(of, shape, w_shape, keywords, outcome):
                return ("explain", f"{of}: {text}")
    return None if images(p) >= 0 else ("explain", "no images")


def _explain_gradient(of, shape, w_shape, keywords, outcome):
    """None, or what the rows of a gradient say that its plans don't do."""
    keywords = {key: value for key, value in keywords.items() if key != "out_dtype"}
    report = pyconv.explain(shape, w_shape, of=of, **keywords)
    str(report)
    weight = np.random.default_rng(0).standard_normal(w_shape).astype(keywords["dtype"])  # not of rank one

    def planned(**more):
        try:
            if of == "weight_gradient":
                return pyconv.plan_conv2d_backward_weight(shape, w_shape, **keywords, **more)
            return pyconv.plan_conv2d_backward_input(shape, weight, **keywords, **more)
        except pyconv.UnsupportedError:
            return None

    if (planned() is None) != (not any(row["chosen"] for row in report.rows)):
        return "it is chosen, and refused, or the other way round"
    for row in report.rows:
        outcome.calls += 1
        plan = planned(algorithm=row["algorithm"])
        if row["eligible"] != (plan is not None):
            return f"{row['algorithm']} is eligible, and refused, or the other way round"
        for key in ("workspace_bytes", "packed_bytes", "multiplications"):
            if plan and row[key] != getattr(plan, key, 0):
                return f"{row['algorithm']}: {key} {row[key]}, the plan's is {getattr(plan, key, 0)}"
    return None
