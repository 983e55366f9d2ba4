# SPDX-License-Identifier: BSD-3-Clause
"""One small module per library. Each has

``VERSION``
    of the library; importing the module fails where the library is missing.
``variants(options)``
    the ways in which it may run a layer; the fastest is its favourite.
``prepare(variant, layer, x, weight, bias, threads)``
    a `Prepared`, everything done that can be done before the first image. `Unsupported` says why it can't.
``prepare_network(variant, stack, image, parameters, threads)``
    the same for a whole stack, where the library offers it.
``prepare_training(variant, stack, image, parameters, threads)``
    a step of training it, where the library offers gradients; the result is that of `training.flat`.
``prepare_file(variant, path, feeds, threads)``
    the same for an ONNX file and arrays by the names of its inputs.
``prepare_gradient(variant, of, layer, x, weight, dy, threads)``
    one of the operators of lib/gradients.py, where the library offers them.
"""

import collections.abc
import dataclasses

import numpy as np

NAMES = ["torch", "onnxruntime", "openvino", "ncnn", "scipy"]
SUBJECT = "pyconv"


class Unsupported(Exception):
    """This library or variant can't run this layer; the text says why."""


@dataclasses.dataclass
class Prepared:
    """A call ready to be timed.

    ``run()`` gives a result in the library's own form, ``fetch(result)`` makes an NCHW array of it, ``notes``
    go into the record.
    """

    run: collections.abc.Callable[[], object]
    fetch: collections.abc.Callable[[object], np.ndarray]
    notes: dict = dataclasses.field(default_factory=dict)
