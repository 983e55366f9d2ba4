# SPDX-License-Identifier: BSD-3-Clause
"""pyconv.torch's functions against PyTorch's, on its own samples (OpInfo), with gradients of both orders."""

import gc
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pyconv.torch needs PyTorch")
import torch.nn.functional as F  # noqa: E402

import pyconv  # noqa: E402
import pyconv.torch as ours  # noqa: E402
from pyconv.torch import plans  # noqa: E402
from pyconv.torch.operators import CONVOLUTION, TRANSPOSED, WEIGHT_GRADIENT  # noqa: E402

NAMES = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]
BOUND = {torch.float32: 1e-5, torch.float64: 1e-13, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}


def normal(*shape, dtype=torch.float32, seed=0, grad=False):
    t = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return t.to(dtype).requires_grad_(grad)


def assert_near(given, exact, dtype=None):
    assert given.shape == exact.shape and given.dtype == exact.dtype
    bound = BOUND[dtype or exact.dtype] * max(1.0, exact.abs().max().item() if exact.numel() else 1.0)
    torch.testing.assert_close(given, exact, rtol=0, atol=bound)


def samples(name, dtype):
    pytest.importorskip("expecttest", reason="PyTorch's testing package needs expecttest")
    invocations = pytest.importorskip("torch.testing._internal.common_methods_invocations")
    (op,) = [op for op in invocations.op_db if op.name == f"nn.functional.{name}"]
    return op, list(op.sample_inputs("cpu", dtype, requires_grad=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_samples_of_pytorch_and_their_gradients(name, dtype):
    _, found = samples(name, dtype)
    assert len(found) >= 10
    for sample in found:
        leaves = [a for a in (sample.input, *sample.args[:2], *sample.kwargs.values()) if torch.is_tensor(a)]
        given, exact = (
            getattr(module, name)(sample.input, *sample.args, **sample.kwargs) for module in (ours, F)
        )
        assert_near(given, exact, dtype)
        dy = normal(*exact.shape, dtype=dtype)
        for a, b in zip(
            torch.autograd.grad(given, leaves, dy), torch.autograd.grad(exact, leaves, dy), strict=True
        ):
            assert_near(a, b, dtype)


@pytest.mark.parametrize("name", NAMES)
def test_what_pytorch_refuses(name):
    op, _ = samples(name, torch.float32)
    if op.error_inputs_func is None:
        pytest.skip("PyTorch has no wrong inputs of this one")
    for error in op.error_inputs("cpu"):
        sample = error.sample_input
        with pytest.raises((TypeError, ValueError)):
            getattr(ours, name)(sample.input, *sample.args, **sample.kwargs)


WINDOWS = {
    "conv1d": [{"padding": "same"}, {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}],
    "conv2d": [{"padding": "same"}, {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2}],
    "conv3d": [{"stride": (1, 2, 1), "padding": (1, 0, 1), "groups": 2}],
    "conv_transpose3d": [{"stride": (1, 2, 1), "padding": 1, "output_padding": (0, 1, 0), "groups": 2}],
    "conv_transpose1d": [{"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}],
    "conv_transpose2d": [
        {"padding": 1, "groups": 2},
        {"stride": 2, "dilation": 3, "output_padding": 2, "groups": 2},  # makes room for more inputs
        {"stride": 2, "padding": 1, "dilation": 3, "output_padding": (0, 1), "groups": 2},
    ],
}
LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
CASES = [(name, window) for name, windows in WINDOWS.items() for window in windows]


def operands(name, window, dtype=torch.float64, channels_last=False):
    """x, weight, bias, with gradients; small."""
    axes, groups = int(name[-2]), window.get("groups", 1)
    kernel = (2, 3, 2)[-axes:]
    w_shape = (4, 2, *kernel) if "transpose" in name else (4, 4 // groups, *kernel)
    x = normal(2 if axes < 3 else 1, 4, *(3, 6, 5)[-axes:], dtype=dtype)
    x = x.to(memory_format=LAST[axes]) if channels_last else x
    filters = 2 * groups if "transpose" in name else 4
    return (
        x.requires_grad_(),
        normal(*w_shape, dtype=dtype, seed=1, grad=True),
        normal(filters, dtype=dtype, seed=2, grad=True),
    )


@pytest.mark.parametrize("name, window", CASES)
def test_gradients_of_both_orders(name, window):
    arguments = operands(name, window)

    def function(*given):
        return getattr(ours, name)(*given, **window)

    assert_near(function(*arguments), getattr(F, name)(*arguments, **window))
    assert torch.autograd.gradcheck(function, arguments)
    assert torch.autograd.gradgradcheck(function, arguments, fast_mode=True)


@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels_last"])
@pytest.mark.parametrize(
    "operator", [CONVOLUTION, TRANSPOSED, WEIGHT_GRADIENT], ids=lambda o: o.kernel.__name__
)
def test_the_operators_pass_pytorchs_own_checks(operator, last):
    x, w, _ = operands("conv2d", {"groups": 2}, torch.float32, last)
    bias = normal(4, grad=True)
    window = [2, 1], [1, 0, 1, 0], [1, 1], 2
    y = CONVOLUTION(x, w, bias, *window).detach().requires_grad_()
    arguments = {
        CONVOLUTION: (x, w, bias),
        TRANSPOSED: (y, w, None, x.shape[2:]),
        WEIGHT_GRADIENT: (x, y, w.shape[2:]),
    }[operator]
    torch.library.opcheck(operator.library, (*arguments, *window))


def net(x, w, b):
    y = ours.conv2d(x, w, b, stride=2, padding=1, groups=2).relu()
    return ours.conv_transpose2d(y, w, b, stride=2, groups=2)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compile_sees_one_graph(backend):
    leaves = operands("conv2d", {"groups": 2})
    compiled = torch.compile(net, fullgraph=True, backend=backend)
    given, exact = compiled(*leaves), net(*leaves)
    assert_near(given, exact)
    for a, b in zip(
        torch.autograd.grad(given.sum(), leaves), torch.autograd.grad(exact.sum(), leaves), strict=True
    ):
        assert_near(a, b)


def test_compile_with_sizes_left_open():
    compiled = torch.compile(ours.conv2d, fullgraph=True, backend="eager", dynamic=True)
    w = normal(4, 4, 3, 3)
    for size in (6, 9, 12):
        x = normal(1, 4, size, size + 1)
        assert_near(compiled(x, w, None, 2, 1), F.conv2d(x, w, None, 2, 1))


def test_export_sees_the_operators():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(normal(4, 4, 3, 3))

        def forward(self, x):
            return ours.conv2d(x, self.w, padding="same").relu()

    net, x = Net(), normal(2, 4, 7, 6)
    program = torch.export.export(net, (x,))
    assert "pyconv.convolution" in str(program.graph)
    assert_near(program.module()(x), net(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_half_precision(name, dtype):
    window = WINDOWS[name][-1]
    leaves = operands(name, window, dtype)
    given, exact = (getattr(module, name)(*leaves, **window) for module in (ours, F))
    assert_near(given, exact)
    dy = normal(*exact.shape, dtype=dtype)
    single = [a.detach().float().requires_grad_() for a in leaves]
    wanted = torch.autograd.grad(getattr(F, name)(*single, **window), single, dy.float())
    for a, b in zip(torch.autograd.grad(given, leaves, dy), wanted, strict=True):
        assert a.dtype == dtype
        assert_near(a.float(), b, dtype)


def test_autocast_casts_as_pytorch_does():
    x, w, b = operands("conv2d", {}, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        given, exact = ours.conv2d(x, w, b), F.conv2d(x, w, b)
        double = ours.conv2d(x.double(), w.double())
    assert_near(given, exact)
    assert double.dtype == torch.float64
    given.float().sum().backward()
    assert w.grad.dtype == torch.float32


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d", "conv3d", "conv_transpose3d"])
def test_channels_last_stays(name):
    last = LAST[int(name[-2])]
    x, w, b = operands(name, {}, torch.float32, channels_last=True)
    given = getattr(ours, name)(x, w, b)
    assert given.is_contiguous(memory_format=last) and not given.is_contiguous()
    assert_near(given, getattr(F, name)(x, w, b))
    (dx,) = torch.autograd.grad(given, x, torch.ones_like(given))
    assert dx.is_contiguous(memory_format=last)
    plain = getattr(ours, name)(x.contiguous(), w, b)
    assert plain.is_contiguous()
    with torch.no_grad():
        assert_near(getattr(ours, name)(x[:, :, 1:, ::2], w, b), getattr(F, name)(x[:, :, 1:, ::2], w, b))


def test_memory_is_shared():
    """A kernel gets the tensor's own memory, and its result becomes the tensor."""
    from pyconv.torch.tensors import array, tensor

    for dtype in (torch.float32, torch.bfloat16):
        for last in (False, True):
            x = normal(2, 3, 4, 5, dtype=dtype)
            x = x.contiguous(memory_format=torch.channels_last) if last else x
            a = array(x, last)
            assert a.ctypes.data == x.data_ptr() and a.flags.c_contiguous
            assert tensor(a, dtype, last).data_ptr() == x.data_ptr()
            assert torch.equal(tensor(a, dtype, last), x)


def test_what_no_kernel_can_read_is_refused():
    x, w = normal(1, 4, 5, 5), normal(4, 4, 3, 3)
    for bad, text in [
        (x.to("meta"), "must be on the CPU, is on meta"),
        (x.to_sparse(), "must be a dense tensor, has layout torch.sparse_coo"),
        (x.to(torch.complex64), "must be float32, float64, float16 or bfloat16, is complex64"),
        (x.int(), "is int32"),
        (x.numpy(), "must be a torch.Tensor, is ndarray"),
        (None, "must be a torch.Tensor, is NoneType"),
    ]:
        with pytest.raises(TypeError, match=text):
            ours.conv2d(bad, w)
    with pytest.raises(TypeError, match="weight is float64, input is float32: dtypes must match"):
        ours.conv2d(x, w.double())
    with pytest.raises(TypeError, match="bias is float16, input is float32"):
        ours.conv2d(x, w, normal(4).half())
    with pytest.raises(TypeError, match="must be made of ints"):
        ours.conv2d(x, w, stride=1.5)


@pytest.mark.parametrize("text, call", [
    ("weight must have 4 dimensions", lambda x, w: ours.conv2d(x, w[0])),
    ("input must have 3 or 4 dimensions", lambda x, w: ours.conv2d(x[0, 0], w)),
    ("stride must be an int or 2 of them", lambda x, w: ours.conv2d(x, w, stride=(1, 1, 1))),
    ("padding must be ints, 'valid' or 'same'", lambda x, w: ours.conv2d(x, w, padding="full")),
    ("padding 'same' needs stride 1", lambda x, w: ours.conv2d(x, w, stride=2, padding="same")),
    ("output_padding must be less", lambda x, w: ours.conv_transpose2d(x, w, output_padding=1)),
    ("4 input channels", lambda x, w: ours.conv2d(x[:, :3], w)),
    ("no output is left", lambda x, w: ours.conv_transpose2d(x, w, padding=9)),
])  # fmt: skip
def test_wrong_values(text, call):
    with pytest.raises(ValueError, match=text):
        call(normal(1, 4, 5, 5), normal(4, 4, 3, 3))


def test_an_image_without_batch_and_an_empty_batch():
    x, w = normal(4, 6, 5), normal(6, 4, 3, 3)
    assert_near(ours.conv2d(x, w), F.conv2d(x, w))
    assert ours.conv2d(x.expand(0, 4, 6, 5), w).shape == (0, 6, 4, 3)


def test_views_of_all_kinds_are_read():
    x, w = normal(2, 6, 8, 8), normal(4, 4, 3, 3)
    for view in (x[:, 1:5], x[:, ::2].expand(2, 3, 8, 8)[:, :1].expand(2, 4, 8, 8), x.mT[:, 2:],
                 torch._neg_view(x)[:, :4]):  # fmt: skip
        assert_near(ours.conv2d(view, w), F.conv2d(view, w))


# Plans are kept with the weights


def change_data(w):
    w.data.mul_(2)


def change_in_place(w):
    with torch.no_grad():
        w[1, 0, 0, 0] += 100


def change_storage(w):
    w.data = w.data * 3


@pytest.mark.parametrize("change", [change_data, change_in_place, change_storage])
@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
@torch.no_grad()
def test_a_change_of_the_weights_is_seen(name, change):
    x, w = normal(1, 16, 9, 9), torch.nn.Parameter(normal(16, 16, 3, 3))
    for _ in range(4):
        assert_near(getattr(ours, name)(x, w), getattr(F, name)(x, w))
    change(w)
    for _ in range(4):
        assert_near(getattr(ours, name)(x, w), getattr(F, name)(x, w))


@torch.no_grad()
def test_plans_are_kept_bounded_and_die_with_the_weight():
    w = normal(8, 8, 3, 3)
    for _ in range(3):
        for size in range(5, 15):
            for _ in range(2):
                ours.conv2d(normal(1, 8, size, size), w)
    (place,) = [shelf for at, shelf in plans._shelves.values() if at() is w]
    assert len(place._plans) == plans.KEPT
    plan = weakref.ref(next(reversed(place._plans.values())))
    assert plan() is not None
    del w, place
    gc.collect()
    assert plan() is None


@torch.no_grad()
def test_settings_take_part_in_the_choice():
    x, w = normal(1, 64, 28, 28), normal(64, 64, 3, 3)
    for _ in range(3):
        ours.conv2d(x, w, padding=1)
    with pyconv.config(accuracy="strict"):
        for _ in range(3):
            y = ours.conv2d(x, w, padding=1)
        exact = pyconv.conv2d(x.numpy(), w.numpy(), padding=1)
    np.testing.assert_array_equal(y.numpy(), exact)


@torch.no_grad()
def test_threads_share_the_plans():
    w, images = normal(16, 16, 3, 3), [normal(1, 16, n, n) for n in range(6, 13)]
    wanted, wrong = [F.conv2d(x, w) for x in images], []

    def work():
        for _ in range(20):
            for x, y in zip(images, wanted, strict=True):
                if not torch.allclose(ours.conv2d(x, w), y, atol=1e-4):
                    wrong.append(x.shape)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_a_tangent_is_not_dropped():
    """Forward-mode derivatives have no formula here, and say so."""
    import torch.autograd.forward_ad as fwd

    with fwd.dual_level(), pytest.raises((RuntimeError, NotImplementedError)):
        ours.conv2d(fwd.make_dual(normal(1, 4, 5, 5), normal(1, 4, 5, 5)), normal(4, 4, 3, 3))


def test_without_pytorch_the_extra_is_named():
    code = "import sys; sys.modules['torch'] = None; import pyconv.torch"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'pyconv[torch]'" in done.stderr
