# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch's own samples of its convolutions (OpInfo), with gradients, and its errors, on our functions."""

import numpy as np
import pytest

import pyconv

torch = pytest.importorskip("torch", reason="PyTorch, whose samples these are, is not installed")
pytest.importorskip("expecttest", reason="PyTorch's testing package needs expecttest")
invocations = pytest.importorskip("torch.testing._internal.common_methods_invocations")

OPERATORS = {
    op.name.removeprefix("nn.functional."): op
    for op in invocations.op_db
    if op.name.removeprefix("nn.functional.")
    in {f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)}
}
POSITIONS = {
    False: ("weight", "bias", "stride", "padding", "dilation", "groups"),
    True: ("weight", "bias", "stride", "padding", "output_padding", "groups", "dilation"),
}
BOUND = {torch.float32: 1e-5, torch.float64: 1e-13}


def arguments(name, sample):
    """(x, weight, bias, keywords) of a sample; a tuple of one value serves all axes in PyTorch."""
    keywords = dict(zip(POSITIONS["transpose" in name], sample.args, strict=False)) | sample.kwargs
    weight, bias = keywords.pop("weight"), keywords.pop("bias", None)
    axes = int(name[-2])
    keywords = {k: v * axes if isinstance(v, tuple) and len(v) == 1 else v for k, v in keywords.items()}
    return sample.input, weight, bias, keywords


def by_pyconv(name, x, weight, bias, keywords):
    return getattr(pyconv, name)(x, weight, bias, **keywords)


def gradients(name, x, weight, dy, keywords):
    """(dx, dweight, dbias)"""
    axes = int(name[-2])
    forward, of_input, of_weight = (
        getattr(pyconv, f"conv{axes}d{part}") for part in ("", "_backward_input", "_backward_weight")
    )
    if axes == 3:
        dbias = dy.sum(axis=tuple(i for i in range(dy.ndim) if i != dy.ndim - 4))
    else:
        dbias = getattr(pyconv, f"conv{axes}d_backward_bias")(dy)
    if "transpose" not in name:
        dx = of_input(x.shape, weight, dy, **keywords)
        dw = of_weight(x, weight.shape, dy, **keywords)
    else:
        # y = paint(x) is a gradient of a convolution: dx is that convolution of dy, and x its result. Output
        # padding may let it give more than x has.
        keywords = {k: v for k, v in keywords.items() if k != "output_padding"}
        wide = forward(dy, weight, **keywords)
        inside = (..., *map(slice, x.shape[-axes:]))
        dx = wide[inside]
        given = np.zeros_like(wide)
        given[inside] = x
        dw = of_weight(dy, weight.shape, given, **keywords)
    return dx, dw, dbias


def assert_near(given, exact, dtype):
    exact = exact.detach().numpy()
    assert given.shape == exact.shape and given.dtype == exact.dtype
    np.testing.assert_allclose(given, exact, rtol=0, atol=BOUND[dtype] * max(1, np.abs(exact).max(initial=0)))


@pytest.mark.parametrize("dtype", BOUND, ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_samples_and_their_gradients(name, dtype):
    count = 0
    for sample in OPERATORS[name].sample_inputs("cpu", dtype, requires_grad=False):
        x, weight, bias, keywords = arguments(name, sample)
        leaves = [a.detach().requires_grad_() for a in (x, weight, bias) if a is not None]
        function = getattr(torch.nn.functional, name)
        y = function(*leaves, **keywords)
        x, weight, *rest = (a.detach().numpy() for a in leaves)
        assert_near(by_pyconv(name, x, weight, rest[0] if rest else None, keywords), y, dtype)
        dy = torch.from_numpy(np.random.default_rng(0).standard_normal(y.shape)).to(dtype)
        exact = torch.autograd.grad(y, leaves, dy)
        given = gradients(name, x, weight, dy.numpy(), keywords)
        for a, b in zip(given, exact, strict=False):
            assert_near(a, b, dtype)
        count += 1
    assert count >= (10 if name[-2] != "3" else 6)


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "conv3d"])
def test_what_pytorch_refuses(name):
    """
    Is refused here too, before anything is computed; but for padding "same" at strides, which is served.
    """
    count = 0
    for error in OPERATORS[name].error_inputs("cpu"):
        if "for strided convolutions" in error.error_regex:
            continue
        x, weight, bias, keywords = arguments(name, error.sample_input)
        with pytest.raises((TypeError, ValueError)):
            by_pyconv(name, x.numpy(), weight.numpy(), bias.numpy(), keywords)
        count += 1
    assert count >= 9
