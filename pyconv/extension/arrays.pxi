# SPDX-License-Identifier: BSD-3-Clause
# The callers' arrays and buffers: checked, copied only where a kernel needs it; memory for a call without a workspace.

from libc.stdlib cimport free, malloc

import math


cdef bint _masked(object value):
    if isinstance(value, (list, tuple)):
        return any([_masked(part) for part in value])
    return isinstance(value, np.ma.MaskedArray)


cpdef cnp.ndarray as_array(object value, str name):
    """
    value as an ndarray of no subclass, not copied: through ``__array__``, the buffer protocol or DLPack.

    It may run code of the caller's, which may resize any array. So a call converts all its operands before it checks one;
    and it checks what the C struct says, since a subclass may say anything of its shape.
    """
    if cnp.PyArray_CheckExact(value):
        return value
    if value is None:
        raise TypeError(f"{name} must be an array, is None")
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    array = value if _masked(value) else np.asanyarray(value)
    if _masked(array):
        raise TypeError(f"{name} is a masked array, whose mask would be lost: pass {name}.filled(value), a plain array")
    return np.asarray(array)


cpdef cnp.ndarray as_optional(object value, str name):
    """`as_array`, or None."""
    return None if value is None else as_array(value, name)


cdef cnp.ndarray _of_dtype(object value, cnp.ndarray a, cnp.dtype dtype):
    """a, of `as_array`; as dtype if value was a number or a list of numbers, which have none of their own."""
    if a is value or not isinstance(value, (list, tuple, int, float)) or a.dtype.kind not in "iuf":
        return a
    return a.astype(dtype)


cpdef cnp.ndarray as_weight(object value, str name, cnp.dtype x_dtype=None):
    """`as_array`; Python's numbers and lists become float64 for such an x, else float32."""
    cdef bint double = x_dtype is not None and x_dtype.type_num == cnp.NPY_FLOAT64
    return _of_dtype(value, as_array(value, name), cnp.PyArray_DescrFromType(cnp.NPY_FLOAT64 if double else cnp.NPY_FLOAT32))


cpdef cnp.ndarray as_bias(object value, str name, cnp.dtype dtype):
    """`as_array`, or None; Python's numbers and lists become dtype, that of the weight."""
    return None if value is None else _of_dtype(value, as_array(value, name), dtype)


cdef tuple shape_of(cnp.ndarray a):
    cdef int i
    return tuple([cnp.PyArray_DIM(a, i) for i in range(cnp.PyArray_NDIM(a))])


cdef bint _has_shape(cnp.ndarray a, tuple shape) except -1:
    cdef int i
    if cnp.PyArray_NDIM(a) != len(shape):
        return False
    for i in range(cnp.PyArray_NDIM(a)):
        if cnp.PyArray_DIM(a, i) != <cnp.npy_intp>shape[i]:
            return False
    return True


cpdef int check_operand(cnp.ndarray a, str name, int typenum, tuple shape, str like) except -1:
    """Raises unless a, of `as_array`, has the dtype and shape wanted."""
    if cnp.PyArray_TYPE(a) != typenum:
        raise TypeError(f"{name} is {a.dtype}, {like} is {cnp.PyArray_DescrFromType(typenum)}: dtypes must match")
    if not _has_shape(a, shape):
        raise ValueError(f"{name} has shape {shape_of(a)}, wanted {shape}")
    return 0


cpdef cnp.ndarray check_array(object value, str name, int typenum, tuple shape, str like):
    """value as an array of the dtype and shape wanted, not copied."""
    cdef cnp.ndarray a = as_array(value, name)
    check_operand(a, name, typenum, shape, like)
    return a


cpdef cnp.ndarray as_operand(cnp.ndarray a, str name):
    """a as the kernels read it: C-contiguous, aligned, in native byte order; copied only if it is not."""
    if cnp.PyArray_ISCARRAY_RO(a):
        return a
    try:
        return np.require(a, a.dtype.newbyteorder("="), ("C", "A"))
    except MemoryError:
        raise MemoryError(f"cannot allocate {a.nbytes} bytes for a contiguous copy of {name}") from None


cdef bint _overlaps_itself(cnp.ndarray a):
    """
    Whether elements share memory: unless each axis steps over all that the axes of shorter steps reach. Strides that
    interleave without a collision count as shared: only as_strided makes them.
    """
    cdef int i
    cdef Py_ssize_t reach = cnp.PyArray_ITEMSIZE(a)
    if cnp.PyArray_SIZE(a) == 0:
        return False
    for step, size in sorted([(abs(cnp.PyArray_STRIDE(a, i)), cnp.PyArray_DIM(a, i)) for i in range(cnp.PyArray_NDIM(a))]):
        if size > 1:
            if step < reach:
                return True
            reach += step * (size - 1)
    return False


cpdef cnp.ndarray take_out(object out, int typenum, tuple shape):
    """The caller's out as an ndarray of no subclass, of any strides; raises unless the result can be written to it."""
    cdef cnp.ndarray y
    if not cnp.PyArray_Check(out):
        raise ValueError(f"out must be a numpy.ndarray, is {type(out).__name__}")
    y = as_array(out, "out")
    if cnp.PyArray_TYPE(y) != typenum or cnp.PyArray_ISBYTESWAPPED(y):
        raise ValueError(f"out is {y.dtype}, wanted {cnp.PyArray_DescrFromType(typenum)} in native byte order")
    if not _has_shape(y, shape):
        raise ValueError(f"out has shape {shape_of(y)}, wanted {shape}")
    if not cnp.PyArray_ISWRITEABLE(y):
        raise ValueError("out is read-only")
    if not cnp.PyArray_ISCARRAY(y) and _overlaps_itself(y):
        raise ValueError(f"elements of out overlap one another in memory: strides {(<object>y).strides} for shape {shape}")
    return y


cdef cnp.ndarray target_for(cnp.ndarray y):
    """y if kernels can write to it, else a contiguous array, from which `deliver` fills y when all is done."""
    cdef size_t size = cnp.PyArray_NBYTES(y)
    if cnp.PyArray_ISCARRAY(y):
        return y
    try:
        return fresh_output(cnp.PyArray_NDIM(y), cnp.PyArray_DIMS(y), cnp.PyArray_TYPE(y), size)
    except (MemoryError, ValueError):
        raise MemoryError(f"cannot allocate {size} bytes for a contiguous copy of out") from None


cpdef object deliver(object out, cnp.ndarray y, cnp.ndarray target):
    """What the caller gets: out, of which y is an ndarray of no subclass, or y; complete, or untouched if not reached."""
    if target is not y:
        cnp.PyArray_CopyInto(y, target)
    return y if out is None else out


cdef enum:
    OVERLAP_WORK = 100000     # candidates that np.shares_memory tries, a few ms, before two arrays count as overlapping


cdef bint _share(cnp.ndarray a, cnp.ndarray b) except -1:
    """Whether an element of a and one of b share memory."""
    if not np.may_share_memory(a, b):
        return False
    if cnp.PyArray_IS_C_CONTIGUOUS(a) and cnp.PyArray_IS_C_CONTIGUOUS(b):
        return True
    try:
        return np.shares_memory(a, b, max_work=OVERLAP_WORK)
    except np.exceptions.TooHardError:
        return True


cpdef refuse_overlap(cnp.ndarray target, str name, tuple operands):
    """operands: names and arrays of the caller's own, or None; they count whether the kernels read them or a copy."""
    for other, operand in operands:
        if operand is not None and _share(target, operand):
            raise ValueError(f"{name} overlaps {other} in memory")


cpdef cnp.ndarray workspace_array(object workspace):
    """The caller's buffer as an array of bytes."""
    cdef cnp.ndarray block
    if _masked(workspace):
        raise TypeError("workspace is a masked array: pass a plain array")
    try:
        block = np.frombuffer(workspace, np.uint8)
    except (BufferError, TypeError, ValueError) as error:
        raise ValueError(f"workspace must be a writable, contiguous buffer: {error}") from None
    if not cnp.PyArray_ISWRITEABLE(block):
        raise ValueError("workspace must be a writable, contiguous buffer: it is read-only")
    return block


cdef int check_workspace(cnp.ndarray block, size_t size, tuple operands) except -1:
    """Raises unless a block of `workspace_array` has the size, the alignment and no operand in it."""
    cdef uintptr_t offset = <uintptr_t>cnp.PyArray_DATA(block) % PYCONV_ALIGNMENT
    if <size_t>cnp.PyArray_SIZE(block) < size:
        raise ValueError(f"workspace has {cnp.PyArray_SIZE(block)} bytes, this plan needs {size}")
    if size > 0 and offset:
        raise ValueError(f"workspace starts at an address that is {offset} modulo 64, must be 0")
    refuse_overlap(block, "workspace", operands)
    return 0


cpdef cnp.ndarray fresh_workspace(size_t size):
    """size bytes, aligned to 64."""
    cdef cnp.ndarray block
    cdef size_t start
    try:
        block = np.empty(size + 63, np.uint8)
    except (MemoryError, ValueError):
        raise MemoryError(f"cannot allocate {size} bytes of workspace") from None
    start = <uintptr_t>aligned_in(cnp.PyArray_DATA(block)) - <uintptr_t>cnp.PyArray_DATA(block)
    return block[start : start + size]


cdef cnp.ndarray fresh_output(int ndim, cnp.npy_intp *dims, int typenum, size_t size):
    """
    An array of size bytes, aligned to 64: np.empty leaves 16, and vectors that straddle two cache lines when they are
    stored take a 1x1 layer of 64 channels to 256 from 200 to 164 GFLOP/s.
    """
    cdef cnp.npy_intp length = <cnp.npy_intp>(size + 63)
    cdef cnp.ndarray block = cnp.PyArray_SimpleNew(1, &length, cnp.NPY_UINT8)
    cdef cnp.ndarray y = cnp.PyArray_SimpleNewFromData(ndim, dims, typenum, aligned_in(cnp.PyArray_DATA(block)))
    cnp.set_array_base(y, block)
    return y


cpdef cnp.ndarray new_output(tuple shape, cnp.dtype dtype):
    """A fresh array for a result of this shape, aligned to 64 bytes."""
    size = math.prod(shape) * dtype.itemsize
    try:
        return fresh_workspace(size).view(dtype).reshape(shape)
    except (MemoryError, OverflowError, ValueError):
        raise MemoryError(f"cannot allocate {size} bytes for an output of shape {shape}") from None


cpdef tuple take_buffers(object out, tuple shape, cnp.dtype dtype, cnp.ndarray block, size_t size, tuple operands):
    """
    For a result of this shape, out or a new array (y); where kernels write it (target_for(y)); and a workspace of at least
    size bytes: block, of `workspace_array`, or a new one. `deliver` ends the call.
    """
    cdef cnp.ndarray y
    if out is None:
        y = new_output(shape, dtype)
    else:
        y = take_out(out, dtype.num, shape)
        refuse_overlap(y, "out", operands)
    if block is None:
        block = fresh_workspace(size)
    else:
        check_workspace(block, size, (("out", y), *operands))
    return y, target_for(y), block


cdef enum:
    SPARE_BYTES = 2 << 20     # about what workspaces made for L2 take

# Memory of the workspace that was freed last, under the GIL: from the system each time, its pages would be faulted in
# again by each call, which takes up to a tenth of a small layer.
cdef void *spare = NULL
cdef size_t spare_size = 0


cdef void *_take_block(size_t *size) noexcept:
    """The spare block if it is large enough, whose size is then written to `size`, else a new one; NULL without memory."""
    global spare
    cdef void *block = spare
    if block == NULL or spare_size < size[0]:
        return malloc(size[0])
    size[0] = spare_size
    spare = NULL
    return block


cdef void _give_block(void *block, size_t size) noexcept:
    """Keeps the block if it is larger than the spare one, up to SPARE_BYTES."""
    global spare, spare_size
    if block == NULL or size > SPARE_BYTES or (spare != NULL and spare_size >= size):
        free(block)
        return
    free(spare)
    spare = block
    spare_size = size
