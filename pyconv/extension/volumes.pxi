# SPDX-License-Identifier: BSD-3-Clause
# The part of the extension that volumes call; arrays come checked, C-contiguous and of the problem's types.

from libc.string cimport memset

from pyconv.native.volume_direct cimport (
    NUMBERS, axes_t, set_volume_strides, volume_direct_run, volume_row_products, volume_rows, volume_t,
)
from pyconv.core.threads cimport MOST_THREADS, allowed_threads, paying_threads


cdef int64_t _elements(const int64_t *sizes) noexcept:
    return sizes[0] * sizes[1] * sizes[2]


cdef axes_t _axes(tuple numbers) except *:
    """n; of slices, rows and columns sizes, kernel, outputs, stride, dilation, padding before."""
    cdef axes_t a
    cdef int i
    if len(numbers) != NUMBERS:
        raise ValueError(f"volumes are {NUMBERS} numbers, not {len(numbers)}")
    a.n = numbers[0]
    for i in range(3):
        a.size[i], a.kernel[i], a.outputs[i] = numbers[1 + i], numbers[4 + i], numbers[7 + i]
        a.stride[i], a.dilation[i], a.before[i] = numbers[10 + i], numbers[13 + i], numbers[16 + i]
    return a


cdef int _check_volume(cnp.ndarray a, str name, int typenum, int64_t count) except -1:
    """Raises unless kernels may read a as so many elements."""
    if cnp.PyArray_TYPE(a) != typenum or not cnp.PyArray_ISCARRAY_RO(a) or cnp.PyArray_SIZE(a) != count:
        raise ValueError(f"{name} must be {count} contiguous elements of {cnp.PyArray_DescrFromType(typenum)}")
    return 0


def volume_direct(Problem flat not None, tuple numbers not None, cnp.ndarray x not None, cnp.ndarray weight not None,
                  cnp.ndarray bias, cnp.ndarray residual, cnp.ndarray out not None):
    """out = the convolution of x by the plain loop; `flat` is it without its axes, which `numbers` are, see `_axes`."""
    cdef problem_t p
    cdef volume_t v
    cdef task_t t
    cdef int wanted, status
    problem_init(&p, &flat.d)
    p.padding_mode = flat.d.padding_mode    # without an axis there was nothing to pad
    v.a = _axes(numbers)
    set_volume_strides(&v, &p)
    _check_volume(x, "x", flat.dtype.type_num, v.a.n * p.ic * _elements(v.a.size))
    _check_volume(weight, "weight", flat.weight_dtype.type_num, p.oc * p.icg * _elements(v.a.kernel))
    _check_volume(out, "out", flat.out_dtype.type_num, v.a.n * p.oc * _elements(v.a.outputs))
    memset(&t, 0, sizeof(t))
    if bias is not None:
        _check_volume(bias, "bias", flat.weight_dtype.type_num, p.oc)
        t.bias = cnp.PyArray_DATA(bias)
    if residual is not None:
        _check_volume(residual, "residual", flat.out_dtype.type_num, cnp.PyArray_SIZE(out))
        t.residual = cnp.PyArray_DATA(residual)
    if not cnp.PyArray_ISWRITEABLE(out):
        raise ValueError("out is read-only")
    t.p, t.x, t.y, t.weight = &p, cnp.PyArray_DATA(x), cnp.PyArray_DATA(out), cnp.PyArray_DATA(weight)
    t.interrupted = interrupted
    wanted = paying_threads(flat.d.threads if flat.d.threads > 0 else MOST_THREADS,
                            16 * volume_row_products(&v, &p) * volume_rows(&v, &p), 0)
    wanted = wanted if wanted == 1 else min(wanted, allowed_threads(flat.d.threads))
    with nogil:
        t.threads = t.slots = run_threads(wanted, flat.d.threads == 0)
        status = volume_direct_run(&t, &v)
    if status == PYCONV_STATUS_INTERRUPTED:
        raise_pending()
