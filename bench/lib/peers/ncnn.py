# SPDX-License-Identifier: BSD-3-Clause
"""ncnn: a net of one layer, Winograd on, float16 and bfloat16 storage off, memory pools on.

"nchw" hands over plain arrays; "packed" keeps input and output in ncnn's own layout, channels in packs of a
vector. It knows no batches: the images of one run one after the other.
"""

import pathlib
import tempfile

import ncnn
import numpy as np

from lib.peers import Prepared, Unsupported

VERSION = ncnn.__version__
POOLS = ncnn.UnlockedPoolAllocator(), ncnn.PoolAllocator()  # they must outlive every result
OFF = "vulkan_compute fp16_packed fp16_storage fp16_arithmetic bf16_storage bf16_packed int8_inference"


def variants(options):
    return ["nchw", "packed"]


def packed(x):
    """An image with its channels in packs of the widest vector that divides them."""
    pack = next((pack for pack in (16, 8, 4) if len(x) % pack == 0), None)
    if not pack:
        raise Unsupported(f"{len(x)} channels don't fill packs")
    mat = ncnn.convert_packing(ncnn.Mat(x), pack)
    return mat[1] if isinstance(mat, tuple) else mat


def prepare(variant, layer, x, weight, bias, threads):
    net = ncnn.Net()
    net.opt.num_threads = threads
    for word in OFF.split():
        setattr(net.opt, f"use_{word}", False)
    net.opt.blob_allocator, net.opt.workspace_allocator = POOLS
    kind = "Convolution" if layer.g == 1 else "ConvolutionDepthWise"
    numbers = {0: layer.oc, 1: layer.kw, 11: layer.kh, 2: layer.dw, 12: layer.dh, 3: layer.sw, 13: layer.sh}
    numbers |= {4: layer.pw, 14: layer.ph, 5: 1, 6: weight.size} | ({7: layer.g} if layer.g > 1 else {})
    words = " ".join(f"{key}={value}" for key, value in numbers.items())
    net.load_param_mem(f"7767517\n2 2\nInput image 0 1 x\n{kind} conv 1 1 x y {words}\n")
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder, "model.bin")
        model.write_bytes(
            bytes(4) + weight.tobytes() + bias.tobytes()
        )  # four zero bytes: float32 weights follow
        if net.load_model(str(model)):
            raise Unsupported("ncnn refuses the model")
    images = [packed(image) if variant == "packed" else ncnn.Mat(image) for image in x]

    def run(keep=(net, x)):
        results = []
        for image in images:
            extractor = net.create_extractor()
            extractor.input("x", image)
            status, result = extractor.extract("y", int(variant == "packed"))
            if status:
                raise Unsupported(f"ncnn's status {status}")
            results.append(result)
        return results

    def plain(result):
        if result.elempack > 1:
            result = ncnn.convert_packing(result, 1)
        return np.array(result[1] if isinstance(result, tuple) else result)

    return Prepared(run, lambda results: np.stack([plain(result) for result in results]))
