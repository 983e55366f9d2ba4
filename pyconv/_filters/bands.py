# SPDX-License-Identifier: BSD-3-Clause
"""Images through stages of correlation, band by band: what is between the stages stays in the cache."""

from typing import NamedTuple

import numpy as np

from .._api import plan
from .borders import Border, fill_columns, fill_rows, outside
from .numbers import rounded

BAND = 1 << 19  # bytes of a band: two of them and the output's rows fit into 1 to 2 MB of L2
NARROW = 16  # rows of fewer elements than a vector has are joined


class Stage(NamedTuple):
    """``y[r, c] = sum of weight[i, j] x[r + i - rows.before, c + j - columns.before]``, then `store`.

    `store` is a function of (result, y) that converts what was computed, None where it is the result already.
    Of the stages of an image, one at most has a weight of several rows, and one at most of several columns.
    """

    weight: np.ndarray
    rows: Border = Border()
    columns: Border = Border()
    store: object = None


def _starts(total, step):
    """Where parts of `step` begin that cover `total`; the last overlaps the one before."""
    return [min(start, total - step) for start in range(0, total, step)]


def _even(total, most):
    """The size of parts of at most `most` that cover `total`, as even as can be."""
    return -(-total // -(-total // most))


class _Step:
    """A stage made ready for bands: a plan, and the array it reads.

    The pixels `inner` apart in memory that a row's taps read are neighbours to the filter: for all but one
    kernel in a row, rows are (columns * inner) long and the taps dilated by `inner`.
    """

    def __init__(self, stage, images, rows, columns, inner, pads, dtype, accuracy):
        kh, kw = stage.weight.shape
        self.stage, self.pads = stage, pads
        self.band = np.zeros((images, rows, sum(pads) + columns, inner), dtype)
        self.shape = images, rows - kh + 1, sum(pads) + columns - kw + 1, inner
        width = self.band.shape[2] * inner
        if kh == 1:
            image, kernel, dilation = (1, 1, images * rows, width), (1, kw), inner
        elif kw == 1 and width < NARROW:
            image, kernel, dilation = (1, 1, images, rows * width), (1, kh), width
        else:
            image, kernel, dilation = (images, 1, rows, width), (kh, kw), inner if kw > 1 else 1
        weight = rounded(stage.weight, dtype).reshape(1, 1, *kernel)
        self.plan = plan(image, weight, dilation=(1, dilation), accuracy=accuracy)
        self.image = self.band.reshape(image)
        self.workspace = self.plan.new_workspace() if self.plan.workspace_bytes else None

    def inside(self):
        """The columns of `band` that are the image's."""
        before, after = self.pads
        return self.band[:, :, before : self.band.shape[2] - after]

    def run(self, out):
        self.plan(self.image, out.reshape(self.plan.output_shape), self.workspace)


def _column_pads(stages):
    """Columns before and after what each stage reads: one column wide, those of the next."""
    pads, following = [], (0, 0)
    for stage in reversed(stages):
        if stage.weight.shape[1] > 1:
            following = stage.columns.before, stage.columns.after
        pads.insert(0, following)
    return pads


def filter_image(x, y, stages, dtype, *, finite=False, accuracy="strict"):
    """
    Put x through the stages, into y.

    Parameters
    ----------
    x : ndarray
        ``(images, height, width, inner)``, of any strides and of any real type that `dtype` holds.
    y : ndarray
        ``(images, rows, columns, inner)``, C-contiguous, apart from x in memory.
    dtype : numpy.dtype
        float32 or float64: computed in.
    finite : bool
        Stop at the first band that holds a NaN or an infinity.

    Returns
    -------
    bool
        Whether y is filled.
    """
    images, height, width, inner = x.shape
    total = y.shape[1]
    halo = sum(stage.weight.shape[0] - 1 for stage in stages)
    across = next((stage.rows for stage in stages if stage.weight.shape[0] > 1), Border())
    pads = _column_pads(stages)

    row = max(width + sum(p) for p in pads) * inner * dtype.itemsize
    most = max(BAND // row - halo, halo, 1)
    rows = _even(total, min(most, total))
    count = _even(images, min(images, max(1, BAND // (row * (rows + halo))))) if rows == total else 1

    steps, reads, columns = [], rows + halo, width
    for stage, pad in zip(stages, pads, strict=True):
        steps.append(_Step(stage, count, reads, columns, inner, pad, dtype, accuracy))
        reads -= stage.weight.shape[0] - 1
        if stage.weight.shape[1] > 1:
            columns += sum(pad) - stage.weight.shape[1] + 1
    direct = stages[-1].store is None and y.dtype == dtype
    last = None if direct else np.empty(steps[-1].shape, dtype)

    for image in _starts(images, count):
        for start in _starts(total, rows):
            first = start - across.before
            fill_rows(steps[0].inside(), x[image : image + count], first, across)
            part = y[image : image + count, start : start + rows]
            for step, following in zip(steps, [*steps[1:], None], strict=True):
                kh, kw = step.stage.weight.shape
                if kw > 1:
                    fill_columns(step.band, step.stage.columns)
                if kh > 1 and step is not steps[0] and across.mode == "constant":
                    for top, bottom in outside(first, rows + halo, height):
                        step.band[:, max(top - first, 0) : max(bottom - first, 0)] = across.value
                out = following.band if following else part if direct else last
                step.run(out)
                if step.stage.store is not None:
                    step.stage.store(out, out if following else part)
                elif out is last:
                    part[...] = last
            if finite and not np.isfinite(np.add.reduce(part, axis=None)):
                return False
    return True
