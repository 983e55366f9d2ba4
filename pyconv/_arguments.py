# SPDX-License-Identifier: BSD-3-Clause
"""What callers say in words, numbers and pairs, as the integers they stand for."""

import math
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
INF = math.inf
# What NumPy, SciPy and OpenCV call a border. SciPy's "reflect" is "symmetric" here, as in NumPy.
BORDERS = {
    "edge": "replicate",
    "nearest": "replicate",
    "wrap": "circular",
    "mirror": "reflect",
    "reflect_101": "reflect",
}
Code = TypeVar("Code")
Pair = tuple[int, int]
Sides = tuple[int, int, int, int]
CHANNEL_AXES = {"NCHW": -3, "NHWC": -1}
ACTIVATIONS = {None: (-INF, INF), "relu": (0.0, INF), "relu6": (0.0, 6.0)}


def parse_bytes(value: Any) -> int:
    """Bytes as an int: ``1000``, ``"64MB"``, ``"1.5 GiB"``."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+)(?:\.(\d+))?\s*([kmgt]?i?)b?\s*", value.lower())
        if not match or match[3] not in UNITS:
            raise ValueError(
                f"max_workspace must be bytes or a text such as '64MB' or '1.5GiB', is {value!r}"
            )
        whole, fraction, unit = match.groups(default="")
        return int(whole + fraction) * UNITS[unit] // int(10 ** len(fraction))
    try:
        size = operator.index(value)
    except TypeError:
        raise TypeError(f"max_workspace must be an int, a text or None, is {type(value).__name__}") from None
    if size < 0:
        raise ValueError(f"max_workspace must not be negative, is {size}")
    return size


def parse_threads(value: Any) -> int:
    try:
        threads = operator.index(value)
    except TypeError:
        raise TypeError(f"threads must be an int or None, is {type(value).__name__}") from None
    if threads < 1:
        raise ValueError(f"threads must be positive, is {threads}")
    return threads


def parse_word(value: Any, words: Mapping[Any, Code], name: str) -> Code:
    """The code of a word in one of the enumerations."""
    try:
        return words[value]
    except (KeyError, TypeError):
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a str, is {type(value).__name__}") from None
        raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, is {value!r}") from None


def parse_border(value: Any, modes: Mapping[Any, int]) -> tuple[int, float]:
    """The code of a padding mode, and what a constant border is made of."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2 or not isinstance(value[0], str) or value[0] != "constant":
            raise ValueError(f"padding_mode must be a word or ('constant', value), is {value!r}")
        return modes["constant"], _border_value(value[1])
    if not isinstance(value, str):
        raise TypeError(f"padding_mode must be a str or ('constant', value), is {type(value).__name__}")
    if value == "constant":
        raise ValueError("padding_mode 'constant' needs its value: ('constant', value)")
    if value not in modes and value not in BORDERS:
        words = ", ".join(repr(word) for word in modes if word != "constant")
        others = ", ".join(map(repr, BORDERS))
        raise ValueError(
            f"padding_mode must be one of {words}, ('constant', value) or the synonyms {others}, is {value!r}"
        )
    return modes[BORDERS.get(value, value)], 0.0


def _border_value(value: Any) -> float:
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)
    except OverflowError:
        raise ValueError(f"the value of ('constant', value) does not fit a float, is {value!r}") from None
    except (TypeError, ValueError):
        raise TypeError(f"the value of ('constant', value) must be a number, is {value!r}") from None


def integer(value: Any, name: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be made of ints, is {value!r}") from None


def pair(value: Any, name: str) -> Pair:
    """``2`` or ``(2, 1)`` as (rows, columns)."""
    if type(value) is int:
        return value, value
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{name} must be an int or a pair, has {len(value)} values")
        return integer(value[0], name), integer(value[1], name)
    if isinstance(value, np.ndarray) and value.ndim:
        return pair(value.tolist(), name)
    value = integer(value, name)
    return value, value


def _same(size: int, kernel: int, stride: int, dilation: int, at_end: bool) -> Pair:
    """Padding (before, after) that gives ceil(size / stride) outputs; `at_end` says where an odd one goes."""
    outputs = -(-size // max(stride, 1))
    total = max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    small = total // 2
    return (small, total - small) if at_end else (total - small, small)


def sides(value: Any, image: Sequence[int], kernel: Sequence[int], stride: Pair, dilation: Pair) -> Sides:
    """Every form of padding as (top, bottom, left, right)."""
    if type(value) is int:
        return value, value, value, value
    if isinstance(value, str):
        if value == "valid":
            return 0, 0, 0, 0
        if value in ("same", "same_lower"):
            rows, columns = (
                _same(*axis, value == "same") for axis in zip(image, kernel, stride, dilation, strict=True)
            )
            return *rows, *columns
        if value == "full":
            ph, pw = ((k - 1) * d for k, d in zip(kernel, dilation, strict=True))
            return ph, ph, pw, pw
        raise ValueError(
            "padding must be an int, a pair, ((top, bottom), (left, right)), 'valid', 'same', 'same_lower' "
            f"or 'full', is {value!r}"
        )
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(
                f"padding must be an int, a pair or ((top, bottom), (left, right)), is {value!r}"
            )
        return *pair(value[0], "padding"), *pair(value[1], "padding")
    if isinstance(value, np.ndarray) and value.ndim:
        return sides(value.tolist(), image, kernel, stride, dilation)
    value = integer(value, "padding")
    return value, value, value, value


def clip_bounds(value: Any) -> tuple[float, float]:
    """An activation as the interval (lo, hi) it clips to."""
    if isinstance(value, (tuple, list)):
        if len(value) != 3 or value[0] != "clip":
            raise ValueError(f"activation must be None, 'relu', 'relu6' or ('clip', lo, hi), is {value!r}")
        try:
            if isinstance(value[1], str) or isinstance(value[2], str):
                raise TypeError
            return float(value[1]), float(value[2])
        except OverflowError:
            raise ValueError(
                f"the bounds of ('clip', lo, hi) do not fit a float, are {value[1:]!r}"
            ) from None
        except (TypeError, ValueError):
            raise TypeError(f"the bounds of ('clip', lo, hi) must be numbers, are {value[1:]!r}") from None
    if value is not None and not isinstance(value, str):
        raise TypeError(f"activation must be None, a str or a tuple, is {type(value).__name__}")
    try:
        return ACTIVATIONS[value]
    except KeyError:
        raise ValueError(
            f"activation must be None, 'relu', 'relu6' or ('clip', lo, hi), is {value!r}"
        ) from None


def checked_shape(value: Iterable[Any], name: str) -> tuple[int, ...]:
    """A tuple of sizes."""
    try:
        shape = tuple(operator.index(size) for size in value)
    except TypeError:
        raise TypeError(f"{name} must be a tuple of ints, is {value!r}") from None
    if min(shape, default=0) < 0:
        raise ValueError(f"{name} must not be negative, is {shape}")
    return shape
