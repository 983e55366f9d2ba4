# SPDX-License-Identifier: BSD-3-Clause
"""InferenceSession: a network whose convolutions are pyconv's plans, the rest onnxruntime's."""

import contextlib
import threading
import time
from collections import ChainMap, OrderedDict
from dataclasses import dataclass

import numpy as np
import onnx

from .._arguments import parse_threads
from .._config import accuracy_code, workspace_bound
from .._kernels import fresh_workspace, new_output
from .fold import GROWN, Steps
from .graph import Graph, attributes, copied, fold_constants
from .lift import Lifter, Step
from .load import load
from .operators import FUNCTIONS
from .partition import partition
from .region import Region, open_session, tensor_type
from .segment import LAYOUTS, Segment, Unfit, prefers_last

MOST_SHAPES = 8  # of each segment, kept
MOST_BYTES = 1 << 30  # of their weights and blocks; those met last stay, however large
FLOAT = np.dtype(np.float32)


@dataclass(frozen=True)
class NodeArg:
    """
    An input or output: its name, its type in onnxruntime's words, and its shape, where a dimension is an int,
    the name of one, or None.
    """

    name: str
    type: str
    shape: list


@dataclass(frozen=True)
class Options:
    threads: int | None
    max_workspace: int | None
    accuracy: str | None
    tuning: str | None


def _node_arg(value):
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        return NodeArg(value.name, value.type.WhichOneof("value") or "", [])
    shape = [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in kind.shape.dim]
    shape = [None if size == -1 else size for size in shape]
    word = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
    return NodeArg(value.name, f"tensor({word})", shape)


class InferenceSession:
    """
    A network made ready, for any shapes of its inputs.

    Convolutions run by pyconv, with the scales, shifts, residuals and functions behind them; the nodes
    between in onnxruntime, in as few sessions as possible.

    Parameters
    ----------
    path_or_bytes : path, bytes or onnx.ModelProto
        Data that the model keeps in other files must be in its folder.
    threads : int, optional
        Of a run, by default as many as OpenMP would use.
    max_workspace : int or str, optional
        Bytes, or ``"64MB"``, that workspace and packed weights of each convolution may take.
    accuracy : {"strict", "standard", "fast"}, optional
        As in `pyconv.conv2d`.
    tuning : {"model", "measure"}, optional
        How a segment's layout is chosen: by the cost model, or by running it once in each.

    Raises
    ------
    TypeError, ValueError
        If it isn't a model, or one that neither pyconv nor onnxruntime can serve: the message names the node.

    Examples
    --------
    >>> session = pyconv.onnx.InferenceSession("network.onnx", threads=1)  # doctest: +SKIP
    >>> [y] = session.run(None, {session.get_inputs()[0].name: x})  # doctest: +SKIP
    """

    _by_hand = False  # whether pyconv's functions are called for convolutions that it has no steps for

    def __init__(self, path_or_bytes, *, threads=None, max_workspace=None, accuracy=None, tuning=None):
        if tuning not in (None, "model", "measure"):
            raise ValueError(f"tuning must be 'model', 'measure' or None, is {tuning!r}")
        accuracy_code(accuracy)
        workspace_bound(max_workspace)
        threads = None if threads is None else parse_threads(threads)
        self._options = Options(threads, max_workspace, accuracy, tuning)
        is_model = isinstance(path_or_bytes, onnx.ModelProto)
        self._source = path_or_bytes.SerializeToString() if is_model else path_or_bytes
        self._whole, self._lock = None, threading.Lock()
        graph = Graph(load(self._source))
        self._inputs = [_node_arg(value) for value in graph.inputs]
        self._outputs = [_node_arg(value) for value in graph.outputs]
        self._types = {value.name: value.type for value in graph.inputs}
        self._defaults = graph.overridable
        fold_constants(graph, _evaluate)
        items = Steps(Lifter(graph).items(), graph.held).fold()
        items = [_by_hand(item, graph, self._by_hand) or item for item in items]
        results = [value.name for value in self._outputs]
        self._constants = {name: graph.constant(name) for name in results if name in graph.tensors}
        feeds = {value.name: value.shape for value in self._inputs}
        try:
            self._stages = [self._open(stage, graph) for stage in partition(items, set(feeds), results)]
        except ValueError as error:
            self._stages = [self._uncut(graph, results, error)]
        # Protos of the model would keep all of it in memory.
        self._types = {name: copied(kind) for name, kind in self._types.items()}
        for stage in self._stages:
            stage.detach(feeds)

    def _uncut(self, graph, results, error):
        """All of a network that can't be cut, where values between the parts are no tensors, say."""
        feeds = {value.name: value.type for value in graph.inputs}
        made = [name for name in results if name not in feeds and name not in graph.tensors]
        try:
            return Region(graph, graph.nodes, feeds, made, self._options.threads)
        except ValueError:
            raise error from None

    def graph(self):
        """The graph anew, of which a session keeps no weights but those that it may have to pack again."""
        graph = Graph(load(self._source))
        fold_constants(graph, _evaluate)
        return graph

    def _open(self, stage, graph):
        if stage.kind == "own":
            for name in stage.outputs:
                self._types[name] = tensor_type(onnx.TensorProto.FLOAT)
            return Own(stage, self)
        if stage.kind == "hand":
            return Hand(stage, graph)
        types = {name: self._types.get(name) or graph.value_type(name) for name in stage.inputs}
        for name, kind in types.items():
            if kind is None:
                raise ValueError(f"the type of {name!r} is not known")
        region = Region(graph, stage.items, types, stage.outputs, self._options.threads)
        self._types |= {name: kind for name, kind in region.types.items() if kind is not None}
        return region

    def get_inputs(self):
        """What `run` is to be fed, as onnxruntime has it: objects with ``name``, ``type`` and ``shape``."""
        return list(self._inputs)

    def get_outputs(self):
        """What `run` gives, described likewise."""
        return list(self._outputs)

    def run(self, output_names, feeds, run_options=None):
        """
        The outputs for these feeds.

        Parameters
        ----------
        output_names : list of str, or None
            None: all, in order.
        feeds : dict
            Arrays by the names of the inputs. Of an initializer that is an input, too, one may be given; then
            onnxruntime runs the network as it is.

        Returns
        -------
        list of ndarray

        Raises
        ------
        TypeError, ValueError
            For feeds that are missing, unknown or of another type or shape, and where a node fails.
        """
        values = self._checked(feeds)
        known = {value.name for value in self._outputs}
        names = [value.name for value in self._outputs] if output_names is None else list(output_names)
        for name in names:
            if name not in known:
                raise ValueError(f"there is no output {name!r}: the outputs are {', '.join(sorted(known))}")
        if self._defaults.intersection(values):
            return self._run_whole(names, values)
        values |= self._constants
        for stage in self._stages:
            stage.run(values)
        # What comes back as it came, or is a constant, is copied: results are the caller's.
        kept = self._constants.keys() | {value.name for value in self._inputs}
        return [values[name].copy() if name in kept else values[name] for name in names]

    def _run_whole(self, names, feeds):
        with self._lock:
            if self._whole is None:
                model = load(self._source).SerializeToString()
                self._whole = open_session(model, self._options.threads)
        return self._whole.run(names, feeds)

    def _checked(self, feeds):
        if not isinstance(feeds, dict):
            raise TypeError(f"feeds must be a dict of arrays by name, is {type(feeds).__name__}")
        known = {value.name: value for value in self._inputs}
        for name in feeds:
            if name not in known and name not in self._defaults:
                raise ValueError(f"there is no input {name!r}: the inputs are {', '.join(known)}")
        values = {}
        for name, value in known.items():
            if name not in feeds:
                raise ValueError(f"input {name!r} is missing: the inputs are {', '.join(known)}")
            values[name] = _checked_array(feeds[name], value)
        values |= {name: feeds[name] for name in self._defaults if name in feeds}
        return values


DTYPES = {
    "float": np.float32,
    "double": np.float64,
    "float16": np.float16,
    "bool": np.bool_,
} | {f"{sign}int{bits}": np.dtype(f"{sign}int{bits}").type for sign in ("", "u") for bits in (8, 16, 32, 64)}


def _checked_array(array, value):
    word = value.type.removeprefix("tensor(").removesuffix(")")
    wanted = DTYPES.get(word)
    if wanted is None:  # strings and sequences: onnxruntime's business
        return array
    if not isinstance(array, np.ndarray):
        array = np.asarray(array)
    if array.dtype != wanted:
        raise TypeError(f"input {value.name!r} is {array.dtype}, wanted {np.dtype(wanted)}")
    if value.shape:
        fits = array.ndim == len(value.shape) and all(
            not isinstance(want, int) or size == want
            for size, want in zip(array.shape, value.shape, strict=True)
        )
        if not fits:
            shown = ", ".join("?" if size is None else str(size) for size in value.shape)
            raise ValueError(f"input {value.name!r} has shape {array.shape}, wanted ({shown})")
    return np.require(array, np.dtype(wanted), ("C", "A"))


def _evaluate(model, names):
    return open_session(model, 1, optimize=False).run(names, {})


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


def _by_hand(item, graph, always):
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
