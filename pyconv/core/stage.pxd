# SPDX-License-Identifier: BSD-3-Clause
"""
Element types, borders and few channels side by side, which the algorithms don't know: what they read and write is staged.

The output is cut into pieces of images x rows x cols. The input under a piece, with what stands around the image, is
converted to a buffer, of which an algorithm sees a convolution of its own, `inner`; what it computes is converted to y.

  x [n][ic][ih][iw] or [n][ih][iw][ic] of x_dtype      buffer [images][ic][rows][cols] or [images][rows][cols][ic] of dtype
  y, residual of y_dtype, likewise

The last piece of a row or column of pieces overlaps the one before, so that all are alike; what they share is stored once.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from pyconv.core.types cimport *
from pyconv.core.kernels cimport BAND_SLACK, ceil_div, element_bytes
from pyconv.core.machine cimport cache_bytes
from pyconv.core.problem cimport set_strides
from pyconv.core.rates cimport stream_seconds
from pyconv.core.rows cimport padded_source, reach, span
from pyconv.core.sizes cimport aligned, plus, round_up, times
from pyconv.core.tasks cimport poll, run_tasks, share_tasks
from pyconv.core.weights cimport weight_bytes

cdef enum:
    SMALLEST_PIECE = 16384    # bytes of its buffers: no budget makes pieces smaller, each of which reads all weights
    NARROWEST = 128           # columns of a piece, unless the image has fewer: a call for each row, and what overlaps
    RUN = 8192                # elements converted by one call where all are neighbours
    APART = 8                 # channels side by side that may become planes

ctypedef struct stage_t:
    int64_t pieces            # 0: the algorithm reads x and writes y where they are
    int64_t images, rows, cols     # outputs of one
    int64_t down, across      # pieces of an image
    bint padded               # the buffer holds what stands around the image, so `inner` has no padding
    bint shared               # every thread has pieces of its own; else all work at the same one
    size_t x_bytes, y_bytes   # of the buffers; 0: read, written in place
    size_t mid_bytes          # of what is between two passes
    size_t slot               # bytes of workspace that a thread has, or all have together


# A form for a piece, with its cut and weights.
ctypedef struct pass_t:
    const form_t *form
    cut_t cut
    problem_t inner
    size_t packed             # bytes
    bint raw                  # and these in OIHW


cdef inline bint foreign_types(const problem_t *p) noexcept nogil:
    return p.x_dtype != p.dtype or p.y_dtype != p.dtype


cdef inline int64_t _divisor(int64_t n, int64_t most) noexcept nogil:
    """The largest divisor of n that is at most `most`; n > 0."""
    cdef int64_t count
    for count in range(min(n, most), 1, -1):
        if n % count == 0:
            return count
    return 1


cdef inline int64_t _fitting_rows(const problem_t *p, int64_t cols, int64_t most) noexcept nogil:
    """Rows of outputs of which input and output have at most so many elements, at least one."""
    cdef int64_t read = p.ic * span(cols, p.sw, p.kw, p.dw)
    cdef int64_t rest = most - read * ((p.kh - 1) * p.dh + 1 - p.sh)
    return max(1, rest // (read * p.sh + p.oc * cols))


cdef inline int64_t _even_rows(int64_t total, int64_t most) noexcept nogil:
    """Of a piece: a divisor of all rows, so that none overlap, unless that makes them much lower; then whole tiles of 4."""
    cdef int64_t rows = _divisor(total, most)
    return rows if 3 * rows >= 2 * min(most, total) else min(total, round_up(ceil_div(total, ceil_div(total, most)), 4))


cdef inline double _read(const problem_t *p, int64_t rows, int64_t cols) noexcept nogil:
    """Elements that all pieces convert, and 16 more for each run."""
    cdef double lines = <double>ceil_div(p.oh, rows) * span(rows, p.sh, p.kh, p.dh)
    return ceil_div(p.ow, cols) * lines * (span(cols, p.sw, p.kw, p.dw) + 16.0)


cdef inline void _cut_pieces(const problem_t *p, stage_t *s, int64_t most, int threads) noexcept nogil:
    """
    Images of at most twice as many elements as `most` stay whole, since they are converted in long runs, several in a
    piece; others are cut into rows, and columns where that leaves less to be read twice.
    """
    cdef int64_t image = p.ic * (p.ih + p.ph0 + p.ph1) * (p.iw + p.pw0 + p.pw1) + p.yn
    cdef int64_t cols, rows
    cdef int64_t parts = 1
    cdef double least = 0
    cdef double trial
    s.images, s.rows, s.cols = 1, p.oh, p.ow
    if image <= 2 * most:
        s.images = _divisor(p.n, max(1, min(most // image, p.n if threads == 1 else p.n // (4 * threads))))
    else:
        while parts == 1 or p.ow // parts >= NARROWEST:
            cols = ceil_div(p.ow, parts)
            rows = min(_fitting_rows(p, cols, most), p.oh)
            if threads > 1:       # several pieces each, as long as less than half is read twice
                rows = min(rows, max(ceil_div(p.n * p.oh, 4 * threads), max(16, 2 * (p.kh - 1) * p.dh)))
            rows = _even_rows(p.oh, rows)
            trial = _read(p, rows, cols)
            if parts == 1 or trial < least:
                least = trial
                s.rows, s.cols = rows, cols
            parts *= 2
    s.down, s.across = ceil_div(p.oh, s.rows), ceil_div(p.ow, s.cols)
    s.pieces = p.n // s.images * s.down * s.across


cdef inline size_t buffer_bytes(const problem_t *q, int64_t elements) noexcept nogil:
    """With its slack."""
    return aligned(times(plus(<size_t>elements, BAND_SLACK), q.itemsize))


cdef inline void _clear_slack(const problem_t *q, char *x) noexcept nogil:
    memset(x + q.n * q.xn * <int64_t>q.itemsize, 0, BAND_SLACK * q.itemsize)


cdef inline void cut_stage(const problem_t *p, bint apart, bint padded, size_t bytes, int threads, stage_t *s,
                           problem_t *q) noexcept nogil:
    """
    Pieces whose buffers take about so many bytes, and q, what an algorithm sees of one; n > 0, and no empty image.

    apart: channels side by side become planes; padded: zeros around the image are in the buffer, too, even if that is whole.
    """
    _cut_pieces(p, s, max(<int64_t>(bytes // p.itemsize), 1), threads)
    s.padded = padded or p.padding_mode != PYCONV_ZEROS or s.down * s.across > 1
    s.mid_bytes = 0
    s.shared = threads > 1 and s.pieces >= 2 * threads
    q[0] = p[0]
    q.x_dtype = q.y_dtype = p.dtype
    q.n, q.oh, q.ow = s.images, s.rows, s.cols
    if apart:
        q.layout = PYCONV_NCHW
    if s.padded:
        q.ph0 = q.ph1 = q.pw0 = q.pw1 = 0
        q.padding_mode = PYCONV_ZEROS
        q.ih, q.iw = span(s.rows, p.sh, p.kh, p.dh), span(s.cols, p.sw, p.kw, p.dw)
        q.sh, q.sw, q.dh, q.dw = min(p.sh, q.ih), min(p.sw, q.iw), min(p.dh, q.ih), min(p.dw, q.iw)
    set_strides(q)
    s.x_bytes = 0
    if s.padded or apart or p.x_dtype != p.dtype:
        q.slack = True
        s.x_bytes = buffer_bytes(q, q.n * q.xn)


cdef inline void place_output(const problem_t *p, bint strided, stage_t *s, problem_t *q) noexcept nogil:
    """Whether pieces are computed where they belong in y: those that don't overlap, by a form that is `strided`."""
    cdef bint same = q.layout == p.layout and p.y_dtype == p.dtype
    set_strides(q)
    s.y_bytes = 0
    if same and strided and s.rows * s.down == p.oh and s.cols * s.across == p.ow:
        q.yc, q.yh = p.yc, p.yh
    elif not same or s.down * s.across > 1:
        s.y_bytes = aligned(times(<size_t>(q.n * q.yn), q.itemsize))


cdef inline size_t usual_piece(const problem_t *p) noexcept nogil:
    """Half of L2, beside the weights, or as many bytes as the weights, which each piece reads again."""
    return max(<size_t>(cache_bytes(2) // 2), min(weight_bytes(p), <size_t>cache_bytes(2)))


cdef inline size_t stage_slot(const stage_t *s, size_t workspace) noexcept nogil:
    """Bytes of x, y and residual, and of what the algorithm takes."""
    return plus(plus(s.x_bytes, times(2, s.y_bytes)), aligned(workspace))


cdef inline double staging_seconds(const problem_t *p, const stage_t *s, const problem_t *q, int threads) noexcept nogil:
    """
    3 cycles to convert a vector, 8 where channels are put side by side, and 40 for each run; x and y arrive from where they
    are in the types that they have. Measured on a Sapphire-Rapids-class core.
    """
    cdef bint apart = q.layout != p.layout
    cdef bint planes = p.layout == PYCONV_NCHW
    cdef double x = <double>q.n * q.xn if s.x_bytes > 0 else 0
    cdef double y = <double>q.n * q.yn if s.y_bytes > 0 else 0
    cdef double runs = 0
    if s.padded:
        runs = <double>q.n * (q.ih * (p.ic if planes else 1) + q.oh * (p.oc if planes else 1))
    return (s.pieces * ((x + y) * (8 if apart else 3) / p.ops.lanes + 40 * runs) / p.rates.clock
            + stream_seconds(&p.rates, staged_bytes(p))) / threads


cdef inline double staged_bytes(const problem_t *p) noexcept nogil:
    """Of x and y as they are."""
    return <double>p.n * (p.xn * element_bytes(p.x_dtype) + p.yn * element_bytes(p.y_dtype))


# A run in pieces: the whole problem, how it is cut, and what an algorithm gets of each piece.
ctypedef struct staged_t:
    const problem_t *p
    const problem_t *input    # of a piece: what reads x,
    const problem_t *output   # what makes y
    const stage_t *s
    const form_t *form
    const pass_t *second      # or NULL
    const void *second_weight
    task_t inner              # x, y, residual and workspace left to fill in
    const void *x
    const void *residual
    void *y

# One piece and where its buffers are: its first image, output row and column, and the first of each that are its own; the
# row and column of x at the buffer's corner.
ctypedef struct piece_t:
    const staged_t *all
    int64_t image, row, col, own_row, own_col, h0, w0
    char *x
    char *y
    char *residual


cdef inline piece_t _piece(const staged_t *all, int64_t number, char *slot) noexcept nogil:
    cdef const stage_t *s = all.s
    cdef const problem_t *p = all.p
    cdef piece_t a
    a.all = all
    a.image = number // (s.down * s.across) * s.images
    a.own_row = number // s.across % s.down * s.rows
    a.own_col = number % s.across * s.cols
    a.row, a.col = min(a.own_row, p.oh - s.rows), min(a.own_col, p.ow - s.cols)
    a.h0 = a.row * p.sh - p.ph0 if s.padded else 0
    a.w0 = a.col * p.sw - p.pw0 if s.padded else 0
    a.x = slot
    a.y = slot + s.x_bytes
    a.residual = a.y + s.y_bytes
    return a


cdef inline void _fill_border(const piece_t *a, const char *row, int64_t first, int64_t last, char *to) noexcept nogil:
    """Columns first .. last of the buffer from the pixels that stand there; row NULL: the constant. `to` is column 0."""
    cdef const problem_t *p = a.all.p
    cdef const problem_t *q = a.all.input
    cdef int64_t channels = p.ic if p.layout == PYCONV_NHWC else 1
    cdef int64_t w, c, source
    cdef char *at
    for w in range(first, last):
        source = -1 if row == NULL else padded_source(a.w0 + w, p.iw, p.padding_mode)
        if source >= 0 and q.layout == p.layout:
            p.ops.stage_in(p.x_dtype, row + source * p.xw * element_bytes(p.x_dtype), 1, channels,
                           to + w * q.xw * <int64_t>q.itemsize, 0)
        elif source >= 0:
            p.ops.stage_in(p.x_dtype, row + source * p.xw * element_bytes(p.x_dtype), channels, 1,
                           to + w * <int64_t>q.itemsize, q.xc)
        else:
            for c in range(channels):
                at = to + (w * q.xw + c * q.xc) * <int64_t>q.itemsize
                if q.dtype == PYCONV_F32:
                    (<float *>at)[0] = <float>p.border
                else:
                    (<double *>at)[0] = p.border


cdef inline void _fill_line(const piece_t *a, int64_t image, int64_t c, int64_t h) noexcept nogil:
    """Row h of the buffer, of channel c if channels are planes in x."""
    cdef const problem_t *p = a.all.p
    cdef const problem_t *q = a.all.input
    cdef int64_t size = element_bytes(p.x_dtype)
    cdef int64_t source = padded_source(a.h0 + h, p.ih, p.padding_mode)
    cdef int64_t first, last
    cdef const char *row
    cdef const char *inside
    cdef char *to = a.x + (image * q.xn + c * q.xc + h * q.xh) * <int64_t>q.itemsize
    if source < 0:
        _fill_border(a, NULL, 0, q.iw, to)
        return
    row = <const char *>a.all.x + ((a.image + image) * p.xn + c * p.xc + source * p.xh) * size
    reach(q.iw, p.iw, 1, a.w0, &first, &last)
    inside = row + (a.w0 + first) * p.xw * size
    _fill_border(a, row, 0, first, to)
    if last > first and q.layout == p.layout:
        p.ops.stage_in(p.x_dtype, inside, 1, (last - first) * p.xw, to + first * q.xw * <int64_t>q.itemsize, 0)
    elif last > first:
        p.ops.stage_in(p.x_dtype, inside, p.ic, last - first, to + first * <int64_t>q.itemsize, q.xc)
    _fill_border(a, row, last, q.iw, to)


cdef inline int64_t _fill_lines(const piece_t *a) noexcept nogil:
    """How many lines fill the buffer: its rows, or runs of neighbours where whole images are only converted."""
    cdef const problem_t *p = a.all.p
    cdef const problem_t *q = a.all.input
    if a.all.s.x_bytes == 0:
        return 0
    if not a.all.s.padded and q.layout == p.layout:
        return ceil_div(q.n * q.xn, RUN)
    return q.n * q.ih * (p.ic if p.layout == PYCONV_NCHW else 1)


cdef inline void _fill_step(const task_t *_t, const void *piece, int64_t line, char *_buffer) noexcept nogil:
    cdef const piece_t *a = <const piece_t *>piece
    cdef const problem_t *p = a.all.p
    cdef const problem_t *q = a.all.input
    cdef int64_t planes = p.ic if p.layout == PYCONV_NCHW else 1
    if not a.all.s.padded and q.layout == p.layout:
        line *= RUN
        p.ops.stage_in(p.x_dtype, <const char *>a.all.x + (a.image * p.xn + line) * element_bytes(p.x_dtype), 1,
                       min(<int64_t>RUN, q.n * q.xn - line), a.x + line * <int64_t>q.itemsize, 0)
    else:
        _fill_line(a, line // (planes * q.ih), line // q.ih % planes, line % q.ih)


cdef inline int64_t _store_lines(const piece_t *a) noexcept nogil:
    """How many lines store y, and fetch residual: likewise."""
    cdef const problem_t *p = a.all.p
    cdef const problem_t *q = a.all.output
    cdef const stage_t *s = a.all.s
    if s.y_bytes == 0:
        return 0
    if s.down * s.across == 1 and q.layout == p.layout:
        return ceil_div(q.n * q.yn, RUN)
    return q.n * q.oh * (p.oc if p.layout == PYCONV_NCHW else 1)


cdef inline void _line_of_y(const piece_t *a, int64_t line, bint fetches) noexcept nogil:
    """One line to y or, `fetches`, from residual."""
    cdef const problem_t *p = a.all.p
    cdef const problem_t *q = a.all.output
    cdef const stage_t *s = a.all.s
    cdef int64_t size = element_bytes(p.y_dtype)
    cdef int64_t planes = p.oc if p.layout == PYCONV_NCHW else 1
    cdef int64_t image, o, r, c
    cdef int64_t channels = 1
    cdef int64_t at, inside, count
    if s.down * s.across == 1 and q.layout == p.layout:
        inside = line * RUN
        count = min(<int64_t>RUN, q.n * q.yn - inside)
        at = a.image * p.yn + inside
    else:
        image, o, r = line // (planes * q.oh), line // q.oh % planes, line % q.oh
        c = a.own_col - a.col
        if a.row + r < a.own_row:
            return
        inside = image * q.yn + o * q.yc + r * q.yh + c * q.yw
        at = (a.image + image) * p.yn + o * p.yc + (a.row + r) * p.yh + a.own_col * p.yw
        count = q.ow - c
        if q.layout != p.layout:
            channels = p.oc
        else:
            count *= p.yw
    if fetches:
        p.ops.stage_in(p.y_dtype, <const char *>a.all.residual + at * size, channels, count,
                       a.residual + inside * <int64_t>q.itemsize, q.yc)
    else:
        p.ops.stage_out(p.y_dtype, a.y + inside * <int64_t>q.itemsize, q.yc, channels, count, <char *>a.all.y + at * size)


cdef inline void _fetch_step(const task_t *_t, const void *piece, int64_t line, char *_buffer) noexcept nogil:
    _line_of_y(<const piece_t *>piece, line, True)


cdef inline void _store_step(const task_t *_t, const void *piece, int64_t line, char *_buffer) noexcept nogil:
    _line_of_y(<const piece_t *>piece, line, False)


cdef inline int _two_passes(const staged_t *all, task_t *t) noexcept nogil:
    """t as for one pass; what is between them stands before its workspace."""
    cdef task_t first = t[0]
    cdef int status
    first.bias = first.residual = NULL
    first.y = t.workspace
    first.workspace += all.s.mid_bytes
    status = all.form.run(&first)
    if status == PYCONV_STATUS_OK:
        _clear_slack(&all.second.inner, <char *>first.y)
        t.x, t.p, t.cut, t.weight = first.y, &all.second.inner, &all.second.cut, all.second_weight
        t.workspace = first.workspace
        status = all.second.form.run(t)
    return status


cdef inline int _compute(const staged_t *all, int64_t number, int threads, bint (*interrupted)() noexcept nogil,
                         char *slot) noexcept nogil:
    """One piece, by so many threads."""
    cdef piece_t a = _piece(all, number, slot)
    cdef const problem_t *p = all.p
    cdef task_t t = all.inner
    cdef int64_t at = (a.image * p.yn + a.row * p.yh + a.col * p.yw) * <int64_t>p.itemsize
    cdef int status
    t.threads = t.slots = threads
    t.interrupted = interrupted
    t.x = a.x if all.s.x_bytes > 0 else <const char *>all.x + a.image * p.xn * <int64_t>p.itemsize
    t.y = a.y if all.s.y_bytes > 0 else <char *>all.y + at
    t.workspace = a.residual + all.s.y_bytes
    share_tasks(&t, _fill_step, &a, 0, _fill_lines(&a), threads, NULL, 0)
    if all.s.x_bytes > 0:
        _clear_slack(all.input, a.x)
    if all.residual != NULL and all.s.y_bytes > 0:
        share_tasks(&t, _fetch_step, &a, 0, _store_lines(&a), threads, NULL, 0)
        t.residual = a.residual
    elif all.residual != NULL:
        t.residual = <const char *>all.residual + at
    promised(t.x != NULL)
    if all.second != NULL:
        status = _two_passes(all, &t)
    else:
        status = all.form.run(&t)
    if status == PYCONV_STATUS_OK:
        share_tasks(&t, _store_step, &a, 0, _store_lines(&a), threads, NULL, 0)
    return status


cdef inline void _piece_step(const task_t *_t, const void *all, int64_t number, char *slot) noexcept nogil:
    _compute(<const staged_t *>all, number, 1, NULL, slot)


cdef inline int stage_run(task_t *t, const problem_t *p, const stage_t *s, const form_t *form, const pass_t *second,
                          const void *second_weight) noexcept nogil:
    """t is that of the whole, but that t.p and t.cut are those of a piece; second NULL: one pass."""
    cdef staged_t all
    cdef double flops = 2.0 * t.p.n * t.p.yn * t.p.k + 1
    cdef int64_t i
    cdef int status
    all.p, all.s, all.form, all.inner = p, s, form, t[0]
    all.x, all.y, all.residual = t.x, t.y, t.residual
    all.inner.residual = NULL
    all.second, all.second_weight = second, second_weight
    all.input = t.p
    all.output = t.p if second == NULL else &second.inner
    if s.shared:
        return run_tasks(t, _piece_step, &all, s.pieces, flops, s.slot)
    for i in range(s.pieces):
        status = _compute(&all, i, t.threads, t.interrupted, t.workspace)
        if status != PYCONV_STATUS_OK:
            return status
        if poll(t, flops):
            return PYCONV_STATUS_INTERRUPTED
    return PYCONV_STATUS_OK
