# SPDX-License-Identifier: BSD-3-Clause
"""InferenceSession: a network whose convolutions are pyconv's plans, the rest onnxruntime's."""

import threading
from dataclasses import dataclass

import onnx

from .._arguments import parse_threads
from .._config import accuracy_code, workspace_bound
from .arguments import checked_array, node_arg
from .fold import Steps
from .graph import Graph, copied, fold_constants
from .lift import Lifter
from .load import load
from .partition import partition
from .region import Region, open_session, tensor_type
from .stages import Hand, Own, by_hand


@dataclass(frozen=True)
class Options:
    threads: int | None
    max_workspace: int | None
    accuracy: str | None
    tuning: str | None


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
        How the layout between two seams is chosen: by what convolutions are there, or by runs in both.

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
        self._inputs = [node_arg(value) for value in graph.inputs]
        self._outputs = [node_arg(value) for value in graph.outputs]
        self._types = {value.name: value.type for value in graph.inputs}
        self._defaults = graph.overridable
        fold_constants(graph, _evaluate)
        items = Steps(Lifter(graph).items(), graph.held).fold()
        items = [by_hand(item, graph, self._by_hand) or item for item in items]
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
            values[name] = checked_array(feeds[name], value)
        values |= {name: feeds[name] for name in self._defaults if name in feeds}
        return values


def _evaluate(model, names):
    return open_session(model, 1, optimize=False).run(names, {})
