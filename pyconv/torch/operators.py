# SPDX-License-Identifier: BSD-3-Clause
"""
Three operators that are one another's gradients, so that any order of them is at hand.

    convolution        y[o] = sum x[c] * w[o, c]     from (x, w)
    transposed         x from (y, w): its gradient with respect to x, and PyTorch's conv_transpose
    weight_gradient    w from (x, y)

Each is linear in both of its operands. Eager tensors take a short way, by an autograd function or, where no
gradient is wanted, by the kernel itself; torch.compile, torch.export, tracers and subclasses see operators of
torch.library.

x (N, C, [[D,] H,] W), y (N, K, [[OD,] OH,] OW), w (K, C / groups, [[T,] R,] S); of each spatial axis
stride, dilation, and padding before and after: ``[top, bottom, left, right]``.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from .._kernels import Plan
from .._problem import problem
from ..operators.gradients import conv2d_backward_input, conv2d_backward_weight
from ..operators.transpose import conv_transpose2d, plan_conv_transpose2d
from ..volumes.convolve import plan_conv3d
from ..volumes.gradients import conv3d_backward_input, conv3d_backward_weight
from ..volumes.transpose import conv_transpose3d
from .plans import kept, threads
from .tensors import PLAIN, array, channels_last, empty, tensor, weights

Ints = Sequence[int]


def eager(tensors: tuple[Tensor | None, ...]) -> bool:
    """Whether these are plain tensors, and nobody watches."""
    if (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._len_torch_dispatch_stack()
        or torch._C._functorch.peek_interpreter_stack() is not None
    ):
        return False
    return all(t is None or type(t) in PLAIN for t in tensors)


def _refuse_tangents(tensors: tuple[Tensor | None, ...]) -> None:
    forward_ad = torch.autograd.forward_ad
    if forward_ad._current_level >= 0:
        for t in tensors:
            if t is not None and forward_ad.unpack_dual(t).tangent is not None:
                raise NotImplementedError("pyconv.torch has no derivatives in forward mode")


class Operator:
    """
    A kernel, what it makes of shapes, and its gradients, as an operator of torch.library and as a function.

    The first `tensors` of the arguments are tensors, or None. A kernel may pack its weights for this call
    alone (`once`), which is what training wants: there they change before the next.
    """

    def __init__(
        self,
        kernel: Callable[..., Tensor],
        shapes: Callable[..., Tensor],
        keep: Callable[..., None],
        backward: Callable[..., Any],
        tensors: int,
        schema: str,
    ) -> None:
        self.kernel, self.tensors = kernel, tensors
        name, schema = f"pyconv::{kernel.__name__}", f"({schema}) -> Tensor"
        self.library = torch.library.custom_op(name, kernel, mutates_args=(), schema=schema)
        self.library.register_fake(shapes)
        self.library.register_autograd(backward, setup_context=keep)

        def forward(*arguments: Any) -> Tensor:
            return kernel(*arguments, once=True)

        body = {"forward": forward, "setup_context": keep, "backward": backward}
        self.function = type(
            kernel.__name__, (torch.autograd.Function,), {name: staticmethod(f) for name, f in body.items()}
        )

    def __call__(self, *arguments: Any, once: bool = False) -> Tensor:
        tensors = arguments[: self.tensors]
        if not eager(tensors):
            return self.library(*arguments)
        _refuse_tangents(tensors)
        if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
            return self.function.apply(*arguments)
        return self.kernel(*arguments, once=once)


def lifted(stride: Ints, padding: Ints, dilation: Ints, groups: int) -> dict[str, Any]:
    """The window as keywords of `pyconv.conv2d`; a signal is an image of one row."""
    if len(stride) == 1:
        stride, padding, dilation = (1, *stride), (0, 0, *padding), (1, *dilation)
    sides = tuple(zip(padding[::2], padding[1::2], strict=True))
    return {
        "stride": tuple(stride),
        "padding": sides,
        "dilation": tuple(dilation),
        "groups": groups,
        "threads": threads(),
    }


def images(t: Tensor) -> Tensor:
    """Signals as images of one row."""
    return t.unsqueeze(-2) if t.dim() == 3 else t


def _layout(a: NDArray[Any], last: bool) -> str:
    return ("NDHWC" if last else "NCDHW") if a.ndim == 5 else ("NHWC" if last else "NCHW")


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    once: bool = False,
) -> Tensor:
    last = channels_last(x)
    a = array(images(x), last)

    def prepared(*single: bool) -> Callable[..., Any]:
        window = lifted(stride, padding, dilation, groups)
        window |= {"layout": _layout(a, last), "out_dtype": a.dtype}
        w, b = weights(images(weight)), None if bias is None else weights(bias)
        if w.ndim == 5:
            return plan_conv3d.once(a.shape, w, b, dtype=a.dtype, **window)
        described = problem(a.shape, a.dtype, w.shape, **window, weight_dtype=w.dtype)
        return Plan(described, w, b, *single)

    key = a.shape, a.dtype, last, *stride, *padding, *dilation, groups
    # With a plan to keep, the first calls take the algorithm that it will have.
    plan = prepared(True, True) if once else kept(weight, bias, key, prepared) or prepared(True, False)
    y = tensor(plan(a), x.dtype, last)
    return y.squeeze(-2) if x.dim() == 3 else y


def _size(x, weight, stride, padding, dilation):
    """Of the spatial axes of the convolution."""
    axes = len(stride)
    return [
        (i + padding[2 * n] + padding[2 * n + 1] - dilation[n] * (k - 1) - 1) // stride[n] + 1
        for n, (i, k) in enumerate(zip(x.shape[-axes:], weight.shape[-axes:], strict=True))
    ]


def _convolution_shapes(x, weight, bias, stride, padding, dilation, groups):
    return empty(x, (x.shape[0], weight.shape[0], *_size(x, weight, stride, padding, dilation)))


def _keep_window(ctx, inputs, output):
    x, weight, *_ = inputs
    ctx.save_for_backward(x, weight)
    ctx.window = inputs[-4:]


def _channel_sums(dy: Tensor) -> Tensor:
    return dy.sum(dim=[0, *range(2, dy.dim())])


def _convolution_backward(ctx, dy):
    x, weight = ctx.saved_tensors
    of_x, of_weight, of_bias, *_ = ctx.needs_input_grad
    axes = len(ctx.window[0])
    dx = TRANSPOSED(dy, weight, None, x.shape[-axes:], *ctx.window, once=True) if of_x else None
    dw = WEIGHT_GRADIENT(x, dy, weight.shape[-axes:], *ctx.window, once=True) if of_weight else None
    db = _channel_sums(dy) if of_bias else None
    return dx, dw, db, None, None, None, None


def transposed(
    y: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    size: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    once: bool = False,
) -> Tensor:
    last = channels_last(y)
    a = array(images(y), last)
    window = lifted(stride, padding, dilation, groups) | {"layout": _layout(a, last)}
    w, b = weights(images(weight)), None if bias is None else weights(bias)
    image, dtype = ((1, *size) if y.dim() == 3 else tuple(size)), a.dtype

    def extra() -> tuple[int, ...]:
        """Rows and columns of the result that the last step of the stride leaves out."""
        axes = zip(image, a.shape[1:-1] if last else a.shape[2:], w.shape[2:], strict=True)
        return tuple(
            i - ((o - 1) * s + d * (k - 1) + 1 - sum(p))
            for (i, o, k), s, d, p in zip(
                axes, window["stride"], window["dilation"], window["padding"], strict=True
            )
        )

    def prepared() -> Callable[..., Any]:
        return plan_conv_transpose2d.once(
            a.shape, w, b, **window, output_padding=extra(), dtype=dtype, out_dtype=dtype
        )

    key = "transposed", a.shape, dtype, last, *size, *stride, *padding, *dilation, groups
    plan = None if once or w.ndim == 5 else kept(weight, bias, key, prepared)
    if plan is not None:
        result = plan(a)
    elif bias is None and w.dtype == dtype:
        channels = w.shape[1] * groups
        shape = (a.shape[0], *image, channels) if last else (a.shape[0], channels, *image)
        result = (conv3d_backward_input if w.ndim == 5 else conv2d_backward_input)(shape, w, a, **window)
    else:
        result = (conv_transpose3d if w.ndim == 5 else conv_transpose2d)(
            a, w, b, **window, output_padding=extra(), out_dtype=dtype
        )
    x = tensor(result, y.dtype, last)
    return x.squeeze(-2) if y.dim() == 3 else x


def _transposed_shapes(y, weight, bias, size, stride, padding, dilation, groups):
    return empty(y, (y.shape[0], weight.shape[1] * groups, *size))


def _transposed_backward(ctx, dx):
    y, weight = ctx.saved_tensors
    of_y, of_weight, of_bias, *_ = ctx.needs_input_grad
    axes = len(ctx.window[0])
    dy = dw = None
    size = y.shape[-axes:]
    if of_y:
        # Padding added to the result may have made room for more of y than there was.
        dy = CONVOLUTION(dx, weight, None, *ctx.window, once=True)
        for axis in range(axes):
            if dy.shape[2 + axis] != size[axis]:
                dy = dy.narrow(2 + axis, 0, size[axis])
    if of_weight:
        wide = _size(dx, weight, *ctx.window[:3])
        short = [a - b for a, b in zip(wide, size, strict=True)]
        if any(short):
            y = torch.nn.functional.pad(y, [n for missing in reversed(short) for n in (0, missing)])
        dw = WEIGHT_GRADIENT(dx, y, weight.shape[-axes:], *ctx.window, once=True)
    return dy, dw, _channel_sums(dx) if of_bias else None, None, None, None, None, None


def weight_gradient(
    x: Tensor,
    y: Tensor,
    size: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    once: bool = False,
) -> Tensor:
    last = channels_last(x)
    given = x.dtype
    if given == torch.bfloat16:
        x, y = x.float(), y.float()
    a, b = array(images(x), last), array(images(y), last)
    channels, filters = x.shape[1] // groups, y.shape[1]
    window = lifted(stride, padding, dilation, groups) | {"layout": _layout(a, last)}
    kernel = (1, *size) if len(size) == 1 else tuple(size)
    gradient = conv3d_backward_weight if a.ndim == 5 else conv2d_backward_weight
    w = gradient(a, (filters, channels, *kernel), b, **window)
    return torch.from_numpy(w).to(given).reshape(filters, channels, *size)


def _weight_gradient_shapes(x, y, size, stride, padding, dilation, groups):
    return x.new_empty((y.shape[1], x.shape[1] // groups, *size))


def _weight_gradient_backward(ctx, dw):
    x, y = ctx.saved_tensors
    of_x, of_y, *_ = ctx.needs_input_grad
    axes = len(ctx.window[0])
    dx = TRANSPOSED(y, dw, None, x.shape[-axes:], *ctx.window, once=True) if of_x else None
    dy = CONVOLUTION(x, dw, None, *ctx.window, once=True) if of_y else None
    return dx, dy, None, None, None, None, None


WINDOW = "SymInt[] stride, SymInt[] padding, SymInt[] dilation, SymInt groups"
CONVOLUTION = Operator(
    convolution,
    _convolution_shapes,
    _keep_window,
    _convolution_backward,
    3,
    f"Tensor x, Tensor weight, Tensor? bias, {WINDOW}",
)
TRANSPOSED = Operator(
    transposed,
    _transposed_shapes,
    _keep_window,
    _transposed_backward,
    3,
    f"Tensor y, Tensor weight, Tensor? bias, SymInt[] size, {WINDOW}",
)
WEIGHT_GRADIENT = Operator(
    weight_gradient,
    _weight_gradient_shapes,
    _keep_window,
    _weight_gradient_backward,
    2,
    f"Tensor x, Tensor y, SymInt[] size, {WINDOW}",
)
