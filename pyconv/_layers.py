# SPDX-License-Identifier: BSD-3-Clause
"""Conv1d, Conv2d and Conv3d: weights and keywords, for inputs of any shape."""

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from ._arguments import checked_shape, integer, pair, parse_word
from ._config import settings
from ._kernels import Plan, as_array, as_bias, as_weight, check_operand
from ._problem import problem
from .operators.one_axis import LAYOUTS_1D, along, ends
from .volumes.convolve import plan_conv3d
from .volumes.describe import triple, volume


class _Layer:
    """What the three share; documented in `Conv2d`."""

    @staticmethod
    def _each(value: Any, name: str) -> tuple[int, ...]:
        """A word of each axis."""
        return pair(value, name)

    _axes, _layout = 2, "NCHW"

    def __init__(
        self,
        weight,
        bias=None,
        *,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        layout=None,
        padding_mode="zeros",
        activation=None,
        algorithm="auto",
        max_workspace=None,
        accuracy=None,
        threads=None,
        out_dtype=None,
        plans=4,
    ):
        words = {
            "stride": (_plain(stride), 1),
            "padding": (_plain(padding), 0),
            "dilation": (_plain(dilation), 1),
            "groups": (groups, 1),
            "layout": (self._layout if layout is None else layout, self._layout),
            "padding_mode": (_plain(padding_mode), "zeros"),
            "activation": (_plain(activation), None),
            "algorithm": (algorithm, "auto"),
            "max_workspace": (max_workspace, None),
            "accuracy": (accuracy, None),
            "threads": (threads, None),
            "out_dtype": (None if out_dtype is None else np.dtype(out_dtype), None),
        }
        plans = integer(plans, "plans")
        if plans < 1:
            raise ValueError(f"plans must be at least 1, is {plans}")
        weight = as_weight(weight, "weight")
        bias = as_bias(bias, "bias", weight.dtype)
        if weight.ndim != self._axes + 2:
            raise ValueError(f"weight must have {self._axes + 2} dimensions, has shape {weight.shape}")
        if bias is not None:
            check_operand(bias, "bias", weight.dtype.num, weight.shape[:1], "weight")
        vars(self).update(
            weight=_frozen(weight),
            bias=None if bias is None else _frozen(bias),
            _words={name: value for name, (value, _) in words.items()},
            _given={name: value for name, (value, default) in words.items() if value != default},
            _size=plans,
            _plans=OrderedDict(),
            _lock=threading.Lock(),
        )
        self._described(self._least_shape(), weight.dtype)  # says what is wrong with the words

    @property
    def keywords(self):
        return dict(self._given)

    def plan(self, x_shape, dtype=None):
        """
        The plan for one input shape, kept or new.

        Parameters
        ----------
        x_shape : tuple of int
        dtype : dtype, optional
            Of the inputs, by default that of the weight.

        Returns
        -------
        Plan or VolumePlan

        Raises
        ------
        TypeError, ValueError, UnsupportedError, MemoryError
            As in `pyconv.plan`.
        """
        dtype = self.weight.dtype if dtype is None else np.dtype(dtype)
        return self._planned(checked_shape(x_shape, "x_shape"), dtype)

    def __call__(self, x, out=None, workspace=None, residual=None):
        """
        Convolve x.

        Parameters
        ----------
        x : array_like
            Of any shape and dtype that the function of this name takes with this weight.
        out, workspace, residual
            As in `pyconv.Plan`, for the plan of this shape.

        Returns
        -------
        ndarray

        Raises
        ------
        TypeError, ValueError, UnsupportedError, MemoryError
            As in `pyconv.conv2d`.
        """
        x = as_array(x, "x")
        return self._planned(x.shape, x.dtype)(x, out, workspace, residual)

    def _planned(self, shape, dtype):
        key = shape, dtype, *settings.get().values()
        with self._lock:
            found = self._plans.get(key)
            if found is not None:
                self._plans.move_to_end(key)
                return found
        found = self._made(shape, dtype)
        with self._lock:
            self._plans[key] = found
            while len(self._plans) > self._size:
                self._plans.popitem(last=False)
        return found

    def _described(self, shape, dtype):
        return problem(shape, dtype, self.weight.shape, weight_dtype=self.weight.dtype, **self._words)

    def _made(self, shape, dtype):
        return Plan(self._described(shape, dtype), self.weight, self.bias)

    def _least_shape(self):
        """Of an input that the kernel fits."""
        dilation = self._each(self._words["dilation"], "dilation")
        image = tuple(max(d * (k - 1) + 1, 1) for d, k in zip(dilation, self.weight.shape[2:], strict=True))
        channels = self.weight.shape[1] * integer(self._words["groups"], "groups")
        last = isinstance(self._words["layout"], str) and self._words["layout"].endswith("C")
        return (*image, channels) if last else (channels, *image)

    def __setattr__(self, name, value):
        raise AttributeError(f"a {type(self).__name__} is immutable, {name} can't be set")

    def __delattr__(self, name):
        raise AttributeError(f"a {type(self).__name__} is immutable, {name} can't be deleted")

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return _remade, (type(self), self.weight, self.bias, self._given | {"plans": self._size})

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        return (
            self._given == other._given and _same(self.weight, other.weight) and _same(self.bias, other.bias)
        )

    def __hash__(self):
        return hash(
            (type(self), self.weight.shape, self.weight.dtype, *sorted(map(repr, self._given.items())))
        )

    def __repr__(self):
        filters, channels, *kernel = self.weight.shape
        size = "x".join(map(str, kernel))
        words = [f"{name}={value!r}" for name, value in self._given.items()]
        words += ["bias"] if self.bias is not None else []
        channels *= self._words["groups"]
        text = ", ".join([f"{channels} -> {filters} {size} {self.weight.dtype}", *words])
        return f"<pyconv.{type(self).__name__} {text}>"


def _remade(cls, weight, bias, words):
    return cls(weight, bias, **words)


def _frozen(array):
    copied = np.array(array, array.dtype.newbyteorder("="), order="C")
    copied.flags.writeable = False
    return copied


def _plain(value):
    """Lists and arrays as tuples, which nobody changes."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _same(a, b):
    """Element by element, NaN included."""
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


class Conv1d(_Layer):
    """`pyconv.conv1d` of weights ``(K, C / groups, S)``, for any input; see `pyconv.Conv2d`."""

    _axes, _layout = 1, "NCL"

    @staticmethod
    def _each(value, name):
        return (along(value, name),)

    def _described(self, shape, dtype):
        words = self._words | {
            "stride": (1, along(self._words["stride"], "stride")),
            "padding": ends(self._words["padding"]),
            "dilation": (1, along(self._words["dilation"], "dilation")),
            "layout": parse_word(self._words["layout"], LAYOUTS_1D, "layout"),
        }
        return problem(shape, dtype, self.weight.shape, axes=1, weight_dtype=self.weight.dtype, **words)


class Conv2d(_Layer):
    """
    `pyconv.conv2d` of some weights, for any input: it keeps the plans of the last few shapes.

    Immutable, so that threads may share it; copies of it are itself. It pickles as weights and keywords, and
    equals another of the same ones.

    Parameters
    ----------
    weight, bias, stride, padding, dilation, groups, layout, padding_mode, activation
        As in `pyconv.conv2d`. The weights are copied.
    algorithm, max_workspace, accuracy, threads, out_dtype
        As in `pyconv.conv2d`. `max_workspace` bounds each plan; the layer's own weights don't count.
    plans : int
        How many plans are kept: those used last.

    Attributes
    ----------
    weight, bias : ndarray
        Read-only; bias may be None.
    keywords : dict
        A copy of those above that aren't their defaults.

    Raises
    ------
    TypeError, ValueError
        As in `pyconv.conv2d`.

    Examples
    --------
    >>> import numpy as np, pyconv
    >>> layer = pyconv.Conv2d(np.ones((8, 3, 3, 3), np.float32), padding=1, activation="relu")
    >>> layer
    <pyconv.Conv2d 3 -> 8 3x3 float32, padding=1, activation='relu'>
    >>> layer(np.ones((1, 3, 16, 16), np.float32)).shape, layer(np.ones((3, 7, 9), np.float32)).shape
    ((1, 8, 16, 16), (8, 7, 9))
    """


class Conv3d(_Layer):
    """`pyconv.conv3d` of weights ``(K, C / groups, T, R, S)``, for any input; see `pyconv.Conv2d`."""

    _axes, _layout = 3, "NCDHW"

    @staticmethod
    def _each(value, name):
        return triple(value, name)

    def _described(self, shape, dtype):
        return volume(shape, dtype, self.weight.shape, weight_dtype=self.weight.dtype, **self._words)

    def _made(self, shape, dtype):
        return plan_conv3d.once(shape, self.weight, self.bias, dtype=dtype, **self._words)
