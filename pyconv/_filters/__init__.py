# SPDX-License-Identifier: BSD-3-Clause
"""Correlation along axes of arrays, for `pyconv.ndimage` and `pyconv.signal`.

`borders` says what stands beyond an image, `bands` takes an image through stages band by band, `numbers` says
in which type that is right, `passes` and `kernels` make stages of SciPy's arguments. Each returns None, or
False, for what SciPy is to do.
"""
