# SPDX-License-Identifier: BSD-3-Clause
"""
SciPy's linear filters of `scipy.ndimage`, with its signatures and results, by pyconv's kernels.

Put ``from pyconv import ndimage`` in the place of ``from scipy import ndimage``; every other name of
`scipy.ndimage` is here, too, and is SciPy's own.

Notes
-----
Results are SciPy's but for the rounding of floats:

- float32 that becomes float32 is computed in float32, where SciPy sums in float64 and rounds each axis. The
  difference is below ``(n + 7 a) * 2**-24`` times the filter of absolute values: n is the number of taps of
  all axes together, or of a kernel that isn't a product of one for each axis, and a that of the axes; beyond
  128 taps of an axis it is a little more. Sums beyond 3.4e38 overflow. So it is with 8 and 16 bit integers
  that become float32. With ``output=numpy.float64`` all is computed in float64.
- Everything else is computed in float64, in another order than SciPy's.
- Integers that become integers are SciPy's exactly: they are rounded towards zero, and wrap, after each axis.
  They are computed here where every sum is exact, that is with weights that are multiples of ``2**-24``.
  With others, a Gaussian's for example, unsigned integers of 8 and 16 bits are computed here, too, if no
  weight is negative: where a sum may be an integer but for rounding, SciPy is asked. All else is SciPy's.

SciPy is called for small arrays, complex numbers, arrays of other libraries, kernels of `correlate` and
`convolve` over more than three axes or over some that aren't neighbours, and whatever it raises an error for.
`pyconv.config` bounds threads and workspace; beside that workspace a call keeps two or three bands of rows,
of about half a megabyte each, or, of integers, the array between two axes. A Gaussian of bytes into bytes
keeps some eight arrays like the input.
"""

import itertools
from types import SimpleNamespace

import numpy as np
import scipy.ndimage

from ._filters import kernels
from ._filters.passes import Pass, apply, border, each, integer, number, plain_weights, positions

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "gaussian_filter",
    "gaussian_filter1d",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "laplace",
    "prewitt",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
]

# As in SciPy, taps of kernels over several axes count as none up to this size.
NEGLIGIBLE = np.finfo(np.float64).eps


# SciPy's own, whatever is put in their place later: these, for example.
_theirs = SimpleNamespace(
    **{
        name: getattr(scipy.ndimage, name)
        for name in (*__all__, *("generic_laplace", "generic_gradient_magnitude"))
    }
)


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(scipy.ndimage, name)


def __dir__():
    return sorted({*globals(), *dir(scipy.ndimage)})


def _one_axis(x, axis, weights, mode, cval, origin=0, divisor=1):
    """The pass along `axis`, or None."""
    along = None if integer(axis) is None else positions(axis, x.ndim)
    if along is None or weights is None or weights.ndim != 1 or not weights.size:
        return None
    b = border(weights.size, origin, mode, cval)
    return b and Pass(along, weights, (b,), divisor)


def _complete(steps):
    """The list, or None where one isn't known."""
    steps = list(steps)
    return None if any(step is None for step in steps) else steps


def _axes(axes):
    """`axes` as a keyword, for versions of SciPy that know none."""
    return {} if axes is None else {"axes": axes}


def _turned(weights, origin, dimensions):
    """Weights and origins of the correlation that is this convolution, or None."""
    origins = each(origin, dimensions)
    origins = None if weights is None or origins is None else [integer(o) for o in origins]
    if not origins or None in origins or weights.ndim != dimensions:
        return None, None
    return np.flip(weights), [-o - (size + 1) % 2 for o, size in zip(origins, weights.shape, strict=True)]


def correlate1d(input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
    """
    Correlation along one axis, as `scipy.ndimage.correlate1d`.

    Parameters
    ----------
    input : array_like
    weights : array_like
        One-dimensional.
    axis : int
    output : ndarray, dtype or str, optional
        The array to fill, `input` itself for example, or the type of a new one; that of `input` by default.
    mode : {"reflect", "mirror", "nearest", "wrap", "constant", "grid-mirror", "grid-wrap", "grid-constant"}
        What stands beyond the array.
    cval : float
        That, of the mode "constant".
    origin : int
        Moves the kernel: positive to lower indices.

    Returns
    -------
    ndarray

    Notes
    -----
    What differs from SciPy in the last bits of floats is said at the head of `pyconv.ndimage`.
    """
    y = apply(
        input, output, lambda x: _complete([_one_axis(x, axis, plain_weights(weights), mode, cval, origin)])
    )
    return _theirs.correlate1d(input, weights, axis, output, mode, cval, origin) if y is None else y


def convolve1d(input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
    """
    Convolution along one axis, as `scipy.ndimage.convolve1d`.

    Parameters
    ----------
    input, weights, axis, output, mode, cval
        As in `correlate1d`.
    origin : int
        Moves the kernel: positive to higher indices.

    Returns
    -------
    ndarray
    """

    def steps(x):
        turned, origins = _turned(plain_weights(weights), origin, 1)
        return origins and _complete([_one_axis(x, axis, turned, mode, cval, origins[0])])

    y = apply(input, output, steps)
    return _theirs.convolve1d(input, weights, axis, output, mode, cval, origin) if y is None else y


def _several_axes(x, weights, origins, axes, mode, cval):
    """The pass of a kernel over one axis, or two or three neighbours, or None."""
    axes = positions(axes, x.ndim)
    if axes is None or weights is None or weights.ndim != len(axes) or not axes or not weights.size:
        return None
    origins = each(origins, len(axes))
    if origins is None:
        return None
    borders = [border(size, o, mode, cval) for size, o in zip(weights.shape, origins, strict=True)]
    if None in borders or list(axes) != sorted(axes):
        return None
    long = [i for i, size in enumerate(weights.shape) if size > 1] or [len(axes) - 1]
    if len(long) > 3 or any(axes[b] - axes[a] != 1 for a, b in itertools.pairwise(long)):
        return None
    weights = np.where(np.abs(weights) > NEGLIGIBLE, weights, 0.0)
    kernel = weights.reshape([weights.shape[i] for i in long])
    return Pass(tuple(axes[i] for i in long), kernel, tuple(borders[i] for i in long))


def _with_gaps(weights):
    """Whether a NaN under a tap of 0 is to leave no trace."""
    return weights is not None and bool(np.any(np.abs(weights) <= NEGLIGIBLE))


def correlate(input, weights, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None):
    """
    Correlation along several axes, as `scipy.ndimage.correlate`.

    Parameters
    ----------
    input : array_like
    weights : array_like
        As many dimensions as `input`, or as `axes` has entries.
    output, mode, cval
        As in `correlate1d`.
    origin : int or sequence of int
        As in `correlate1d`, one for each of `axes`.
    axes : tuple of int, optional
        Those that the dimensions of `weights` belong to; all by default.

    Returns
    -------
    ndarray
    """
    kernel = plain_weights(weights)
    y = apply(
        input,
        output,
        lambda x: _complete([_several_axes(x, kernel, origin, axes, mode, cval)]),
        finite=_with_gaps(kernel),
    )
    if y is None:
        return _theirs.correlate(input, weights, output, mode, cval, origin, **_axes(axes))
    return y


def convolve(input, weights, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None):
    """
    Convolution along several axes, as `scipy.ndimage.convolve`.

    Parameters
    ----------
    input, weights, output, mode, cval, axes
        As in `correlate`.
    origin : int or sequence of int
        As in `convolve1d`, one for each of `axes`.

    Returns
    -------
    ndarray
    """
    kernel = plain_weights(weights)

    def steps(x):
        turned, origins = _turned(kernel, origin, 0 if kernel is None else kernel.ndim)
        return origins and _complete([_several_axes(x, turned, origins, axes, mode, cval)])

    y = apply(input, output, steps, finite=_with_gaps(kernel))
    if y is None:
        return _theirs.convolve(input, weights, output, mode, cval, origin, **_axes(axes))
    return y


def _gaussian(x, axis, sigma, order, mode, cval, truncate, radius):
    """The pass of a Gaussian or its derivative, or None."""
    sigma, order, truncate = number(sigma), integer(order), number(truncate)
    if None in (sigma, order, truncate) or (radius is not None and integer(radius) is None):
        return None
    if order < 0 or not (0 < sigma < 1e6 and 0 <= truncate < 1e6) or (radius is not None and radius < 0):
        return None
    weights = kernels.gaussian(sigma, order, truncate, radius)
    return _one_axis(x, axis, weights, mode, cval) if np.isfinite(weights).all() else None


def gaussian_filter1d(
    input, sigma, axis=-1, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None
):
    """
    Gaussian filter along one axis, as `scipy.ndimage.gaussian_filter1d`.

    Parameters
    ----------
    input, axis, output, mode, cval
        As in `correlate1d`.
    sigma : float
        Standard deviation, in pixels.
    order : int
        Of the derivative of the Gaussian; 0 is the Gaussian itself.
    truncate : float
        Standard deviations at which it is cut off.
    radius : int, optional
        Pixels at which it is cut off, in place of `truncate`.

    Returns
    -------
    ndarray
    """
    y = apply(
        input,
        output,
        lambda x: _complete([_gaussian(x, axis, sigma, order, mode, cval, truncate, radius)]),
    )
    if y is None:
        return _theirs.gaussian_filter1d(
            input, sigma, axis, order, output, mode, cval, truncate, radius=radius
        )
    return y


def gaussian_filter(
    input, sigma, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None, axes=None
):
    """
    Gaussian filter along several axes, as `scipy.ndimage.gaussian_filter`.

    Parameters
    ----------
    input, output, cval, truncate
        As in `gaussian_filter1d`.
    sigma, order, mode, radius
        As in `gaussian_filter1d`; one, or one for each of `axes`. A sigma up to 1e-15 leaves its axis alone.
    axes : tuple of int, optional
        All by default.

    Returns
    -------
    ndarray

    Notes
    -----
    Where integers become integers, SciPy cuts them after each axis. Finding its integers takes several times
    as long as ``output=numpy.float32``.
    """

    def steps(x):
        along = positions(axes, x.ndim)
        words = along and [each(word, len(along)) for word in (sigma, order, mode, radius)]
        if not words or None in words:
            return None
        return _complete(
            _gaussian(x, axis, s, o, m, cval, truncate, r)
            for axis, s, o, m, r in zip(along, *words, strict=True)
            if number(s) is None or s > 1e-15
        )

    y = apply(input, output, steps)
    if y is None:
        return _theirs.gaussian_filter(
            input, sigma, order, output, mode, cval, truncate, radius=radius, axes=axes
        )
    return y


def _uniform(x, axis, size, mode, cval, origin):
    """The pass of a box, or None."""
    size = integer(size)
    # SciPy's running sums take no longer for longer boxes.
    if size is None or not 1 <= size <= kernels.LONGEST_BOX:
        return None
    return _one_axis(x, axis, np.ones(size), mode, cval, origin, size)


def uniform_filter1d(input, size, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
    """
    Mean of a window along one axis, as `scipy.ndimage.uniform_filter1d`.

    Parameters
    ----------
    input, axis, output, mode, cval, origin
        As in `correlate1d`.
    size : int
        Length of the window.

    Returns
    -------
    ndarray

    Notes
    -----
    SciPy's running sums serve long windows, and arrays that hold a NaN or an infinity, which then spoils the
    rest of its line.
    """
    y = apply(input, output, lambda x: _complete([_uniform(x, axis, size, mode, cval, origin)]), finite=True)
    return _theirs.uniform_filter1d(input, size, axis, output, mode, cval, origin) if y is None else y


def uniform_filter(input, size=3, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None):
    """
    Mean of a box, as `scipy.ndimage.uniform_filter`.

    Parameters
    ----------
    input, output, cval
        As in `uniform_filter1d`.
    size, mode, origin
        As in `uniform_filter1d`; one, or one for each of `axes`.
    axes : tuple of int, optional
        All by default.

    Returns
    -------
    ndarray
    """

    def steps(x):
        along = positions(axes, x.ndim)
        words = along and [each(word, len(along)) for word in (size, mode, origin)]
        if not words or None in words:
            return None
        return _complete(
            _uniform(x, axis, n, m, cval, o)
            for axis, n, m, o in zip(along, *words, strict=True)
            if integer(n) is None or n > 1
        )

    y = apply(input, output, steps, finite=True)
    if y is None:
        return _theirs.uniform_filter(input, size, output, mode, cval, origin, axes=axes)
    return y


def _gradient(input, axis, output, mode, cval, smooth):
    """Differences along `axis`, weighted sums of three along all others; or None."""

    def steps(x):
        along, modes = positions(axis, x.ndim) if integer(axis) is not None else None, each(mode, x.ndim)
        if along is None or modes is None:
            return None
        order = [*along, *(i for i in range(x.ndim) if i not in along)]
        kernel = {i: np.array([-1.0, 0.0, 1.0] if i in along else smooth) for i in order}
        return _complete(_one_axis(x, i, kernel[i], modes[i], cval) for i in order)

    return apply(input, output, steps)


def prewitt(input, axis=-1, output=None, mode="reflect", cval=0.0):
    """
    Differences along one axis, sums of three along the others, as `scipy.ndimage.prewitt`.

    Parameters
    ----------
    input, axis, output, cval
        As in `correlate1d`.
    mode : str or sequence of str
        As in `correlate1d`; one, or one for each axis of `input`.

    Returns
    -------
    ndarray
    """
    y = _gradient(input, axis, output, mode, cval, (1.0, 1.0, 1.0))
    return _theirs.prewitt(input, axis, output, mode, cval) if y is None else y


def sobel(input, axis=-1, output=None, mode="reflect", cval=0.0):
    """
    Differences along one axis, sums of three weighted 1, 2, 1 along the others, as `scipy.ndimage.sobel`.

    Parameters
    ----------
    input, axis, output, mode, cval
        As in `prewitt`.

    Returns
    -------
    ndarray
    """
    y = _gradient(input, axis, output, mode, cval, (1.0, 2.0, 1.0))
    return _theirs.sobel(input, axis, output, mode, cval) if y is None else y


def laplace(input, output=None, mode="reflect", cval=0.0, *, axes=None):
    """
    Sum of second differences, as `scipy.ndimage.laplace`.

    Parameters
    ----------
    input, output, cval
        As in `correlate1d`.
    mode : str or sequence of str
        As in `correlate1d`; one, or one for each of `axes`.
    axes : tuple of int, optional
        All by default.

    Returns
    -------
    ndarray
    """

    def steps(x):
        along = positions(axes, x.ndim)
        modes = along and each(mode, len(along))
        if not modes or len(along) != 2 or along[0] + 1 != along[1]:
            return None
        if isinstance(output, np.ndarray) and np.may_share_memory(x, output):
            return None  # SciPy takes the second axis of what the first has written
        borders = [border(3, 0, m, cval) for m in modes]
        cross = np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
        return None if None in borders else [Pass(along, cross, tuple(borders))]

    def second(input, axis, output, mode, cval):
        return correlate1d(input, [1, -2, 1], axis, output, mode, cval)

    y = apply(input, output, steps, finite=True)
    if y is None:
        return _theirs.generic_laplace(input, second, output, mode, cval, **_axes(axes))
    return y


def _derivative(sigma, order, keywords):
    """The Gaussian derivative of SciPy's generic filters."""

    def derivative(input, axis, output, mode, cval):
        orders = [0] * np.ndim(input)
        orders[axis] = order
        return gaussian_filter(input, sigma, orders, output, mode, cval, **keywords)

    return derivative


def gaussian_laplace(input, sigma, output=None, mode="reflect", cval=0.0, *, axes=None, **kwargs):
    """
    Sum of second derivatives of a Gaussian filter, as `scipy.ndimage.gaussian_laplace`.

    Parameters
    ----------
    input, output, mode, cval, axes
        As in `laplace`.
    sigma : float or sequence of float
        As in `gaussian_filter`.
    **kwargs
        Of `gaussian_filter`: `truncate`, `radius`.

    Returns
    -------
    ndarray
    """
    dimensions = np.ndim(input)
    along, sigmas = positions(axes, dimensions), sigma
    if axes is not None and along is not None:
        given = each(sigma, len(along))
        sigmas = given and [given[along.index(i)] if i in along else 0 for i in range(dimensions)]
    if along is None or sigmas is None:
        return _theirs.gaussian_laplace(input, sigma, output, mode, cval, **_axes(axes), **kwargs)
    second = _derivative(sigmas, 2, kwargs)
    return _theirs.generic_laplace(input, second, output, mode, cval, **_axes(axes))


def gaussian_gradient_magnitude(input, sigma, output=None, mode="reflect", cval=0.0, *, axes=None, **kwargs):
    """
    Length of the gradient of a Gaussian filter, as `scipy.ndimage.gaussian_gradient_magnitude`.

    Parameters
    ----------
    input, sigma, output, mode, cval, axes, **kwargs
        As in `gaussian_laplace`.

    Returns
    -------
    ndarray
    """
    first = _derivative(sigma, 1, kwargs)
    return _theirs.generic_gradient_magnitude(input, first, output, mode, cval, **_axes(axes))
