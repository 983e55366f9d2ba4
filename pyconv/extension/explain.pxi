# SPDX-License-Identifier: BSD-3-Clause
# What every algorithm would cost.

from pyconv.core.choose cimport needs, seconds, traffic


cdef dict row(const algorithm_t *algorithm, const problem_t *p, const needs_t *need, int threads, str reason):
    """What one algorithm costs; None stands for what has no meaning where it can't serve."""
    cdef const form_t *form = need.form
    cdef bint serves = need.status != PYCONV_STATUS_UNSUPPORTED
    return {
        "algorithm": algorithm.name.decode(),
        "source": algorithm.source.decode(),
        "eligible": reason is None,
        "reason": reason,
        "workspace_bytes": need.workspace if serves else None,
        "packed_bytes": need.packed if serves else None,
        "multiplications": int(form.multiplications(&need.inner, &need.cut)) if form != NULL else None,
        "traffic_bytes": int(traffic(p, need)) if serves else None,
        "accuracy": pyconv_accuracy_words[algorithm.accuracy].decode(),
        "error_bound": form.bound(&need.inner, &need.cut) if serves else None,
        "nan_reach": pyconv_nan_reach_words[algorithm.nan_reach].decode(),
        "predicted_seconds": seconds(p, need, threads) if serves else None,
    }


def explain_rows(tuple shape not None, cnp.dtype dtype not None, tuple wshape not None, int layout, tuple stride,
                 tuple padding, tuple dilation, object groups, int padding_mode, double lo, double hi, int algorithm,
                 int accuracy, object max_workspace, object threads):
    """
    What every algorithm would cost, and what `auto` chooses.

    Returns
    -------
    (list of dict, str, dict)
        A row for each algorithm in the order of the table; the name of the one chosen; facts of the problem.

    Raises
    ------
    ValueError
        As `Plan`.
    """
    cdef pyconv_conv2d_t d
    cdef plan_t plan
    cdef needs_t need
    cdef int i
    describe(&d, shape, _dtype_code(dtype), wshape, layout, stride, padding, dilation, groups, padding_mode, lo, hi, -1,
             accuracy, max_workspace, threads, 2)
    refuse_invalid(plan_create(&plan, &d, table, False), &d, 2)
    rows = []
    for i in range(ALGORITHMS):
        needs(&need, &table[i], &plan.problem, &d, plan.threads, False)
        rows.append(row(&table[i], &plan.problem, &need, plan.threads, reason_against(&table[i], &need, &d)))
    return rows, plan.algorithm.name.decode(), {
        "output_shape": output_shape(&plan.problem, shape, 2),
        "threads": plan.threads,
        "padding": ((d.ph0, d.ph1), (d.pw0, d.pw1)),
    }
