# SPDX-License-Identifier: BSD-3-Clause
"""
Plans pickle as the problem and the weights, and are packed anew where they arrive.

What a plan has packed can't be undone, so it remembers what it was made of: copies of the arrays, which the
caller may change. `max_workspace` has no room for copies; then it keeps the caller's arrays, and checksums
tell whether they still are what was packed.
"""

import zlib
from functools import wraps
from pickle import PicklingError

import numpy as np

from ._kernels import remember


def lasting(function):
    """
    A function that returns a class of plans, a `max_workspace` and arguments, as one that makes a plan.

    The plan is for many calls, and can be pickled. ``function.once`` makes one for a single call, which
    can't, by the class's ``of_one_call`` if it has one; or, if ``alike``, one that takes the same workspace
    as the plan for many calls.
    """

    def once(*args, alike=False, **keywords):
        cls, _, *arguments = function(*args, **keywords)
        return (cls if alike else getattr(cls, "of_one_call", cls))(*arguments)

    @wraps(function)
    def made(*args, **keywords):
        return remade(*function(*args, **keywords))

    made.once = once
    return made


def remade(cls, bound, *arguments):
    """A plan ``cls(*arguments)`` that remembers them."""
    plan = cls(*arguments)
    remember(plan, Origin(cls, bound, arguments))
    return plan


class Origin:
    """What a plan was made of: problems, shapes and numbers as they are, and arrays, in tuples or not."""

    def __init__(self, cls, bound, arguments):
        self._cls, self._bound = cls, bound
        self._kept = self._each(_Copy if bound is None else _Reference, arguments)

    def reduced(self):
        """For a plan's ``__reduce__``."""
        return remade, (self._cls, self._bound, *_recalled(self._kept))

    def _each(self, keep, value):
        if isinstance(value, tuple):
            return tuple(self._each(keep, part) for part in value)
        return keep(value) if isinstance(value, np.ndarray) else value


def _recalled(value):
    if isinstance(value, tuple):
        return tuple(map(_recalled, value))
    return value.array() if isinstance(value, (_Copy, _Reference)) else value


class _Copy:
    def __init__(self, array):
        try:
            self._array = array.copy()
        except MemoryError:
            raise MemoryError(f"cannot allocate {array.nbytes} bytes to remember the weights in") from None

    def array(self):
        return self._array


class _Reference:
    def __init__(self, array):
        self._array, self._sum = array, _checksum(array)

    def array(self):
        if _checksum(self._array) != self._sum:
            raise PicklingError(
                f"weights of shape {self._array.shape} have been changed since this plan was made, and "
                "max_workspace had no room for a copy: it can't be pickled, but what it was made of can"
            )
        return self._array


def _checksum(array):
    """Of elements and shape; what isn't contiguous is copied row by row."""
    total = zlib.crc32(repr(array.shape).encode())
    for row in [array] if array.flags.c_contiguous else array:
        total = zlib.crc32(np.ascontiguousarray(row).view(np.uint8).data, total) if row.size else total
    return total
