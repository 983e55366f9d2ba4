# SPDX-License-Identifier: BSD-3-Clause
"""The stages of a network that are pyconv's: segments for the shapes met, and functions called by hand."""

import contextlib
import threading
import time
from collections import ChainMap, OrderedDict

import numpy as np
import onnx

from .._kernels import fresh_workspace, new_output
from .compiler import LAYOUTS, Unfit, prefers_last
from .fold import GROWN
from .graph import attributes, copied
from .lift import Step
from .operators import FUNCTIONS
from .region import Region, open_session, tensor_type
from .segment import Segment

MOST_SHAPES = 8  # of each segment, kept
MOST_BYTES = 1 << 30  # of their weights and blocks; those met last stay, however large
FLOAT = np.dtype(np.float32)


class Own:
    """A stage of pyconv's: a segment for each set of shapes met, the last ones kept."""

    def __init__(self, stage, session):
        self.stage, self._session = stage, session
        self._found, self._lock = OrderedDict(), threading.Lock()
        self._region, self._once = None, False

    def detach(self, feeds):
        """Lets go of the model; and of weights when packed, where the shapes of feeds leave nothing open."""
        for item in self.stage.items:
            item.protos = [copied(proto) for proto in item.protos]
        self._once = all(
            name in feeds and feeds[name] and all(isinstance(size, int) for size in feeds[name])
            for name in self.stage.inputs
        )

    def run(self, values):
        self.runner(values).run(values)

    def runner(self, values):
        """What runs inputs of these shapes."""
        shapes = tuple([values[name].shape for name in self.stage.inputs])
        found = self._found.get(shapes)
        if found is None:
            return self._prepare(shapes)
        with contextlib.suppress(KeyError):  # another thread has just dropped it
            self._found.move_to_end(shapes)
        return found

    def _too_many(self):
        bytes_kept = sum(getattr(found, "nbytes", 0) for found in self._found.values())
        return len(self._found) > MOST_SHAPES or (len(self._found) > 1 and bytes_kept > MOST_BYTES)

    def _prepare(self, shapes):
        with self._lock:
            found = self._found.get(shapes)
            if found is None:
                named = dict(zip(self.stage.inputs, shapes, strict=True))
                try:
                    found = self._compile(named)
                except Unfit as reason:
                    found = self._as_it_was(reason)
                self._found[shapes] = found
                while self._too_many():
                    self._found.popitem(last=False)
                if self._once and isinstance(found, Runner):
                    for item in self.stage.items:
                        item.data.pop("w", None)
                        item.data.pop("b", None)
        return found

    def _compile(self, shapes):
        """In the layout that serves better."""
        options, layouts = self._session._options, LAYOUTS
        if options.tuning != "measure":
            layouts = ("NHWC",) if prefers_last(self.stage) else ("NCHW",)
        runners = [Runner(Segment(self.stage, shapes, options, layout)) for layout in layouts]
        if len(runners) == 1:
            return runners[0]
        values = {name: np.zeros(shape, FLOAT) for name, shape in shapes.items()}
        return min(runners, key=lambda runner: min(_seconds(runner, values) for _ in range(4)))

    def _as_it_was(self, reason):
        """For shapes that joined steps don't fit, the nodes themselves, in onnxruntime."""
        if self._region is None:
            session, stage = self._session, self.stage
            if any(name.endswith(GROWN) for name in (*stage.inputs, *stage.outputs)):
                raise ValueError(f"steps from {stage.items[0].title} on don't fit these shapes: {reason}")
            nodes = [proto for item in stage.items for proto in item.protos]
            plain = tensor_type(onnx.TensorProto.FLOAT)
            types = {name: session._types.get(name, plain) for name in stage.inputs}
            self._region = Region(session.graph(), nodes, types, stage.outputs, session._options.threads)
        return self._region


def _seconds(runner, values):
    start = time.perf_counter()
    runner.run(dict(values))
    return time.perf_counter() - start


class Runner:
    """A segment with the blocks of memory that its runs take, one each at a time."""

    def __init__(self, segment):
        self.segment, self.nbytes = segment, segment.nbytes
        self._inputs = segment.arrays[: segment.inputs]
        self._outputs = [(name, segment.shapes[name]) for name in segment.arrays[segment.inputs :]]
        self._blocks = []

    def run(self, values, times=None):
        segment = self.segment
        arrays = [values[name] for name in self._inputs]
        for name, shape in self._outputs:
            values[name] = made = new_output(shape, FLOAT)
            arrays.append(made)
        try:
            block = self._blocks.pop()
        except IndexError:
            block = fresh_workspace(max(segment.block_bytes, 64))
        segment.run(arrays, block, times)
        self._blocks.append(block)


class Hand:
    """Convolutions that onnxruntime has no kernels for, of float64 say: pyconv's functions, one by one."""

    def __init__(self, stage, graph):
        self._calls = [
            (
                item.title,
                FUNCTIONS[item.protos[0].op_type],
                attributes(item.protos[0]),
                item.inputs,
                item.data["outputs"],
            )
            for item in stage.items
        ]
        read = {name for item in stage.items for name in item.inputs if name in graph.tensors}
        self._constants = {name: graph.constant(name) for name in read}

    def detach(self, feeds):
        """It has arrays alone."""

    def run(self, values):
        values = ChainMap(values, self._constants)
        for what, function, given, inputs, outputs in self._calls:
            try:
                made = function(*(values[name] if name else None for name in inputs), **given)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{what}: {error}") from None
            values.update(zip(outputs, made if isinstance(made, tuple) else (made,), strict=False))


def by_hand(item, graph, always):
    """A convolution that was not lifted, as a step of its own if onnxruntime does not know it, or always."""
    if isinstance(item, Step) or item.op_type not in FUNCTIONS or item.domain not in ("", "ai.onnx"):
        return None
    step = Step("hand", list(item.input), item.output[0], {"outputs": list(item.output)}, [item])
    if always:
        return step
    if item.op_type in ("ConvInteger", "QLinearConv"):
        return None
    types = {name: graph.value_type(name) for name in item.input if name and name not in graph.tensors}
    if None in types.values():
        return None
    try:
        open_session(graph.extract([item], types, [name for name in item.output if name]), 1)
    except Exception:
        return step
    return None
