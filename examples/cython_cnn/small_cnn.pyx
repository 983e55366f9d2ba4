# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, boundscheck=False, wraparound=False
"""A CNN that runs without the GIL: many threads share its plans, each has its own workspace."""

from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport free, malloc
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from pyconv cimport *

import numpy as np

cdef enum:
    MOST_LAYERS = 16


cdef int check(int status, const pyconv_conv2d_t *d=NULL) except -1:
    cdef char text[400]
    if status == PYCONV_STATUS_NO_MEMORY:
        raise MemoryError()
    if status != PYCONV_STATUS_OK:
        pyconv_status_message(status, d, text, sizeof(text))
        raise ValueError(text.decode())
    return 0


cdef size_t aligned(size_t size) noexcept nogil:
    return (size + PYCONV_ALIGNMENT - 1) // PYCONV_ALIGNMENT * PYCONV_ALIGNMENT


cdef class SmallCNN:
    """
    Convolutions with bias, padding (k - 1) // 2 and ReLU, one after the other.

    shape (channels, height, width) of an image; layers: (weight (oc, ic, k, k), bias (oc,), stride) of float32 each.
    """

    cdef readonly tuple input_shape, output_shape
    cdef readonly size_t workspace_bytes   # of one thread: of the hungriest layer, and two images between layers
    cdef pyconv_plan_t *plans[MOST_LAYERS]
    cdef int count
    cdef size_t image_bytes, layer_bytes

    def __cinit__(self, tuple shape, list layers):
        cdef pyconv_conv2d_t d
        cdef const float[:, :, :, ::1] weight
        cdef const float[::1] bias
        cdef int64_t c, h, w
        c, h, w = shape
        self.input_shape = shape
        if not 0 < len(layers) <= MOST_LAYERS:
            raise ValueError(f"needs 1 to {MOST_LAYERS} layers, has {len(layers)}")
        for weight, bias, stride in layers:
            pyconv_conv2d_init(&d)
            d.ic, d.ih, d.iw = c, h, w
            d.oc, d.icg, d.kh, d.kw = weight.shape[0], weight.shape[1], weight.shape[2], weight.shape[3]
            d.ph0 = d.ph1 = (d.kh - 1) // 2
            d.pw0 = d.pw1 = (d.kw - 1) // 2
            d.sh = d.sw = stride
            d.lo = 0
            d.threads = 1          # the callers are the threads
            if bias.shape[0] != d.oc:
                raise ValueError(f"{d.oc} filters need as many biases, have {bias.shape[0]}")
            check(pyconv_plan_create(&d, &weight[0, 0, 0, 0], &bias[0], &self.plans[self.count]), &d)
            check(pyconv_plan_output_size(self.plans[self.count], &h, &w))
            c = d.oc
            self.image_bytes = max(self.image_bytes, aligned(<size_t>(c * h * w) * sizeof(float)))
            self.layer_bytes = max(self.layer_bytes, aligned(pyconv_plan_workspace_bytes(self.plans[self.count])))
            self.count += 1
        self.output_shape = (c, h, w)
        self.workspace_bytes = self.layer_bytes + 2 * self.image_bytes

    def __dealloc__(self):
        for i in range(self.count):
            pyconv_plan_destroy(self.plans[i])

    @property
    def algorithms(self):
        return [pyconv_plan_algorithm(self.plans[i]).decode() for i in range(self.count)]

    cdef int forward(self, const float *x, float *y, char *workspace) noexcept nogil:
        """One image through all layers: x and y to and fro between the two images behind the layers' workspace."""
        cdef float *between[2]
        cdef float *to
        cdef int i, status
        between[0] = <float *>(workspace + self.layer_bytes)
        between[1] = <float *>(workspace + self.layer_bytes + self.image_bytes)
        for i in range(self.count):
            to = y if i == self.count - 1 else between[i % 2]
            status = pyconv_plan_run(self.plans[i], x, to, workspace)
            if status != PYCONV_STATUS_OK:
                return status
            x = to
        return PYCONV_STATUS_OK

    def __call__(self, const float[:, :, :, ::1] images):
        """Images (n, *input_shape) to (n, *output_shape); the GIL is free for the whole batch."""
        cdef Py_ssize_t n = images.shape[0]
        cdef float[:, :, :, ::1] y = np.empty((n, *self.output_shape), np.float32)
        cdef int status = PYCONV_STATUS_OK
        cdef Py_ssize_t i
        cdef void *block
        if (images.shape[1], images.shape[2], images.shape[3]) != self.input_shape:
            raise ValueError(f"images must be {self.input_shape} each, are "
                             f"{(images.shape[1], images.shape[2], images.shape[3])}")
        with nogil:
            block = malloc(self.workspace_bytes + PYCONV_ALIGNMENT)
            if block == NULL:
                status = PYCONV_STATUS_NO_MEMORY
            for i in range(n):
                if status == PYCONV_STATUS_OK:
                    status = self.forward(&images[i, 0, 0, 0], &y[i, 0, 0, 0], <char *>aligned(<uintptr_t>block))
            free(block)
        check(status)
        return np.asarray(y)


def seconds_per_call(Py_ssize_t calls, uintptr_t plan, const float[:, :, :, ::1] x, float[:, :, :, ::1] y,
                     unsigned char[::1] workspace):
    """Of a plan (its `address`) called so many times in a loop without the GIL."""
    cdef timespec begin, end
    cdef Py_ssize_t _call
    cdef int status = PYCONV_STATUS_OK
    cdef void *buffer = &workspace[0] if workspace.shape[0] else NULL
    with nogil:
        clock_gettime(CLOCK_MONOTONIC, &begin)
        for _call in range(calls):
            status |= pyconv_plan_run(<const pyconv_plan_t *>plan, &x[0, 0, 0, 0], &y[0, 0, 0, 0], buffer)
        clock_gettime(CLOCK_MONOTONIC, &end)
    check(status)
    return (end.tv_sec - begin.tv_sec + 1e-9 * (end.tv_nsec - begin.tv_nsec)) / calls
