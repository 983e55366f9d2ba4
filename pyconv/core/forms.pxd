# SPDX-License-Identifier: BSD-3-Clause
"""How the file of an algorithm fills its row of the table: begin_row(), then by name what differs from most others."""

from pyconv.core.types cimport *
from pyconv.core.accuracy cimport strict_bound
from pyconv.core.problem cimport direct_multiplications, direct_traffic
from pyconv.core.weights cimport weight_bytes


cdef inline const char *_everything(const problem_t *p) noexcept nogil:
    return NULL


cdef inline bint _always(const problem_t *p, int threads, cut_t *cut) noexcept nogil:
    return True


cdef inline size_t _no_workspace(const problem_t *p, const cut_t *cut, int threads) noexcept nogil:
    return 0


cdef inline size_t _not_packed(const problem_t *p, const cut_t *cut) noexcept nogil:
    return 0


cdef inline size_t whole_weights(const problem_t *p, const cut_t *cut) noexcept nogil:
    """In another order."""
    return weight_bytes(p)


cdef inline double _each_tap(const problem_t *p, const cut_t *cut) noexcept nogil:
    return direct_multiplications(p)


cdef inline double _each_array(const problem_t *p, const cut_t *cut) noexcept nogil:
    return direct_traffic(p)


cdef inline double _sum(const problem_t *p, const cut_t *cut) noexcept nogil:
    return strict_bound(p)


cdef inline void begin_row(algorithm_t *a, const char *name, const char *source) noexcept nogil:
    """Of the strict class, without forms."""
    a.name, a.source = name, source
    a.accuracy, a.nan_reach = PYCONV_STRICT, PYCONV_WINDOW
    a.in_place = a.planes = False
    a.m = a.r = 0
    a.supports = _everything
    a.form_count = 0


cdef inline form_t *add_form(algorithm_t *a, double (*seconds)(const problem_t *, const cut_t *, int) noexcept nogil,
                             int (*run)(task_t *) noexcept nogil) except NULL:
    """The next form: it serves whatever the algorithm supports, in place, each product once."""
    cdef form_t *f
    if a.form_count == MOST_FORMS:
        raise IndexError(f"MOST_FORMS is too small for the forms of {a.name.decode()}")
    f = &a.forms[a.form_count]
    a.form_count += 1
    f.strided = False
    f.serves = _always
    f.workspace = _no_workspace
    f.packed, f.pack = _not_packed, NULL
    f.multiplications, f.traffic, f.bound = _each_tap, _each_array, _sum
    f.seconds, f.run = seconds, run
    return f
