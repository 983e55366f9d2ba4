# SPDX-License-Identifier: BSD-3-Clause
"""The outside judge: the same call made by PyTorch."""

import numpy as np
import pytest
from reference import pad, pair, sides


def torch_border(t, rows, columns, padding_mode):
    """Images with what stands around them: a tensor without gradients where PyTorch has no such border."""
    import torch

    functional = torch.nn.functional
    room = {"reflect": -1, "circular": 0}.get(padding_mode, np.inf)
    if padding_mode == "symmetric" or any(
        max(lines) > size + room for lines, size in zip((rows, columns), t.shape[2:], strict=True)
    ):
        return torch.from_numpy(pad(t.numpy(), rows, columns, padding_mode))
    if isinstance(padding_mode, tuple):
        return functional.pad(t, (*columns, *rows), value=padding_mode[1])
    mode = "constant" if padding_mode == "zeros" else padding_mode
    return functional.pad(t, (*columns, *rows), mode=mode)


def torch_conv2d(
    x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1, layout="NCHW", padding_mode="zeros",
    activation=None, residual=None,
):  # fmt: skip
    """`pyconv.conv2d` by `torch.nn.functional`; skips the test where PyTorch is missing."""
    torch = pytest.importorskip("torch", reason="PyTorch, the outside judge, is not installed")
    torch.set_num_threads(1)  # tiny problems: two pools of threads would only fight over the cores
    functional = torch.nn.functional
    lead, image = x.shape[:-3], x.shape[-3:]
    t = torch.from_numpy(np.ascontiguousarray(x)).reshape(int(np.prod(lead)), *image)
    if layout == "NHWC":
        t = t.permute(0, 3, 1, 2)
    w = torch.from_numpy(np.ascontiguousarray(weight))
    rows, columns = sides(padding, t.shape[2:], w.shape[2:], pair(stride), pair(dilation))
    t = torch_border(t, rows, columns, padding_mode)
    b = None if bias is None else torch.from_numpy(bias)
    t = functional.conv2d(t, w, b, pair(stride), 0, pair(dilation), groups)
    if layout == "NHWC":
        t = t.permute(0, 2, 3, 1)
    t = t.reshape(*lead, *t.shape[1:])
    if residual is not None:
        t = t + torch.from_numpy(residual)
    if activation == "relu":
        t = functional.relu(t)
    elif activation == "relu6":
        t = functional.relu6(t)
    elif activation is not None:
        t = torch.clamp(t, *activation[1:])
    return t.numpy()
