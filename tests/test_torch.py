# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch as the outside judge: the package against a library that shares no line with it."""

import numpy as np
import pytest
from helpers import normal, plans, relative_error
from hypothesis import given
from judge import torch_conv2d
from problems import problems

import pyconv

pytest.importorskip("torch", reason="PyTorch, the outside judge, is not installed")

LAYERS = {
    "AlexNet 1": ((1, 3, 67, 67), (96, 3, 11, 11), {"stride": 4}),
    "VGG": ((1, 64, 28, 28), (64, 64, 3, 3), {"padding": 1}),
    "ResNet 1": ((2, 3, 56, 56), (64, 3, 7, 7), {"stride": 2, "padding": 3}),
    "ResNet 3x3/2": ((1, 64, 28, 28), (64, 64, 3, 3), {"stride": 2, "padding": 1}),
    "ResNet 1x1": ((2, 256, 7, 7), (512, 256, 1, 1), {}),
    "ResNet 1x1/2": ((1, 128, 14, 14), (256, 128, 1, 1), {"stride": 2}),
    "ResNeXt": ((1, 64, 14, 14), (64, 4, 3, 3), {"padding": 1, "groups": 16}),
    "MobileNet": ((1, 96, 28, 28), (96, 1, 3, 3), {"padding": 1, "stride": 2, "groups": 96}),
    "Inception 1x7": ((1, 48, 17, 17), (64, 48, 1, 7), {"padding": (0, 3)}),
    "Inception 7x1": ((1, 48, 17, 17), (64, 48, 7, 1), {"padding": (3, 0)}),
    "DeepLab": ((1, 32, 33, 33), (32, 32, 3, 3), {"padding": 6, "dilation": 6}),
    "RepLKNet": ((1, 8, 28, 28), (8, 1, 31, 31), {"padding": 15, "groups": 8}),
    "blur": ((1, 1, 128, 128), (4, 1, 15, 15), {"padding": "same", "padding_mode": "reflect"}),
    "segmentation": ((1, 8, 20, 24), (8, 8, 3, 3), {"padding": 1, "padding_mode": "replicate"}),
    "panorama": ((1, 8, 20, 24), (8, 8, 3, 3), {"padding": 2, "padding_mode": "circular"}),
}


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("layer", LAYERS)
def test_layers_of_real_networks(layer, layout):
    x_shape, w_shape, keywords = LAYERS[layer]
    x, w, b = normal(x_shape), normal(w_shape, seed=1), normal(w_shape[0], seed=2)
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    keywords = {"layout": layout, "activation": "relu", **keywords}
    exact = torch_conv2d(*(a.astype("f8") for a in (x, w, b)), **keywords)
    limits = {"strict": 1.5e-6, "standard": 4e-6, "fast": 16e-6}
    for accuracy, limit in limits.items():
        for plan in plans(x.shape, w, b, accuracy=accuracy, **keywords):
            assert relative_error(plan(x), exact) < limit, f"{plan.algorithm} as {accuracy}"


@given(problems(dtypes=("float32", "float64")))
def test_whole_parameter_space(problem):
    x, w, b, r = problem.arrays()
    keywords = {**problem.geometry, "activation": problem.activation, "residual": r}
    theirs = torch_conv2d(x, w, b, **keywords)
    ours = pyconv.conv2d(x, w, b, **keywords)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    tolerance = 1e-4 if problem.dtype == "float32" else 1e-12
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
