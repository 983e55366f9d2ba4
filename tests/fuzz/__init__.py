# SPDX-License-Identifier: BSD-3-Clause
"""
A differential fuzzer over everything the API can say: ``python -m tests.fuzz --seconds 60``.

    problems.py   one problem: a flat dict of words and numbers, drawn from (seed, index)
    arrays.py     its data, in every form an array can have, between pages that fault
    exact.py      the right values in float64, written from the formulas, apart from the package
    operators.py  the calls of the package, and what each must give
    judge.py      right or wrong
    check.py      one problem, run and judged
    worker.py     a process that runs them, one after the other
    shrink.py     the smallest problem that still fails
    mutations.py  faults planted, to see that they are found
    __main__.py   the command; workers whose death is a finding too
"""
