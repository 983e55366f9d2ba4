# SPDX-License-Identifier: BSD-3-Clause
"""``python -m pyconv run network.onnx``: times a network step by step, beside onnxruntime."""

import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from .arguments import DTYPES
from .region import open_session
from .session import InferenceSession
from .stages import Own


def shapes_of(inputs, given):
    """{name: shape} of the inputs; `given`, by name or in order, has those that the model leaves open."""
    named = {name: shape for name, shape in given if name}
    ordered = iter([shape for name, shape in given if not name])
    shapes = {}
    for value in inputs:
        if value.name in named:
            shapes[value.name] = named.pop(value.name)
        elif all(isinstance(size, int) for size in value.shape):
            shapes[value.name] = tuple(value.shape)
        else:
            shape = next(ordered, None)
            if shape is None:
                shown = ",".join(str(size or "?") for size in value.shape)
                raise ValueError(
                    f"input {value.name!r} is ({shown}): give its shape by --input {value.name}=1,3,224,224"
                )
            shapes[value.name] = shape
    if named:
        raise ValueError(f"there is no input {next(iter(named))!r}: the inputs are {', '.join(shapes)}")
    return shapes


def random_feeds(inputs, shapes):
    """Normal numbers, or zeros of other types than floats."""
    rng, feeds = np.random.default_rng(0), {}
    for value in inputs:
        dtype = DTYPES.get(value.type.removeprefix("tensor(").removesuffix(")"))
        if dtype is None:
            raise ValueError(f"input {value.name!r} is {value.type}: no numbers can be made up for it")
        feeds[value.name] = np.zeros(shapes[value.name], dtype)
        if feeds[value.name].dtype.kind == "f":
            feeds[value.name] += rng.standard_normal(shapes[value.name]).astype(dtype)
    return feeds


class Progress:
    """A bar, if tqdm is there."""

    def __init__(self, total):
        try:
            from tqdm import tqdm
        except ImportError:
            self._bar = None
        else:
            self._bar = tqdm(total=total, unit="run", leave=False, dynamic_ncols=True)

    def step(self):
        if self._bar is not None:
            self._bar.update()

    def close(self):
        if self._bar is not None:
            self._bar.close()


def least_seconds(run, runs, progress):
    """Of one call, the least of many."""
    least = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        run()
        least = min(least, time.perf_counter() - start)
        progress.step()
    return least


def own_rows(session, feeds, runs, progress):
    """(what, seconds, by whom, nodes) of every step, in order; the least of many runs each."""
    rows, values = [], dict(feeds) | session._constants
    for stage in session._stages:
        stage.run(values)
        if isinstance(stage, Own):
            rows += _steps(stage, values, runs, progress)
        else:
            seconds = least_seconds(lambda stage=stage: stage.run(dict(values)), runs, progress)
            what = (
                f"{len(stage.nodes)} nodes, {_kinds(stage.nodes)}" if hasattr(stage, "nodes") else "by hand"
            )
            rows.append((what, seconds, "onnxruntime", [node.name for node in getattr(stage, "nodes", ())]))
    return rows


def _steps(stage, values, runs, progress):
    runner = stage.runner(values)
    if not hasattr(runner, "segment"):  # as it was, in onnxruntime
        seconds = least_seconds(lambda: runner.run(dict(values)), runs, progress)
        return [(_kinds(runner.nodes), seconds, "onnxruntime", [node.name for node in runner.nodes])]
    segment = runner.segment
    best = np.full(len(segment.titles), np.inf)
    for _ in range(runs):
        times = np.zeros(len(best))
        runner.run(dict(values), times)
        np.minimum(best, times, out=best)
        progress.step()
    steps = zip(segment.titles, best.tolist(), segment.names, strict=True)
    return [(title, seconds, "pyconv", names) for title, seconds, names in steps]


def _kinds(nodes):
    counts = defaultdict(int)
    for node in nodes:
        counts[node.op_type] += 1
    return ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in counts.items())


def node_seconds(path, feeds, threads, runs):
    """{node: seconds} by onnxruntime's profile, unoptimised so that every node is there."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_profiling = True
    options.log_severity_level = 3
    if threads:
        options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for _ in range(runs):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    times = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["name"].removesuffix("_kernel_time")].append(event["dur"] * 1e-6)
    return {name: min(each) for name, each in times.items()}


def measure(path, given, threads=None, runs=20, **options):
    """
    (rows, pyconv's seconds of a whole run, onnxruntime's) of a network.

    Each row has what it is, its seconds, who runs it, and what onnxruntime's own nodes take for it, or None.
    """
    session = InferenceSession(path, threads=threads, **options)
    shapes = shapes_of(session.get_inputs(), given)
    feeds = random_feeds(session.get_inputs(), shapes)
    session.run(None, feeds)
    theirs = open_session(str(path), threads)
    progress = Progress((len(session._stages) + 2) * runs)
    try:
        whole, other = float("inf"), float("inf")
        for _ in range(4):  # in turns
            whole = min(whole, least_seconds(lambda: session.run(None, feeds), -(-runs // 4), progress))
            other = min(other, least_seconds(lambda: theirs.run(None, feeds), -(-runs // 4), progress))
        rows = own_rows(session, feeds, runs, progress)
    finally:
        progress.close()
    nodes = node_seconds(str(path), feeds, threads, min(runs, 10))
    for i, (what, seconds, who, names) in enumerate(rows):
        known = [nodes[name] for name in names if name in nodes]
        rows[i] = what, seconds, who, sum(known) if known and len(known) == len(names) else None
    return rows, whole, other


def table(rows, whole, other):
    """Lines of text."""
    width = min(max([len(what) for what, *_ in rows], default=4), 76)
    yield f"{'step':{width}}  {'us':>9}  {'share':>6}  {'nodes':>9}  by"
    total = sum(seconds for _, seconds, *_ in rows) or 1.0
    for what, seconds, who, theirs in rows:
        shown = what if len(what) <= width else what[: width - 1] + "…"
        nodes = "-" if theirs is None else f"{theirs * 1e6:.1f}"
        yield f"{shown:{width}}  {seconds * 1e6:9.1f}  {seconds / total:6.1%}  {nodes:>9}  {who}"
    yield ""
    yield f"whole: pyconv {whole * 1e3:.3f} ms, onnxruntime {other * 1e3:.3f} ms, ratio {other / whole:.2f}"
    yield "us: least of several runs. nodes: of onnxruntime's own nodes, one by one, for the same step."


def draw(rows, whole, other, path):
    """The steps as bars, longest on top, beside onnxruntime's; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    shown = sorted(rows, key=lambda row: -row[1])[:40][::-1]
    figure = Figure(figsize=(10, 1.2 + 0.3 * len(shown)), layout="constrained")
    axes, places = figure.subplots(), np.arange(len(shown))
    colours = {"pyconv": "tab:blue", "onnxruntime": "tab:grey"}
    axes.barh(
        places + 0.2, [s * 1e6 for _, s, *_ in shown], 0.4, color=[colours[who] for _, _, who, _ in shown]
    )
    axes.barh(places - 0.2, [(t or 0) * 1e6 for *_, t in shown], 0.4, color="tab:orange")
    axes.set_yticks(places, [what[:60] for what, *_ in shown], fontsize=7)
    axes.set_xlabel("us; orange: onnxruntime's nodes for the same step, grey: left to onnxruntime")
    axes.set_title(f"pyconv {whole * 1e3:.2f} ms, onnxruntime {other * 1e3:.2f} ms")
    figure.savefig(path)
    return True
