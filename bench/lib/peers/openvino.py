# SPDX-License-Identifier: BSD-3-Clause
"""OpenVINO: a one-operation model with constant weights, the f32 hint, one stream.

It writes each result to the same tensor.
"""

import sys

sys.modules["openvino_telemetry"] = None  # it reports home, by a forked process that keeps our pipes open

import openvino  # noqa: E402
from openvino import opset13  # noqa: E402

from lib.peers import Prepared  # noqa: E402

VERSION = openvino.__version__.split("-")[0]


def variants(options):
    return ["nchw"]


def configuration(threads):
    return {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }


def prepare(variant, layer, x, weight, bias, threads):
    form = [layer.sh, layer.sw], [layer.ph, layer.pw], [layer.ph, layer.pw], [layer.dh, layer.dw]
    image = opset13.parameter(list(x.shape), openvino.Type.f32)
    if layer.g == 1:
        y = opset13.convolution(image, opset13.constant(weight), *form)
    else:
        groups = weight.reshape(layer.g, layer.oc // layer.g, *weight.shape[1:])
        y = opset13.group_convolution(image, opset13.constant(groups), *form)
    y = opset13.add(y, opset13.constant(bias.reshape(1, -1, 1, 1)))
    compiled = openvino.Core().compile_model(openvino.Model([y], [image]), "CPU", configuration(threads))
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))

    def run(keep=(compiled, x)):
        request.infer()
        return request.get_output_tensor()

    return Prepared(run, lambda y: y.data.copy())


def prepare_file(variant, path, feeds, threads):
    model = openvino.Core().read_model(path)
    model.reshape({name: list(array.shape) for name, array in feeds.items()})
    compiled = openvino.Core().compile_model(model, "CPU", configuration(threads))
    request = compiled.create_infer_request()
    for name, array in feeds.items():
        request.set_tensor(name, openvino.Tensor(array, shared_memory=True))

    def run(keep=(compiled, feeds)):
        request.infer()
        return request.get_output_tensor(0)

    return Prepared(run, lambda y: y.data.copy())
