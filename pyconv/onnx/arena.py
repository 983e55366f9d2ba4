# SPDX-License-Identifier: BSD-3-Clause
"""Where values lie in one block: those that are never needed at the same time may share memory."""

LINE = 64


def place(spans):
    """
    Offsets of values, and the size of the block.

    spans : list of (int, int, int)
        Of each value its bytes, and the first and last step that need it. The largest are placed first, each
        at the lowest offset that is free all the while.
    """
    offsets, placed, total = [0] * len(spans), [], 0
    for index in sorted(range(len(spans)), key=lambda i: -spans[i][0]):
        size, first, last = spans[index]
        size = -(-size // LINE) * LINE
        at = 0
        for start, end, born, died in placed:
            if born <= last and first <= died and at < end and start < at + size:
                at = end
        offsets[index] = at
        placed.append((at, at + size, first, last))
        placed.sort()
        total = max(total, at + size)
    return offsets, total
