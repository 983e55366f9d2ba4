# SPDX-License-Identifier: BSD-3-Clause
# The callers' arrays and buffers: checked, copied only where a kernel needs it; memory for a call without a workspace.

from libc.stdlib cimport free, malloc

import math


cpdef object as_array(object value, str name):
    """value as an ndarray, not copied: through ``__array__``, the buffer protocol or DLPack."""
    if value is None:
        raise TypeError(f"{name} must be an array, is None")
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    return np.asarray(value)


cpdef cnp.ndarray check_array(object value, str name, int typenum, tuple shape, str like):
    """value as an array of the dtype and shape wanted, not copied."""
    cdef cnp.ndarray a
    if type(value) is not np.ndarray:
        value = as_array(value, name)
    a = value
    if cnp.PyArray_TYPE(a) != typenum:
        raise TypeError(f"{name} is {a.dtype}, {like} is {cnp.PyArray_DescrFromType(typenum)}: dtypes must match")
    if value.shape != shape:
        raise ValueError(f"{name} has shape {value.shape}, wanted {shape}")
    return a


cpdef cnp.ndarray as_operand(cnp.ndarray a, str name):
    """a as the kernels read it: C-contiguous, aligned, in native byte order; copied only if it is not."""
    if cnp.PyArray_ISCARRAY_RO(a):
        return a
    try:
        return np.require(a, a.dtype.newbyteorder("="), ("C", "A"))
    except MemoryError:
        raise MemoryError(f"cannot allocate {a.nbytes} bytes for a contiguous copy of {name}") from None


cpdef check_out(out, cnp.dtype dtype, tuple shape):
    """Raises unless kernels can write to out as it is."""
    if not isinstance(out, np.ndarray):
        raise ValueError(f"out must be a numpy.ndarray, is {type(out).__name__}")
    if out.dtype != dtype:
        raise ValueError(f"out is {out.dtype}, wanted {dtype} in native byte order")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, wanted {shape}")
    flags = out.flags
    if not flags.c_contiguous:
        raise ValueError(f"out must be C-contiguous, has strides {out.strides} for shape {out.shape}")
    if not flags.aligned:
        raise ValueError(f"out is misaligned: its address is not a multiple of {dtype.alignment}")
    if not flags.writeable:
        raise ValueError("out is read-only")


cpdef refuse_overlap(cnp.ndarray target, str name, tuple operands):
    """operands: names and arrays of the caller's own, or None; they count whether the kernels read them or a copy."""
    for other, operand in operands:
        if operand is not None and np.may_share_memory(target, operand):
            raise ValueError(f"{name} overlaps {other} in memory")


cpdef cnp.ndarray take_workspace(workspace, size_t size, tuple operands):
    """The caller's buffer as an array of bytes that has the size, the alignment and no operand in it."""
    cdef cnp.ndarray block
    try:
        block = np.frombuffer(workspace, np.uint8)
    except (BufferError, TypeError, ValueError) as error:
        raise ValueError(f"workspace must be a writable, contiguous buffer: {error}") from None
    if not cnp.PyArray_ISWRITEABLE(block):
        raise ValueError("workspace must be a writable, contiguous buffer: it is read-only")
    if <size_t>cnp.PyArray_SIZE(block) < size:
        raise ValueError(f"workspace has {cnp.PyArray_SIZE(block)} bytes, this plan needs {size}")
    cdef uintptr_t offset = <uintptr_t>cnp.PyArray_DATA(block) % PYCONV_ALIGNMENT
    if size > 0 and offset:
        raise ValueError(f"workspace starts at an address that is {offset} modulo 64, must be 0")
    refuse_overlap(block, "workspace", operands)
    return block


cpdef cnp.ndarray fresh_workspace(size_t size):
    """size bytes, aligned to 64."""
    cdef cnp.ndarray block
    cdef size_t start
    try:
        block = np.empty(size + 63, np.uint8)
    except MemoryError:
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


cpdef tuple take_buffers(out, tuple shape, cnp.dtype dtype, workspace, size_t size, tuple operands):
    """out, for a result of this shape, and a workspace of at least size bytes: the caller's, checked, or fresh ones."""
    if out is None:
        try:
            out = fresh_workspace(math.prod(shape) * dtype.itemsize).view(dtype).reshape(shape)
        except (MemoryError, OverflowError, ValueError):
            raise MemoryError(f"cannot allocate {math.prod(shape) * dtype.itemsize} bytes for an output of shape {shape}") \
                from None
    else:
        check_out(out, dtype, shape)
        refuse_overlap(out, "out", operands)
    if workspace is None:
        return out, fresh_workspace(size)
    return out, take_workspace(workspace, size, (("out", out), *operands))


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
