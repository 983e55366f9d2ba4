# SPDX-License-Identifier: BSD-3-Clause
"""The kn2row family: what it holds and multiplies, counted by hand, and its blocks of rows."""

import numpy as np
import pytest
from helpers import integers, normal, reference

import pyconv

NAMES = ("kn2row", "kn2col", "kn2row_acc")


@pytest.mark.parametrize("name", ["kn2row", "kn2col"])
@pytest.mark.parametrize("dtype, size", [("float32", 4), ("float64", 8)])
def test_the_whole_form_holds_every_tap_of_every_pixel_of_one_group(name, dtype, size):
    plan = pyconv.plan((3, 4, 10, 11), normal((6, 2, 3, 5), dtype), groups=2, stride=2, algorithm=name)
    assert plan.workspace_bytes == 3 * 5 * 3 * 10 * 11 * size
    assert plan.packed_bytes == 6 * 2 * 3 * 5 * size
    assert plan.multiplications == 3 * 6 * 2 * 3 * 5 * 10 * 11


def test_the_accumulating_form_holds_one_product_of_few_rows():
    small = pyconv.plan((2, 4, 10, 11), normal((6, 4, 3, 3)), algorithm="kn2row_acc")
    assert small.workspace_bytes == 6 * 8 * 11 * 4  # all 8 output rows, 11 image columns
    wide = pyconv.plan((1, 8, 64, 1024), normal((64, 8, 3, 3)), padding=1, algorithm="kn2row_acc")
    assert wide.workspace_bytes == 64 * 2 * 1024 * 4  # of 256 KB a row, two fit into 512 KB
    huge = pyconv.plan((1, 2, 4, 4096), normal((64, 2, 3, 3)), padding=1, algorithm="kn2row_acc")
    assert huge.workspace_bytes == 64 * 1 * 4096 * 4  # one row is the least


def test_the_accumulating_form_skips_taps_in_the_padding():
    """Of 5 output rows and 3 kernel rows, padding 1, two pairs lie outside; columns are not skipped."""
    plan = pyconv.plan((1, 4, 5, 7), normal((6, 4, 3, 3)), padding=1, algorithm="kn2row_acc")
    assert plan.multiplications == 6 * 4 * 3 * 7 * (15 - 2)


def test_pointwise_weights_are_read_as_they_are():
    w = normal((8, 4, 1, 1))
    for name in NAMES:
        assert pyconv.plan((1, 4, 5, 5), w, algorithm=name, max_workspace=8 * 25 * 4).packed_bytes == 0


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("stride", [1, (2, 1), (1, 3)])
@pytest.mark.parametrize("threads", [1, 2])
def test_several_blocks_of_rows(layout, stride, threads):
    """A row of 45 filters at 400 columns takes 141 KB: three rows a block, the last one shorter."""
    x, w = integers((1, 3, 16, 400), "float64"), integers((45, 3, 3, 3), "float64", 1)
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    keywords = {"padding": ((2, 0), (1, 1)), "dilation": (2, 1), "stride": stride, "layout": layout}
    plan = pyconv.plan(x.shape, w, algorithm="kn2row_acc", threads=threads, **keywords)
    assert plan.workspace_bytes == 45 * 3 * 400 * 8
    np.testing.assert_array_equal(plan(x), reference(x, w, **keywords))


def test_shifts_do_not_run_into_the_neighbouring_row():
    """Wide padding and a poisoned image edge: a product of one row must never reach the next."""
    x, w = np.zeros((1, 1, 4, 5), "f4"), np.ones((1, 1, 3, 3), "f4")
    x[0, 0, 1, 4] = np.nan
    reached = np.isnan(reference(x, w, padding=(1, 4)))
    for name in NAMES:
        y = pyconv.conv2d(x, w, padding=(1, 4), algorithm=name)
        np.testing.assert_array_equal(np.isnan(y), reached, err_msg=name)
