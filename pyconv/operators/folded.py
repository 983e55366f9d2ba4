# SPDX-License-Identifier: BSD-3-Clause
"""The gradient of images that their border continues: that of the padded images, folded back onto them."""

import numpy as np

from .._kernels import PADDING_MODES, UnsupportedError, bordered, fold_border
from .composed import aligned_bytes, carve
from .phases import TransposedPlan

APART = PADDING_MODES["zeros"], PADDING_MODES["constant"]  # borders that x has no part in


def input_gradient(forward, weight):
    """The class of the plan from dy to the gradient of the x of the conv2d `forward`, and its arguments."""
    if forward.padding_mode not in APART and bordered(forward) is not None:
        return FoldedPlan, forward, weight
    if forward.padding_mode != APART[0]:
        forward = forward.derive(padding_mode=APART[0], border=0.0)
    return TransposedPlan, forward, forward.y_shape, weight, None, "dy"


def input_gradient_once(forward, weight, alike=False):
    """A plan for a single call; `alike`: with a workspace of the size that the plan for many calls says."""
    plan, *arguments = input_gradient(forward, weight)
    return plan(*arguments) if alike else plan.of_one_call(*arguments)


def fold_bytes(forward):
    """The type computed in; bytes of the images with their borders, and of the fold before it is rounded."""
    inner = np.dtype(np.float64 if forward.weight_dtype == np.float64 else np.float32)
    own = aligned_bytes(bordered(forward).x_shape, inner)
    return inner, own if forward.out_dtype == inner else own + aligned_bytes(forward.x_shape, inner)


class FoldedPlan(TransposedPlan):
    """A transposed convolution to images with their borders, in the type computed in, and the fold."""

    def __init__(self, forward, weight, once=False):
        inner, own = fold_bytes(forward)
        budget = forward.max_workspace
        if budget is not None and budget < own:
            raise UnsupportedError(
                f"the gradient of x {forward.x_shape} with its border needs {own} bytes of workspace, "
                f"max_workspace allows {budget}"
            )
        wide = TransposedPlan(
            bordered(forward, own).derive(out_dtype=inner), forward.y_shape, weight, argument="dy", once=once
        )
        self._settle(
            _argument="dy",
            _forward=forward,
            _inner=inner,
            _shape=bordered(forward).x_shape,
            _wide=wide,
            _operands=wide._operands,
            dtype=forward.dtype,
            weight_dtype=forward.weight_dtype,
            out_dtype=forward.out_dtype,
            input_shape=forward.y_shape,
            output_shape=forward.x_shape,
            workspace_bytes=own + wide.workspace_bytes,
            packed_bytes=wide.packed_bytes,
            multiplications=wide.multiplications,
        )

    def _run(self, dy, _residual, out, workspace):
        padded, rest = carve(workspace, self._shape, self._inner)
        folded = out
        if self.out_dtype != self._inner:
            folded, rest = carve(rest, self.output_shape, self._inner)
        self._wide._run(dy, None, padded, rest)
        if out.size:
            fold_border(self._forward, padded, folded)
        if folded is not out:
            with np.errstate(over="ignore"):  # infinity, as in a convolution
                out[...] = folded
