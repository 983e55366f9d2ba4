# SPDX-License-Identifier: BSD-3-Clause
"""What type checkers make of pyconv: mypy reads this, nothing runs it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_type

import pyconv
from pyconv import cost

half, single, double = (
    np.zeros((1, 3, 8, 8), np.float16),
    np.zeros((1, 3, 8, 8), np.float32),
    np.zeros((1, 3, 8, 8)),
)
photo = np.zeros((1, 3, 8, 8), np.uint8)
line, column = np.zeros((3, 8), np.float32), np.zeros((5, 1), np.float64)

# A result is of the dtype of the weight, whatever that of x and the words, or of out_dtype.
assert_type(pyconv.conv2d(half, half), NDArray[np.float16])
assert_type(pyconv.conv2d(single, single, stride=(2, 1), padding="same", layout="NHWC"), NDArray[np.float32])
assert_type(
    pyconv.conv2d(double, double, activation=("clip", 0, 1), padding=((0, 1), (1, 2))), NDArray[np.float64]
)
assert_type(pyconv.conv2d([[[1.0]]], single, max_workspace="64MB", accuracy="strict"), NDArray[np.float32])
assert_type(pyconv.conv2d(photo, single, padding_mode=("constant", 255)), NDArray[np.float32])
assert_type(pyconv.conv2d(photo, double, padding_mode="mirror"), NDArray[np.float64])
assert_type(pyconv.conv2d(photo, single, out_dtype=np.uint8, padding_mode="symmetric"), NDArray[np.uint8])
assert_type(pyconv.conv2d(photo, [[[[1.0]]]], [0.5], out_dtype=photo.dtype), NDArray[np.uint8])
assert_type(pyconv.conv2d(photo, [[[[1.0]]]]), NDArray[Any])
assert_type(pyconv.conv2d(photo, single, out_dtype="uint8"), NDArray[Any])
assert_type(pyconv.conv1d(line, line, layout="NLC", padding=(1, 2)), NDArray[np.float32])
assert_type(pyconv.depthwise_conv2d(half, half, threads=2), NDArray[np.float16])
assert_type(pyconv.pointwise_conv2d(single, column), NDArray[np.float64])
assert_type(pyconv.partial_conv2d(double, double, out=double), NDArray[np.float64])
assert_type(pyconv.partial_conv2d(photo, single), NDArray[np.uint8])
assert_type(
    pyconv.separable_conv2d(single, single, column, depthwise_activation="relu6"), NDArray[np.float32]
)
assert_type(pyconv.conv_transpose2d(double, double, output_padding=1, stride=2), NDArray[np.float64])
assert_type(pyconv.conv_transpose1d(line, line, output_padding=1, stride=(2,)), NDArray[np.float32])
assert_type(pyconv.conv3d(single, half, padding=((1, 2), (0, 1), (0, 0))), NDArray[np.float16])
assert_type(pyconv.plan_conv3d((1, 3, 4, 8, 8), half, layout="NDHWC"), pyconv.VolumePlan[np.float16])
assert_type(pyconv.conv_transpose3d(single, double, stride=(1, 2, 2)), NDArray[np.float64])
assert_type(pyconv.conv3d_backward_input((1, 3, 9, 9, 9), single, single), NDArray[np.float32])
assert_type(pyconv.conv3d_backward_weight(half, (3, 3, 3, 3, 3), half), NDArray[np.float16])
assert_type(pyconv.conv2d_backward_input((1, 3, 9, 9), single, single), NDArray[np.float32])
assert_type(pyconv.conv2d_backward_weight(half, (3, 3, 3, 3), half), NDArray[np.float16])

# So is that of a plan, of the dtype of its weights.
plan = pyconv.plan((1, 3, 8, 8), half)
assert_type(plan, pyconv.Plan[np.float16])
assert_type(plan(half, residual=half, workspace=plan.new_workspace()), NDArray[np.float16])
assert_type(plan.out_dtype, np.dtype[np.float16])
assert_type(pyconv.plan((1, 3, 8, 8), single, dtype=np.uint8), pyconv.Plan[np.float32])
assert_type(pyconv.plan((1, 3, 8, 8), single, dtype="u1", out_dtype=np.int16)(photo), NDArray[np.int16])
assert_type(pyconv.plan_conv_transpose2d((1, 3, 8, 8), single, out_dtype=np.uint8)(photo), NDArray[np.uint8])
assert_type(plan.output_shape, tuple[int, ...])
assert_type(pyconv.plan((1, 3, 8, 8), [[[[1.0]]]])(single), NDArray[Any])
assert_type(pyconv.plan_conv_transpose2d([1, 3, 8, 8], double)(double), NDArray[np.float64])
assert_type(pyconv.plan_separable_conv2d((1, 3, 8, 8), single, column), pyconv.SeparablePlan[np.float32])
assert_type(
    pyconv.plan_conv2d_backward_weight((1, 3, 8, 8), (3, 3, 3, 3))(single, single), NDArray[np.float32]
)
assert_type(
    pyconv.plan_conv2d_backward_weight((1, 3, 8, 8), (3, 3, 3, 3), dtype=np.float64)(double, double),
    NDArray[np.float64],
)
back = pyconv.plan_conv2d_backward_input((1, 3, 8, 8), half, padding=1, padding_mode=("constant", 2))
assert_type(back(half), NDArray[np.float16])
assert_type(pyconv.conv2d_backward_weight(single, (3, 3, 3, 3), single), NDArray[np.float32])
assert_type(pyconv.conv2d_backward_bias(half), NDArray[np.float16])
assert_type(pyconv.conv1d_backward_input((1, 3, 8), line, line, padding=(1, 0)), NDArray[np.float32])
pair = pyconv.factorize(double, rank=1)
assert_type(pair.vertical, NDArray[np.float64])
assert_type(pair.plan((1, 3, 8, 8))(double), NDArray[np.float64])
assert_type(pair.plan((1, 3, 8, 8), dtype=np.uint8, out_dtype=np.uint8)(photo), NDArray[np.uint8])

with pyconv.config(threads=1, accuracy="strict"):
    assert_type(pyconv.explain((1, 3, 8, 8), (4, 3, 3, 3), dtype="float64", measure=True), pyconv.Report)
assert_type(pyconv.show_config(), None)
assert_type(pyconv.show_config(mode="dicts"), dict[str, Any])
assert_type(pyconv.algorithms(), list[str])
assert_type(cost.standard(8, 8, 3, 4, 3) + cost.partial(8, 8, 3, 3), cost.Cost)

# What is wrong is an error to them, too: each of these comments is one to mypy where its line is none.
pyconv.conv2d(single, single, layout="NCL")  # type: ignore[call-overload]
pyconv.conv2d(single, single, strides=2)  # type: ignore[call-overload]
pyconv.conv2d(single, single, activation="gelu")  # type: ignore[call-overload]
pyconv.conv2d(single, single, padding_mode="constant")  # type: ignore[call-overload]
pyconv.conv1d(line, line, padding=((0, 0), (1, 1)))  # type: ignore[arg-type]
pyconv.partial_conv2d(single, single, residual=single)  # type: ignore[call-overload]
pyconv.config(layout="NHWC")  # type: ignore[call-arg]
plan.output_shape = (1,)  # type: ignore[misc]
