# SPDX-License-Identifier: BSD-3-Clause
"""Filters of arrays with any number of axes, in SciPy's words, as stages of images."""

import math
import numbers as abstract
from typing import NamedTuple

import numpy as np

from .bands import Stage, filter_image
from .borders import MODES, Border
from .doubt import cut_sums
from .kernels import apart, factors, join
from .numbers import Linear, extremes, is_input, is_output, numbers, storing, unit_of
from .volumes import filter_volume
from .whole import cut, filter_whole, is_whole

# Below so many multiplications SciPy's own loops take less time than the calls made here.
SMALL = 100_000
SMALL_LINE = 1_000_000  # NumPy's convolution of two lines


class Pass(NamedTuple):
    """A correlation along `axes`: one, or two or three neighbours. `weights` has as many dimensions."""

    axes: tuple
    weights: np.ndarray
    borders: tuple
    divisor: int = 1


def plain(value):
    """`value` as an array that is served here, or None: no subclass, no array of another library."""
    if type(value) is not np.ndarray:
        if not isinstance(value, (list, tuple)):
            return None
        value = np.asarray(value)
    return value if is_input(value.dtype) and value.ndim and value.size else None


def plain_weights(value):
    """`value` as float64 weights, or None."""
    value = plain(value)
    if value is None:
        return None
    value = value.astype(np.float64)
    return value if np.isfinite(value).all() else None


def number(value):
    """A float, or None for what isn't a real number that one holds."""
    try:
        return float(value) if isinstance(value, (abstract.Real, np.bool_)) else None
    except OverflowError:
        return None


def integer(value):
    return int(value) if isinstance(value, abstract.Integral) else None


def each(value, count):
    """A list of `count` values, from one or from a sequence of as many, else None."""
    if isinstance(value, str) or not np.iterable(value):
        return [value] * count
    value = list(value)
    return value if len(value) == count else None


def positions(axes, dimensions):
    """Axes as non-negative ints, or None where they are not as they should be."""
    if axes is None:
        return tuple(range(dimensions))
    axes = [integer(axis) for axis in (axes if np.iterable(axes) else (axes,))]
    if None in axes or not all(-dimensions <= axis < dimensions for axis in axes):
        return None
    axes = tuple(axis % dimensions for axis in axes)
    return axes if len(set(axes)) == len(axes) else None


def border(size, origin, mode, cval):
    """The `Border` of an axis that `size` taps are moved along, or None."""
    origin, value = integer(origin), number(cval)
    if origin is None or value is None or not isinstance(mode, str) or mode not in MODES:
        return None
    before = size // 2 + origin
    return Border(before, size - 1 - before, MODES[mode], value) if 0 <= before < size else None


def output_for(output, x):
    """SciPy's output: the array to return and to fill, or None where SciPy is asked."""
    if output is None:
        return np.empty(x.shape, x.dtype.newbyteorder("=")) if x.dtype.kind != "b" else None
    if isinstance(output, (type, np.dtype, str)):
        try:
            dtype = np.dtype(output)
        except TypeError:
            return None
        return np.empty(x.shape, dtype) if is_output(dtype) else None
    served = type(output) is np.ndarray and output.shape == x.shape and output.flags.writeable
    return output if served and is_output(output.dtype) else None


def image(array, axes):
    """``(images, rows, columns, inner)``: one of `axes` as rows, or two neighbours as rows and columns."""
    shape, first, last = array.shape, axes[0], axes[-1]
    columns = shape[last] if len(axes) == 2 else 1
    return array.reshape(math.prod(shape[:first]), shape[first], columns, math.prod(shape[last + 1 :]))


def _stage(step, store, axes):
    """The stage of a pass, in an image of `axes`."""
    if len(step.axes) == 2:
        return Stage(step.weights, *step.borders, store)
    if step.axes[0] == axes[0]:
        return Stage(step.weights[:, None], step.borders[0], Border(), store)
    return Stage(step.weights[None], Border(), step.borders[0], store)


def _joined(first, second):
    """Two passes along neighbouring axes as one, or None where that isn't the same or doesn't pay."""
    same = all(b.mode != "constant" or b.value == 0 for b in (*first.borders, *second.borders))
    if not same or not join(first.weights.size, second.weights.size):
        return None
    if first.axes > second.axes:
        first, second = second, first
    return Pass(
        first.axes + second.axes,
        np.multiply.outer(first.weights, second.weights),
        first.borders + second.borders,
        first.divisor * second.divisor,
    )


def _groups(steps, wraps):
    """Passes that go through bands together: lists of (pass, wrap), of one axis or two neighbours."""
    groups = []
    for step, wrap in zip(steps, wraps, strict=True):
        if groups and len(groups[-1]) == 1:
            before, between = groups[-1][0]
            if len(before.axes) == len(step.axes) == 1 and abs(before.axes[0] - step.axes[0]) == 1:
                joined = _joined(before, step) if between is None else None
                groups[-1] = [(joined, wrap)] if joined else [(before, between), (step, wrap)]
                continue
        groups.append([(step, wrap)])
    return groups


def _apart(step):
    """A pass over two or three axes as so many, where its weights come apart and that pays."""
    if len(step.axes) == 3:
        same = all(b.mode != "constant" or b.value == 0 for b in step.borders)
        parts = apart(step.weights) if same else None
        if parts:
            return [Pass((axis,), w, (b,)) for axis, w, b in zip(step.axes, parts, step.borders, strict=True)]
    if len(step.axes) == 2 and not join(*step.weights.shape):
        same = all(b.mode != "constant" or b.value == 0 for b in step.borders)
        pair = factors(step.weights) if same else None
        if pair:
            return [Pass((axis,), w, (b,)) for axis, w, b in zip(step.axes, pair, step.borders, strict=True)]
    return [step]


def _rounding(step, wrap, x_dtype, y_dtype, dtype):
    """``(weights, bias, dtype)`` of which rounding makes the integers of a pass, or None."""
    if wrap is None:
        return step.weights, None, dtype
    values = [b.value for b in step.borders if b.mode == "constant"]
    least, most = extremes(x_dtype)
    ends = min(least, *values, least), max(most, *values, most)
    return None if wrap else cut(step.weights, step.divisor, unit_of(step.weights), y_dtype, *ends)


def _apart_if_whole(groups, x_dtype, y_dtype, dtype):
    """Groups of integer passes, those that plans round as they should be each by itself."""
    for group in groups:
        kinds, from_dtype = [], x_dtype
        for step, wrap in group:
            whole = is_whole(from_dtype, y_dtype) and _rounding(step, wrap, from_dtype, y_dtype, dtype)
            kinds.append(bool(whole))
            from_dtype = y_dtype
        yield from ([one] for one in group) if all(kinds) else [group]
        x_dtype = y_dtype


def _as_volume(x, y, step, wrap, exact, dtype, accuracy):
    """Whether y is filled with a pass over three axes of x; a store of integers rounds and wraps them."""
    store = storing(wrap, step.divisor, y.dtype) if exact else None
    shape, first, last = x.shape, step.axes[0], step.axes[-1]
    around = math.prod(shape[:first]), math.prod(shape[last + 1 :])
    x = x.reshape(around[0], *shape[first : last + 1], around[1])
    return filter_volume(x, y, step.weights, step.borders, dtype, store, accuracy)


def _as_one_plan(x, y, step, wrap, exact, dtype, accuracy):
    """Whether y is filled with the pass of x, by a plan of all of it."""
    if not is_whole(x.dtype, y.dtype):
        return False
    made = _rounding(step, wrap, x.dtype, y.dtype, dtype) if exact else (step.weights, None, dtype)
    if made is None:
        return False
    weights, bias, dtype = made
    borders = step.borders if len(step.axes) == 2 else (*step.borders, Border())
    weights = weights if weights.ndim == 2 else weights[:, None]
    x, y = image(x, step.axes), image(y, step.axes)
    return filter_whole(x, y, weights, borders, dtype, bias=bias, accuracy=accuracy)


def run(x, y, steps, made, *, finite=False, accuracy="strict"):
    """Put x through the passes, into y; whether y is filled. `made` are their `Numbers`."""
    exact = y.dtype.kind != "f"
    if not exact:
        steps = [step._replace(weights=step.weights / step.divisor, divisor=1) for step in steps]
    groups = _groups(steps, made.wraps)
    if exact:
        groups = list(_apart_if_whole(groups, x.dtype, y.dtype, made.dtype))
    apart = y.flags.c_contiguous and not np.may_share_memory(x, y)
    for group in groups:
        last = group is groups[-1]
        axes = tuple(sorted({axis for step, _ in group for axis in step.axes}))
        stages = []
        solid = len(group[0][0].axes) == 3
        for step, wrap in () if solid else group:
            stores = exact and (wrap is not None or step is group[-1][0])
            stages.append(_stage(step, storing(wrap, step.divisor, y.dtype) if stores else None, axes))
        into = y
        if not (last and apart):
            shape = list(x.shape)
            for step in (step for step, _ in group):
                for axis, size, b in zip(step.axes, step.weights.shape, step.borders, strict=True):
                    shape[axis] += b.before + b.after - size + 1
            into = np.empty(shape, y.dtype)
        if solid:
            if not _as_volume(x, into, *group[0], exact, made.dtype, accuracy):
                return False
            if finite and not np.isfinite(np.add.reduce(into, axis=None)):
                return False
        elif len(group) == 1 and _as_one_plan(x, into, *group[0], exact, made.dtype, accuracy):
            if finite and not np.isfinite(np.add.reduce(into, axis=None)):
                return False
        elif not filter_image(
            image(x, axes), image(into, axes), stages, made.dtype, finite=finite, accuracy=accuracy
        ):
            return False
        x = into
    if x is not y:
        y[...] = x
    return True


def _cut(x, y, steps):
    """Whether y is filled with integers that are cut from sums along one axis after the other."""
    if x.dtype.kind not in "bu" or not all(len(s.axes) == 1 and s.divisor == 1 for s in steps):
        return False
    most = extremes(x.dtype)[1]
    for step in steps:
        into = np.empty(x.shape, y.dtype)
        most = cut_sums(image(x, step.axes), image(into, step.axes), step.weights, *step.borders, most)
        if most is None:
            return False
        x = into
    y[...] = x
    return True


def _numbers(x, y_dtype, steps, saturates):
    values = [b.value for step in steps for b in step.borders if b.mode == "constant"]
    linear = [Linear(step.weights, step.divisor) for step in steps]
    return numbers(x, y_dtype, linear, values[0] if values else 0.0, saturates)


def fill(x, y, steps, saturates=lambda dtype: False, *, finite=False, accuracy="strict"):
    """
    Put x through the passes, into y.

    Parameters
    ----------
    x, y : ndarray
        y may be x, or share memory with it.
    steps : list of Pass
    saturates : callable
        Whether SciPy's function doesn't wrap results beyond an integer type.
    finite : bool
        Stop at a result that isn't finite, of floats.
    accuracy : str
        As in `pyconv.conv2d`.

    Returns
    -------
    bool
        Whether y is filled; if not, it may be spoilt, but not x.
    """
    parts = [part for step in steps for part in _apart(step)]
    made = _numbers(x, y.dtype, parts, saturates)
    if made is None and len(parts) != len(steps):
        parts, made = steps, _numbers(x, y.dtype, steps, saturates)
    if made is None:
        return False
    finite = finite and y.dtype.kind == "f" and x.dtype.kind == "f"
    with np.errstate(all="ignore"):
        return run(x, y, parts, made, finite=finite, accuracy=accuracy)


def apply(input, output, steps, *, finite=False):
    """
    The result of SciPy's ndimage for passes along axes, or None where SciPy is to be asked.

    Parameters
    ----------
    input, output
        As SciPy's functions take them.
    steps : callable
        From the input as an array to its passes, or to None.
    finite : bool
        Leave what isn't finite to SciPy.
    """
    x = plain(input)
    steps = None if x is None else steps(x)
    if not steps or x.size * sum(step.weights.size for step in steps) < SMALL:
        return None
    y = output_for(output, x)
    if y is None:
        return None
    filled = fill(x, y, steps, lambda dtype: dtype == np.int32, finite=finite)
    return y if filled or (y.dtype.kind != "f" and _cut(x, y, steps)) else None
