# SPDX-License-Identifier: BSD-3-Clause
"""conv2d and plan: arrays and words into plans."""

import numpy as np

from ._arguments import checked_shape
from ._kernels import ALGORITHM_NAMES, Plan, as_array, as_bias, as_weight
from ._pickling import lasting
from ._problem import problem


def conv2d(
    x,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCHW",
    padding_mode="zeros",
    activation=None,
    residual=None,
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    out=None,
    workspace=None,
    out_dtype=None,
):
    """
    Two-dimensional cross-correlation of multi-channel images, as in convolutional networks.

    Parameters
    ----------
    x : array_like
        Images of shape ``(N, C, H, W)``, or ``(N, H, W, C)`` with ``layout="NHWC"``. Without a batch (3-D)
        the result has none either; further leading dimensions act as batch. float32, float64, float16,
        uint8, int8, uint16, int16 or bfloat16 (of the package ml_dtypes), whatever the dtype of `weight`.
    weight : array_like
        Filters of shape ``(K, C / groups, R, S)`` in both layouts. Its dtype, float32 or float64, is what is
        computed in; float16 is computed in float32. Lists of Python's numbers become float64 if `x` is, else
        float32. `C`, `K` and the batch may be 0: no channels sum to 0, no filters make an empty result.
    bias : array_like, optional
        One value per filter, shape ``(K,)``, of the dtype of `weight`; so does a list of numbers become.
    stride, dilation : int or (int, int)
        Rows, columns. Dilation 1 means none.
    padding : int, (int, int), ((int, int), (int, int)) or str
        Rows and columns, or ``((top, bottom), (left, right))``, or ``"valid"`` (none), ``"same"``
        (``ceil(size / stride)`` outputs, an odd row or column of padding at the end), ``"same_lower"``
        (at the beginning), ``"full"`` (every overlap).
    groups : int
        Channels and filters are split into so many groups that do not see each other; ``groups=C`` is
        depthwise.
    layout : {"NCHW", "NHWC"}
        Of `x`, `residual` and the result.
    padding_mode : str or ("constant", float)
        What stands outside the image ``a b c d``, however wide:

        - ``"zeros"``: ``0 0 | a b c d | 0 0``; ``("constant", v)``: ``v v | a b c d | v v``
        - ``"replicate"``, ``"edge"``, ``"nearest"``: ``a a | a b c d | d d``
        - ``"reflect"``, ``"mirror"``, ``"reflect_101"``: ``c b | a b c d | c b``
        - ``"symmetric"``: ``b a | a b c d | d c``, which SciPy's filters call "reflect"
        - ``"circular"``, ``"wrap"``: ``c d | a b c d | a b``

        The constant is rounded to the dtype of `x`, which must be able to hold it. Zeros take part in the
        sums: where a tap that is NaN or infinite meets them, the output is NaN. That is so in the strict
        class; the others spoil all outputs of such a filter, and ``strassen`` those of other filters, too.
    activation : None, "relu", "relu6" or ("clip", lo, hi)
        Applied last, before a result of integers is rounded. NaN stays NaN.
    residual : array_like, optional
        Of the shape and dtype of the result, added before the activation.
    algorithm : str
        ``"auto"``, or a name from `pyconv.algorithms`: used, or refused with the reason.
    max_workspace : int or str, optional
        Bytes, or ``"64MB"``, that workspace and packed weights together may take; 0 is legal.
    accuracy : {"strict", "standard", "fast"}, optional
        The loosest error class that may serve, see Notes. Default: that of `pyconv.config`, at first
        ``"standard"``.
    threads : int, optional
        Threads of the call, products by BLAS included; by default as many as OpenMP would use, or one for
        a while if other work takes the CPUs. Never more than the CPUs that this process may use when the
        plan is made (by affinity and control group) or than can be started; one in a forked child.
    out : ndarray, optional
        Of the shape and dtype of the result, in native byte order, overlapping no operand: a block of
        channels of a larger array, say. If it is not C-contiguous and aligned, the result is copied to it at
        the end, from memory that `max_workspace` does not count.
    workspace : buffer, optional
        Writable, aligned to 64 bytes, as long as the plan's `workspace_bytes`.
    out_dtype : dtype, optional
        Of the result: one of those of `x`, by default that of `weight`. Results are rounded once, from what
        is computed in, half to even. Integers saturate: below their least they are the least, above their
        largest the largest; NaN becomes 0.

    Returns
    -------
    ndarray
        ``(N, K, OH, OW)`` or ``(N, OH, OW, K)`` of `out_dtype`, where
        ``OH = (H + top + bottom - dilation * (R - 1) - 1) // stride + 1``.

    Raises
    ------
    TypeError
        For a dtype that is not served, a bias or residual of another than wanted, or an argument of the
        wrong type.
    ValueError
        For shapes and parameters that do not fit, with the numbers; for an `out_dtype` that is not served.
    UnsupportedError
        If the algorithm named cannot serve within the bounds.
    MemoryError
        With the bytes asked for.

    See Also
    --------
    plan : packs the weights once, for many calls.

    Notes
    -----
    The classes bound the error of each output on every input. Let eps be 2**-24, or 2**-53 for float64, K
    the number of products in an output and ``c = min(K, 256) + ceil(K / 128) + 2``:

    - strict: ``|y - exact| <= c eps A``, where A is the same convolution of absolute values, with
      ``|bias| + |residual|``. Windows of zeros give exact zeros, integers whose sums fit are exact, and a
      result that can't be negative isn't.
    - standard: ``|y - exact| <= 160 (c + 24) eps E``, fast: ``640 (c + 24) eps E``. E is the Euclidean norm
      of the filter times that of the pixels which the output shares, with ``|bias| + |residual|``: a tile of
      all channels of a group (Winograd), the whole image (fft; strassen, which takes the largest filter of
      the group). E is at least A, and larger where windows differ. Where a 0/1 mask meets a box filter, fft
      leaves an error of some 1e-7 times the norms where the sum must be 0, of either sign; Winograd leaves
      one where a constant meets a filter that adds up to 0. Where zeros, integers or signs matter, ask for
      ``accuracy="strict"``.

    `pyconv.explain` states the bound of each algorithm, ``error_bound``, in units of eps A or eps E; most
    errors are a small part of it. Strict algorithms are right up to the largest finite result. The others
    need ``|x| <= 8e37``, ``sum |w| <= 1e38`` of each filter and channel, and ``E <= 2e37`` (of float64, all
    near 1e307), and leave an error of about 1e-36 (Winograd) or 1e-38 times the points of a tile (fft) where
    numbers are that small.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> x = np.ones((1, 1, 3, 3), np.float32)
    >>> pyconv.conv2d(x, np.ones((1, 1, 3, 3), np.float32), padding=1)
    array([[[[4., 6., 4.],
             [6., 9., 6.],
             [4., 6., 4.]]]], dtype=float32)

    A photograph as it comes from a file, bytes with channels last, made softer:

    >>> photo = np.full((480, 640, 3), 200, np.uint8)
    >>> box = np.full((3, 1, 5, 5), 1 / 25, np.float32)
    >>> soft = pyconv.conv2d(photo, box, groups=3, layout="NHWC", padding="same", padding_mode="symmetric",
    ...                      out_dtype=np.uint8)
    >>> soft.shape, soft.dtype, int(soft[0, 0, 0])
    ((480, 640, 3), dtype('uint8'), 200)
    """
    x = as_array(x, "x")
    weight = as_weight(weight, "weight", x.dtype)
    described = problem(
        x.shape,
        x.dtype,
        weight.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        padding_mode=padding_mode,
        activation=activation,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        weight_dtype=weight.dtype,
        out_dtype=out_dtype,
    )
    # With a workspace the choice is that of `plan`, which says how much it takes.
    return Plan(described, weight, bias, True, workspace is None)(x, out, workspace, residual)


@lasting
def plan(
    x_shape,
    weight,
    bias=None,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    layout="NCHW",
    padding_mode="zeros",
    activation=None,
    algorithm="auto",
    max_workspace=None,
    accuracy=None,
    threads=None,
    dtype=None,
    out_dtype=None,
):
    """
    Choose an algorithm and pack the weights for many calls of `conv2d` on one input shape.

    Parameters
    ----------
    x_shape : tuple of int
        Shape of the inputs to come.
    weight, bias, stride, padding, dilation, groups, layout, padding_mode, activation
        As in `conv2d`.
    algorithm, max_workspace, accuracy, threads, out_dtype
        As in `conv2d`.
    dtype : dtype, optional
        Of the inputs to come, by default that of `weight`.

    Returns
    -------
    Plan
        Call it: ``y = plan(x, out=None, workspace=None, residual=None)``. It keeps its own copy of the
        weights, unless `max_workspace` has no room for one: then it reads the caller's array at each call.
        It pickles as the problem and the weights: a further copy, or, with a `max_workspace`, the caller's
        array, which must be unchanged then. The weights are packed anew where the pickle arrives.

    Raises
    ------
    TypeError, ValueError, UnsupportedError, MemoryError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> blur = pyconv.plan((1, 8, 8), np.full((1, 1, 3, 3), 1 / 9, np.float32), padding="same")
    >>> blur(np.ones((1, 8, 8), np.float32)).shape
    (1, 8, 8)
    """
    dtype = None if dtype is None else np.dtype(dtype)
    weight = as_weight(weight, "weight", dtype)
    bias = as_bias(bias, "bias", weight.dtype)
    described = problem(
        checked_shape(x_shape, "x_shape"),
        weight.dtype if dtype is None else dtype,
        weight.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=layout,
        padding_mode=padding_mode,
        activation=activation,
        algorithm=algorithm,
        max_workspace=max_workspace,
        accuracy=accuracy,
        threads=threads,
        dtype_of="weight" if dtype is None else "dtype",
        weight_dtype=weight.dtype,
        out_dtype=out_dtype,
    )
    return Plan, described.max_workspace, described, weight, bias


def algorithms():
    """
    Names of the algorithms, in the order of the table.

    Returns
    -------
    list of str
    """
    return list(ALGORITHM_NAMES)
