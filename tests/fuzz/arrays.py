# SPDX-License-Identifier: BSD-3-Clause
"""Data of every kind, arrays of every form, each between two pages that fault on access."""

import ctypes
import mmap

import numpy as np
from elements import as_element

PAGE = mmap.PAGESIZE
CANARY, MARGIN = 0x5C, 64  # known bytes between an array and what isn't fenced of its pages
POISONS = (0xA5, 0xFF)  # recognisable garbage; 0xFF makes every float a NaN

FORMS = ("plain", "strided", "reversed", "turned", "swapped", "misaligned", "readonly", "interface",
         "dlpack")  # fmt: skip
TINY = {"float16": 2.0**-24, "float32": 2.0**-149, "float64": 2.0**-1074}
HUGE = {"float16": 300.0, "float32": 3e37, "float64": 1e300}
_libc = ctypes.CDLL(None, use_errno=True)


class Fence:
    """Pages for one array at a time, kept from problem to problem, between two that fault."""

    def __init__(self):
        self._memory = np.empty(0, np.uint8)

    def _grow(self, nbytes):
        pages = 16
        while pages * PAGE < nbytes:
            pages *= 2
        whole = np.frombuffer(mmap.mmap(-1, (pages + 2) * PAGE), np.uint8)
        for page in (0, pages + 1):
            address = ctypes.c_void_p(whole.ctypes.data + page * PAGE)
            if _libc.mprotect(address, ctypes.c_size_t(PAGE), 0):
                raise OSError(ctypes.get_errno(), "mprotect")
        self._memory = whole[PAGE:-PAGE]

    def take(self, nbytes, at_end, align=1):
        """`nbytes` bytes that begin where the pages do, or end there as nearly as `align` allows."""
        room = nbytes + 2 * MARGIN + align
        if self._memory.size < room:
            self._grow(room)
        memory = self._memory
        start = (memory.size - nbytes) // align * align if at_end else 0
        self._before = memory[max(0, start - MARGIN) : start]
        self._after = memory[start + nbytes : start + nbytes + MARGIN]
        self._before[:] = CANARY
        self._after[:] = CANARY
        return memory[start : start + nbytes]

    def intact(self):
        return bool((self._before == CANARY).all() and (self._after == CANARY).all())


class Interface:
    """An array that shows itself through ``__array__`` only."""

    def __init__(self, a):
        self.a = a

    def __array__(self, dtype=None, copy=None):
        return self.a if dtype is None else self.a.astype(dtype)


class Exchange:
    """An array that shows itself through DLPack only."""

    def __init__(self, a):
        self.a = a

    def __dlpack__(self, **keywords):
        return self.a.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.a.__dlpack_device__()


class Operand:
    """Values in one form between fences: `given` is what the call gets, `unchanged()` is asked after it."""

    def __init__(self, fence, values, form, at_end):
        self.fence, size = fence, values.itemsize
        if values.dtype.kind not in "iuf" and form in ("swapped", "dlpack"):
            form = "plain"  # bfloat16 has one byte order, and NumPy gives it to nobody through DLPack
        turned = values.ndim > 1 and form == "turned"
        stored = np.ascontiguousarray(values.transpose() if turned else values)
        if form == "swapped":
            stored = stored.astype(stored.dtype.newbyteorder())
        if form == "strided" and values.ndim:
            room = values.nbytes * 2
            raw = fence.take(room, at_end, size)
            raw[:] = 0xFF
            wide = raw.view(stored.dtype).reshape(*values.shape[:-1], 2 * values.shape[-1])
            given = wide[..., 1::2] if at_end else wide[..., ::2]
        elif form == "misaligned" and size > 1:
            raw = fence.take(values.nbytes + size, at_end, size)
            odd = raw[1 : 1 + values.nbytes] if not at_end else raw[size - 1 : -1]
            given = odd.view(stored.dtype).reshape(stored.shape)
        else:
            raw = fence.take(values.nbytes, at_end, size)
            given = raw.view(stored.dtype).reshape(stored.shape)
            if form == "reversed":
                given = given[(slice(None, None, -1),) * values.ndim]
            if turned:
                given = given.transpose()
        given[...] = values
        self._raw, self._before = raw, raw.tobytes()
        if form in ("readonly", "interface"):
            given.flags.writeable = False
        self.given = {"interface": Interface, "dlpack": Exchange}.get(form, lambda a: a)(given)

    def unchanged(self):
        return self._raw.tobytes() == self._before and self.fence.intact()


class Target:
    """An array to be written, poisoned, between fences; with `gap`, the first columns of a wider one."""

    def __init__(self, fence, shape, dtype, at_end, poison, gap=0):
        self.fence = fence
        dtype = np.dtype(dtype)
        wide = (*shape[:-1], shape[-1] + gap)
        raw = fence.take(int(np.prod(wide)) * dtype.itemsize, at_end, dtype.itemsize)
        raw[:] = poison
        whole = raw.view(dtype).reshape(wide)
        self.array = whole[..., : shape[-1]]
        self._rest, self._poison = whole[..., shape[-1] :], poison

    def intact(self):
        rest = np.ascontiguousarray(self._rest).view(np.uint8)
        return bool((rest == self._poison).all()) and self.fence.intact()


def fill_elements(kind, shape, dtype, inner, rng):
    """Values of a kind of any element type, in a range that `inner`, in which they are computed, has too."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        if kind == "large":
            return rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)
        a = fill("normal" if kind in ("nan", "inf") else kind, shape, "float64", rng)
        a = a if kind in ("integers", "constant", "shifted") else a * 32
        return as_element(np.abs(a) if dtype.kind == "u" else a, dtype)
    narrow = {"float64": np.dtype(inner).name, "bfloat16": "float32"}.get(dtype.name, dtype.name)
    if dtype == np.float64 and kind not in ("denormal", "large"):
        narrow = "float64"  # whose last bits float32 rounds away
    if kind == "large" and np.dtype(inner) == np.float16:
        narrow = "float16"
    return fill(kind, shape, narrow, rng).astype(dtype)


def fill(kind, shape, dtype, rng, weight=False):
    """Values of a kind; those of weights differ where the product must stay in range."""
    dtype = np.dtype(dtype).name
    if kind == "integers":
        a = rng.integers(-4, 5, shape) * (rng.random(shape) < 0.5)
    elif kind == "sparse" and not weight:
        a = rng.standard_normal(shape) * (rng.random(shape) < 0.02)
    elif kind == "single" and not weight:
        a = np.zeros(shape)
        if a.size:
            a.flat[rng.integers(a.size)] = rng.standard_normal()
    elif kind == "constant" and not weight:
        a = np.full(shape, 255.0)
    else:
        a = rng.standard_normal(shape)
    if kind == "positive":
        a = np.abs(a)
    elif kind == "shifted" and not weight:
        a = a + 1000
    elif kind in ("zerosum", "constant") and weight and a.ndim == 4:
        a = a - a.mean(axis=(2, 3), keepdims=True)
    elif kind == "denormal" and not weight:
        a = a * (TINY[dtype] * 50)
    elif kind == "large":
        a = a * (1 / HUGE[dtype] ** 0.1 if weight else HUGE[dtype])
        a = np.clip(a, -0.9 * np.finfo(dtype).max, 0.9 * np.finfo(dtype).max)
    a = np.asarray(a).astype(dtype)
    planted = {"nan": np.nan, "inf": np.inf}.get(kind)
    if kind == "nan_weight" and weight and a.ndim == 4:
        planted = np.nan
    elif weight:
        planted = None
    if planted is not None and a.size:
        a.flat[rng.integers(a.size)] = planted
    return a
