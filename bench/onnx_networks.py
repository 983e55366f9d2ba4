# SPDX-License-Identifier: BSD-3-Clause
"""Times whole ONNX files: pyconv's session against onnxruntime's and OpenVINO's, each in its own process.

    python bench/onnx_networks.py --threads 1,2
    python bench/onnx_networks.py --files text.onnx --sizes 1,640,640

Without files, networks with random weights: ResNet-50, VGG-16, MobileNet. Dimensions that a file leaves open
are taken from --sizes, in order.
"""

import argparse
import pathlib
import tempfile

import numpy as np
import onnx
import tqdm
from compare import numbers, words
from lib import machine, onnx_files, pool, results, stacks, tables, timing
from lib.peers import SUBJECT

PEERS = ["onnxruntime", "openvino"]
CHOICES = {"layouts": ["nchw"], "algorithms": ["auto"], "cold": False}  # of layers, which are none here


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--networks", type=words, default=list(stacks.STACKS), help=f"of {','.join(stacks.STACKS)}")
    add("--files", type=words, default=[], help="ONNX files instead")
    add("--sizes", type=numbers, default=[1, 224, 224], help="of open dimensions")
    add("--peers", type=words, default=PEERS, help=f"of {','.join(PEERS)}; missing ones are skipped")
    add("--threads", type=numbers, default=[1], help="e.g. 1,2")
    add("--rounds", type=int, default=7)
    add("--seconds", type=float, default=0.5, help="per round and library")
    add("--json", type=pathlib.Path, default=pathlib.Path("onnx_networks.json"))
    return parser.parse_args()


def judge(path, size, peers, threads, options, say):
    """{library: summary of its times} for one file, in turns; onnxruntime's result is the expected one."""
    feeds = onnx_files.feeds(path, size)
    with (
        tempfile.TemporaryDirectory() as folder,
        pool.Pool([SUBJECT, *peers], threads, CHOICES, say) as workers,
    ):
        expected = pathlib.Path(folder, "expected.npy")
        np.save(expected, reference(path, feeds))
        found = {}
        for name, worker in workers.workers.items():
            answer = worker.ask("prepare", variant="file", expected=str(expected), file=str(path), size=size)
            if "wrong" in answer or "unsupported" in answer:
                say(f"{name} on {path.name}: {answer}")
            else:
                found[name] = []
        for _ in range(options.rounds):
            for name, times in found.items():
                answer = workers.workers[name].ask("round", variant="file", seconds=options.seconds)
                times.append(answer["times"])
        return {name: timing.summary(times) for name, times in found.items()}, workers.versions


def reference(path, feeds):
    """By ONNX Runtime, without optimisations, in this process."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


def row(name, threads, summaries):
    """A line of the table: medians in ms, and the ratio of the best peer's to pyconv's."""
    medians = {library: summary["median"] for library, summary in summaries.items()}
    others = [value for library, value in medians.items() if library != SUBJECT]
    own = medians.get(SUBJECT)
    ratios = [value / own if own else None for value in others]
    cells = [
        tables.number(medians[library] * 1e3 if library in medians else None) for library in [SUBJECT, *PEERS]
    ]
    return [name, str(threads), *cells, tables.number(min(ratios, default=None))]


def main():
    options, console = arguments(), tables.console()
    machine.warn_if_busy(console.print)
    result, rows = results.new({}, {"rounds": options.rounds, "seconds": options.seconds}), []
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(name) for name in options.files]
        if not paths:
            for name in options.networks:
                paths.append(pathlib.Path(folder, f"{name}.onnx"))
                onnx.save(onnx_files.build(name), paths[-1])
        for path in tqdm.tqdm(paths, unit="network", dynamic_ncols=True):
            for threads in options.threads:
                found, versions = judge(path, options.sizes, options.peers, threads, options, tqdm.tqdm.write)
                result["versions"] |= versions
                result["records"].append({"name": path.stem, "threads": threads, "times": found})
                rows.append(row(path.stem, threads, found))
    results.save(result, options.json)
    columns = ["network", "threads", *(f"{name} ms" for name in [SUBJECT, *PEERS]), "ratio"]
    tables.show(console, "Whole ONNX networks", columns, rows)
    console.print("wrote", str(options.json))


if __name__ == "__main__":
    main()
