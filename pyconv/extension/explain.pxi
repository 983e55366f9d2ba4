# SPDX-License-Identifier: BSD-3-Clause
# What every algorithm would cost.

from pyconv.core.choose cimport multiplications, needs, seconds, traffic


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
        "multiplications": int(multiplications(need)) if form != NULL else None,
        "traffic_bytes": int(traffic(p, need)) if serves else None,
        "accuracy": pyconv_accuracy_words[algorithm.accuracy].decode(),
        "error_bound": form.bound(&need.inner, &need.cut) if serves else None,
        "nan_reach": pyconv_nan_reach_words[algorithm.nan_reach].decode(),
        "predicted_seconds": seconds(p, need, threads) if serves else None,
    }


def explain_rows(Problem problem not None):
    """
    What every algorithm would cost, and what `auto` chooses.

    Returns
    -------
    (list of dict, str, int)
        A row for each algorithm in the order of the table; the name of the one chosen; how many threads would serve.
    """
    cdef pyconv_conv2d_t d = problem.d
    cdef plan_t plan
    cdef needs_t need
    cdef int i
    d.algorithm = -1
    plan_create(&plan, &d, table, False, NULL)
    rows = []
    for i in range(ALGORITHMS):
        needs(&need, &table[i], &plan.problem, &d, plan.threads, False)
        rows.append(row(&table[i], &plan.problem, &need, plan.threads, reason_against(&table[i], &need, &d)))
    return rows, plan.algorithm.name.decode(), plan.threads
