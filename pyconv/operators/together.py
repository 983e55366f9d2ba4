# SPDX-License-Identifier: BSD-3-Clause
"""All phases of a transposed convolution in one pass over its input, where that is the fastest way."""

from itertools import product

from .._kernels import ALGORITHM_NAMES, LAYOUTS, Phases, Plan, UnsupportedError, as_operand, predicted

FEWEST_FILTERS = 16  # per group, of a phase that is left to a plan of its own: those of less share one


def choose(forward, size, axes, once, describe, shared):
    """
    What is predicted to be fastest.

    Parameters
    ----------
    forward : Problem
        The conv2d whose gradient it is.
    size : (int, int)
        Rows and columns of the input.
    axes : (list of Phase, list of Phase)
    once : bool
        Whether the weights are packed for one call.
    describe : callable
        The problem of a list of phases (rows, columns) that share a convolution.
    shared : iterable of such lists
        That would be computed one after the other.

    Returns
    -------
    Phases or None
        None where a plan for each of `shared` is faster.
    dict
        (row, column) of the phases that are left to plans of their own; values (name, seconds).
    """
    named = None if forward.algorithm < 0 else ALGORITHM_NAMES[forward.algorithm]
    rows, columns = ([_numbers(phase) for phase in axis] for axis in axes)
    engine = Phases(forward, size, rows, columns, (), once)
    single = forward.stride == (1, 1)
    if engine.algorithm is None or (single and (engine.algorithm == "depthwise" or not once)):
        return None, {}  # one plan is all there is to it
    tiled = {} if single else _tiled(forward, axes, once, describe)
    if named is not None:
        if named == engine.algorithm:
            return engine, {}
        if len(tiled) < len(rows) * len(columns):
            return None, {}
    elif engine.algorithm == "depthwise":
        return engine, {}
    mixed = Phases(forward, size, rows, columns, tuple(tiled), once) if tiled else engine
    apart = sum(predicted(describe(parts), once)[1] for parts in shared)
    ways = [(apart + engine.turning_seconds + engine.copying_seconds, None, {})]
    if named is None:
        ways.append((engine.seconds, engine, {}))
    if tiled and mixed.algorithm is not None:
        left = sum(seconds for _, seconds in tiled.values())
        ways.append((mixed.seconds + left + mixed.turning_seconds, mixed, tiled))
    _, engine, alone = min(ways, key=lambda way: way[0])
    return engine, alone


def _numbers(phase):
    """As `Phases` takes them."""
    taps = phase.taps
    return (phase.first, phase.outputs, taps.start, -taps.step, phase.length, phase.dilation, phase.before)


def _tiled(forward, axes, once, describe):
    """
    Those phases that are fastest by Winograd's tiles, which write to any strides.

    Of channels that are neighbours: elsewhere they would fill each line of the result several times.
    """
    found = {}
    if forward.layout != LAYOUTS["NHWC"] or forward.weight_shape[1] < FEWEST_FILTERS:
        return found
    for (i, rows), (j, columns) in product(*map(enumerate, axes)):
        if all(axis.length > 1 and axis.before >= 0 and axis.after >= 0 for axis in (rows, columns)):
            try:
                way = predicted(describe([(rows, columns)]), once)
            except UnsupportedError:  # the one that is named
                continue
            if way[0].startswith("winograd"):
                found[i, j] = way
    return found


def pack(engine, forward, axes, alone, once, describe, pick, weight, bias):
    """Whether there is room for the weights, which then are packed; `pick` makes those that phases share."""
    for i, j in alone:
        part = [(axes[0][i], axes[1][j])]
        if not engine.leave(i, j, Plan(describe(part), pick(part), bias, borrow=once)):
            return False
    needed = engine.workspace_bytes + engine.packed_bytes
    if forward.max_workspace is not None and needed > forward.max_workspace:
        return False
    engine.pack(as_operand(weight, "weight"), None if bias is None else as_operand(bias, "bias"))
    return True
