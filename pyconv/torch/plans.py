# SPDX-License-Identifier: BSD-3-Clause
"""
Plans kept with the weights they have packed.

Weights change in place, by an optimizer, by a running average or through `.data`, so a plan serves only as
long as its weights are where they were, of the same version, and a sample of their elements is the same:
PyTorch counts no change through `.data` or of running statistics.
"""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor

from .._config import settings

KEPT = 4  # shapes for each weight
SAMPLED = 64  # elements

Plan = Callable[..., Any]


def mark(*tensors: Tensor | None) -> tuple[Any, ...]:
    """What changes when one of them does."""
    return tuple([_mark(t) for t in tensors if t is not None])


def version(t: Tensor) -> tuple[int, int]:
    """What PyTorch knows of changes."""
    return t.data_ptr(), -1 if t.is_inference() else t._version


def _mark(t: Tensor) -> tuple[Any, ...]:
    known, t = version(t), t.detach()
    elements = (t.view(torch.int16) if t.dtype == torch.bfloat16 else t).numpy().ravel(order="K")
    return known, t.shape, t.dtype, elements[:: elements.size // SAMPLED + 1].tobytes()


def threads() -> int:
    """Of a call: those of `pyconv.config`, else PyTorch's."""
    return settings.get()["threads"] or torch.get_num_threads()


def circumstances() -> Hashable:
    """What besides the arguments settles a plan."""
    return tuple(settings.get().values()), torch.get_num_threads()


class Shelf:
    """
    The plans of one weight, for the last few shapes; threads may share it.

    A plan is made when it is wanted for the second time: weights in training change from call to call.
    """

    def __init__(self) -> None:
        self._mark: Any = None
        self._plans: OrderedDict[Hashable, Plan | None] = OrderedDict()
        self._lock = threading.Lock()

    def plan(self, marked: Any, key: Hashable, make: Callable[[], Plan], soon: bool = False) -> Plan | None:
        """The plan under this key of weights so `marked`; None at first, unless it is to be made `soon`."""
        with self._lock:
            if marked != self._mark:
                self._plans.clear()
                self._mark = marked
            known = soon or key in self._plans
            found = self._plans.setdefault(key, None)
            self._plans.move_to_end(key)
            while len(self._plans) > KEPT:
                self._plans.popitem(last=False)
        if found is None and known:
            found = make()
            with self._lock:
                if marked == self._mark and key in self._plans:
                    self._plans[key] = found
        return found

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return Shelf, ()


_shelves: dict[int, tuple[weakref.ref[Tensor], Shelf]] = {}


def shelf(weight: Tensor) -> Shelf:
    """That of a weight, for as long as it lives."""
    number = id(weight)
    found = _shelves.get(number)
    if found is None or found[0]() is not weight:
        found = weakref.ref(weight, lambda _: _shelves.pop(number, None)), Shelf()
        _shelves[number] = found
    return found[1]


def kept(weight: Tensor, bias: Tensor | None, key: Hashable, make: Callable[[], Plan]) -> Plan | None:
    """The plan of weight and bias under this key, None if it isn't wanted often."""
    return shelf(weight).plan(mark(weight, bias), (key, circumstances()), make)
