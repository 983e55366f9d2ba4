# SPDX-License-Identifier: BSD-3-Clause
"""A library in a process of its own: answers requests, one JSON object per line, on its standard streams."""

import contextlib
import ctypes
import importlib
import json
import os
import signal
import sys

import numpy as np
from lib import gradients, memory, reference, shapes, stacks, timing
from lib.peers import Unsupported

TOLERANCE = (
    1e-3  # relative L2: more than any accuracy class loses, far less than a wrong weight or pixel makes
)
FLOOR = 1e-6  # of results near 0 after a sigmoid, which has that much from the rounding of 1
PR_SET_PDEATHSIG = 1  # from sys/prctl.h
TRAINING_TOLERANCE = 1e-2  # a ReLU may switch by a rounding, and with it a pixel's gradient
SMALL = shapes.parse("small 1,16,8,8 -> 16 3x3 /1 p1")


class Servant:
    """Holds the prepared calls of one library; its public methods are the requests."""

    def __init__(self, peer, threads, options):
        self._peer = importlib.import_module(f"lib.peers.{peer}")
        self._threads, self._options, self._prepared = threads, options, {}

    def greet(self):
        return {"version": self._peer.VERSION, "variants": self._peer.variants(self._options)}

    def prepare(self, variant, expected, **problem):
        """Make the call, hold its first result against the file ``expected``, time it roughly."""
        function, arguments = self._problem(**problem)
        prepared = function(variant, *arguments, self._threads)
        result, wanted = prepared.fetch(prepared.run()), np.load(expected, mmap_mode="r")
        if result.shape != wanted.shape:
            return {"wrong": f"its result is {result.shape}, wanted {wanted.shape}"}
        error = reference.relative_error(result, wanted)
        near = error < (TRAINING_TOLERANCE if problem.get("training") else TOLERANCE)
        if not near and not np.max(np.abs(result - wanted), initial=0) < FLOOR:
            return {"wrong": f"its relative error is {error:.2g}"}
        self._prepared[variant] = prepared
        return {"error": error, "notes": prepared.notes, "seconds": min(timing.calls(prepared.run, 0.02))}

    def round(self, variant, seconds):
        return {"times": timing.calls(self._prepared[variant].run, seconds)}

    def forget(self):
        self._prepared.clear()
        return {}

    def memory(self, variant, **problem):
        """Bytes that a prepared call keeps, and the peak during two calls, above holding the arrays.

        A small layer first sets up what the library keeps for good. The caller's input is dropped once the
        call is prepared: one converted to the library's layout replaces it instead of counting twice.
        """
        with contextlib.suppress(Unsupported):
            self._peer.prepare(variant, SMALL, *SMALL.arrays(), self._threads).run()
        function, (what, x, *parameters) = self._problem(**problem)
        before = memory.resident()
        prepared = function(variant, what, x, *parameters, self._threads)
        del x
        kept = memory.resident() - before

        def twice():
            prepared.run()
            prepared.run()

        return {"kept": max(0, kept), "peak": max(0, memory.peak_during(twice) - before)}

    def _problem(
        self, layer=None, network=None, batch=1, image=224, training=False, of=None, file=None, size=()
    ):
        """What prepares a layer, gradient, network or file; its arguments behind the variant."""
        if file:
            from lib import onnx_files

            return self._peer.prepare_file, (file, onnx_files.feeds(file, size))
        if network:
            stack = stacks.STACKS[network](batch, image)
            prepare = self._peer.prepare_training if training else self._peer.prepare_network
            return prepare, (stack, *stacks.arrays(stack))
        layer = shapes.parse(layer)
        if of:
            return self._peer.prepare_gradient, (of, layer, *gradients.operands(of, layer))
        return self._peer.prepare, (layer, *layer.arrays())


def die_with_parent():
    """A suspended process would otherwise outlive a killed parent for good."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main():
    die_with_parent()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to the standard error stream

    def answer(content):
        print(json.dumps(content), file=answers, flush=True)

    try:
        servant = Servant(**json.loads(sys.argv[1]))
    except ImportError as error:
        return answer({"missing": str(error)})
    answer(servant.greet())
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer(getattr(servant, request.pop("do"))(**request))
        except Unsupported as error:
            answer({"unsupported": str(error)})


if __name__ == "__main__":
    main()
