# SPDX-License-Identifier: BSD-3-Clause
"""Conway's Game of Life on a torus: a Numba loop that calls a plan of pyconv, never coming back to Python."""

import ctypes

import numpy as np
from numba import njit

import pyconv

# int pyconv_plan_run(plan, x, y, workspace), its pointers as integers: those are what Numba reads off arrays.
run = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_size_t] * 4)(pyconv.c_functions()["pyconv_plan_run"])


@njit(nogil=True)
def evolve(plan, board, neighbours, workspace, generations):
    """board (h, w) of 0 and 1, in place; neighbours is scratch of its shape. Returns the status."""
    for _ in range(generations):
        status = run(plan, board.ctypes.data, neighbours.ctypes.data, workspace.ctypes.data)
        if status != 0:
            return status
        for i in range(board.shape[0]):
            for j in range(board.shape[1]):
                count = neighbours[i, j]
                board[i, j] = count == 3 or (count == 2 and board[i, j] == 1)
    return 0


def life(board, generations):
    """The board so many generations later."""
    around = np.ones((1, 1, 3, 3), np.float32)
    around[0, 0, 1, 1] = 0
    plan = pyconv.plan((1, *board.shape), around, padding=1, padding_mode="circular", threads=1)
    board = np.array(board, np.float32, order="C")
    # `plan` stays referenced to the end: its address is good for no longer.
    status = evolve(plan.address, board, np.empty_like(board), plan.new_workspace(), generations)
    if status != 0:
        raise RuntimeError(f"pyconv_plan_run returned {status}")
    return board


if __name__ == "__main__":
    soup = np.random.default_rng(0).random((24, 72)) < 0.3
    for row in life(soup, 200):
        print("".join(".#"[int(cell)] for cell in row))
