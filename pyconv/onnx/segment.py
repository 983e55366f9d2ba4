# SPDX-License-Identifier: BSD-3-Clause
"""Steps between two seams, compiled for the shapes of their inputs: a program in one block of memory."""

import time

import numpy as np

from .._kernels import Program
from . import arena
from .compiler import Compiler


class Segment:
    """
    A compiled stage.

    Attributes
    ----------
    arrays : list of str
        Names of what a run is given, in order: inputs, then outputs.
    shapes : dict
        Of these arrays.
    nbytes : int
        Of packed weights and of a block.
    titles : list of str
        Of the steps: of the program's, then of those that Python calls.
    names : list of list of str
        Of the nodes that each stands for.
    """

    def __init__(self, stage, shapes, options, layout="NCHW"):
        made = Compiler(stage, shapes, options, layout)
        self.arrays, self.titles, self.layout = made.arrays, made.titles, layout
        self.inputs = len(stage.inputs)
        self.shapes = {}
        for name in made.arrays:
            n, c, h, w = made.shape[name]
            self.shapes[name] = (n, c, w) if made.rank[name] == 3 else (n, c, h, w)
        inside = [i for i, array in enumerate(made.array) if array < 0]
        spans = [(made.sizes[i], made.born[i], max(made.born[i], made.died[i])) for i in inside]
        offsets, total = arena.place(spans)
        places = dict(zip(inside, offsets, strict=True))
        values = [(made.array[i], places.get(i, 0), size) for i, size in enumerate(made.sizes)]
        called = [i for i, step in enumerate(made.steps) if step["kind"] == "call"]
        stepped = [i for i, step in enumerate(made.steps) if step["kind"] != "call"]
        self.titles = [made.titles[i] for i in (*stepped, *called)]
        self.names = [made.names[i] for i in (*stepped, *called)]
        steps = [made.steps[i] for i in stepped]
        self._calls = []
        for number, i in enumerate(called):
            step = made.steps[i]
            self._calls.append((i - number, step["plan"], values[step["x"]], values[step["y"]]))
        self._workspace = total, made.workspace
        self.program = Program(values, steps, len(made.arrays), (total, made.workspace), options.threads)
        self.block_bytes = max(self.program.block_bytes, total + made.workspace)
        self.nbytes = made.packed + self.block_bytes

    def run(self, arrays, block, times=None):
        """`arrays` in the order of `self.arrays`, contiguous float32; `block` of `block_bytes`."""
        if not self._calls:
            self.program.run(arrays, block, 0, -1, times)
            return
        done, (start, size) = 0, self._workspace
        workspace = block[start : start + size]
        for number, (before, called, x, y) in enumerate(self._calls, len(self.program)):
            self.program.run(arrays, block, done, before, times)
            done, began = before, time.perf_counter()
            views = (
                _view(arrays, block, *place, shape)
                for place, shape in ((x, called.input_shape), (y, called.output_shape))
            )
            called(*views, workspace)
            if times is not None:
                times[number] += time.perf_counter() - began
        self.program.run(arrays, block, done, len(self.program), times)


def _view(arrays, block, array, offset, nbytes, shape):
    if array >= 0:
        return arrays[array].reshape(shape)
    return block[offset : offset + nbytes].view(np.float32).reshape(shape)
