# SPDX-License-Identifier: BSD-3-Clause
"""conv_transpose3d: its arguments, checked, into a plan."""

from .._arguments import integer
from .._kernels import as_array, as_bias, as_weight, check_element, check_operand
from .describe import LAYOUTS_3D, check_volume, parse_word, six_sides, triple, volume
from .transposed import TransposedVolumePlan


def _result(size, kernel, stride, padding, extra, dilation):
    """The sizes of the result, which may be less than 1, and what is cut off its six sides."""
    for added, s, d in zip(extra, stride, dilation, strict=True):
        if not 0 <= added < max(s, d, 1):
            raise ValueError(
                "output_padding must be less than stride or dilation, and not negative: "
                f"is {extra} for stride {stride}, dilation {dilation}"
            )
    enlarged = tuple(i * s for i, s in zip(size, stride, strict=True))
    cut = six_sides(padding, enlarged, kernel, stride, dilation)
    if isinstance(padding, str) and padding in ("same", "same_lower"):
        if any(extra):
            raise ValueError(
                f"padding {padding!r} settles the size of the output: output_padding {extra} is too much"
            )
        return enlarged, cut
    axes = zip(size, kernel, stride, dilation, extra, map(sum, cut), strict=True)
    return tuple((i - 1) * s + d * (k - 1) + 1 + e - p for i, k, s, d, e, p in axes), cut


def conv_transpose3d(
    x,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    output_padding=0,
    dilation=1,
    groups=1,
    layout="NCDHW",
    activation=None,
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
    out_dtype=None,
):
    """
    Transposed convolution of volumes: each voxel of `x` paints the kernel, scaled, into the output.

    It is the gradient of `conv3d` with respect to its input. The slices that reach a slice of the result are
    so many more channels of one `conv_transpose2d`.

    Parameters
    ----------
    x : array_like
        Volumes of shape ``(N, C, D, H, W)``, or ``(N, D, H, W, C)`` with ``layout="NDHWC"``; without a batch,
        or with further leading dimensions, as in `conv3d`.
    weight : array_like
        Shape ``(C, K / groups, T, R, S)`` in both layouts, as PyTorch has it.
    bias : array_like, optional
        Shape ``(K,)``.
    stride, dilation : int or (int, int, int)
        Slices, rows, columns: distances between the paintings of neighbouring voxels, and between the taps of
        one.
    padding : int, (int, int, int), ((int, int), (int, int), (int, int)) or str
        Slices, rows and columns cut off the border of the result; words as in `conv_transpose2d`.
    output_padding : int or (int, int, int)
        Slices, rows and columns added at the end of the result, fewer than stride or dilation.
    groups : int
        As in `conv2d`.
    layout : {"NCDHW", "NDHWC"}
        Of `x` and the result.
    activation : None, "relu", "relu6" or ("clip", lo, hi)
        Applied last.
    algorithm, max_workspace, accuracy, threads
        As in `conv_transpose2d`.
    out : ndarray, optional
        Of the shape and dtype of the result, overlapping no operand; of any strides, as in `conv2d`.
    workspace : buffer, optional
        Writable, aligned to 64 bytes, as long as a call needs: a ValueError names the bytes if it is shorter.
    out_dtype : dtype, optional
        As in `conv2d`.

    Returns
    -------
    ndarray
        ``(N, K, OD, OH, OW)`` or ``(N, OD, OH, OW, K)``, where
        ``OD = (D - 1) * stride - front - back + dilation * (T - 1) + output_padding + 1``.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    See Also
    --------
    conv_transpose2d : the same of images.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> x = np.ones((1, 1, 2, 2, 2), np.float32)
    >>> pyconv.conv_transpose3d(x, np.ones((1, 1, 2, 2, 2), np.float32), stride=2).shape
    (1, 1, 4, 4, 4)
    """
    x = as_array(x, "x")
    check_element(x.dtype, "x", "x")
    last = parse_word(layout, LAYOUTS_3D, "layout") == "NHWC"
    weight = as_weight(weight, "weight", x.dtype)
    bias = as_bias(bias, "bias", weight.dtype)
    check_volume(x.shape, weight.shape)
    filters, channels, *kernel = weight.shape
    have = x.shape[-1 if last else -4]
    if filters != have:
        raise ValueError(f"weight has {filters} filters, x has {have} channels")
    stride, dilation, groups = (
        triple(stride, "stride"),
        triple(dilation, "dilation"),
        integer(groups, "groups"),
    )
    size = x.shape[-4:-1] if last else x.shape[-3:]
    image, cut = _result(size, kernel, stride, padding, triple(output_padding, "output_padding"), dilation)
    # The conv3d of the result; where none is left, of the least, and what else is wrong is said first.
    fits = min(*size, *image) > 0
    some = image if fits else tuple(max(d * (k - 1) + 1, 1) for d, k in zip(dilation, kernel, strict=True))
    result = channels * max(groups, 1)
    forward = volume(
        (*x.shape[:-4], *some, result) if last else (*x.shape[:-4], result, *some),
        x.dtype,
        weight.shape,
        stride=stride,
        padding=cut,
        dilation=dilation,
        groups=groups,
        layout=layout,
        activation=activation,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        x="the result",
        weight_dtype=weight.dtype,
        out_dtype=out_dtype,
    )
    if not fits:
        raise ValueError(
            f"no output is left: x of {'x'.join(map(str, size))}, kernel {tuple(kernel)}, stride {stride}, "
            f"dilation {dilation}, padding {cut} make {'x'.join(map(str, image))}"
        )
    if bias is not None:
        check_operand(bias, "bias", weight.dtype.num, (channels * groups,), "weight")
    prepared = TransposedVolumePlan(forward, x.shape, weight, bias)
    return prepared._once({"weight": weight, "bias": bias}, x, out, workspace)
