# SPDX-License-Identifier: BSD-3-Clause
"""SciPy: scipy.signal has no channels, so only single-channel and depthwise layers; direct and FFT."""

import numpy as np
import scipy
from scipy import signal

from lib.peers import Prepared, Unsupported

VERSION = scipy.__version__


def variants(options):
    return ["direct", "fft"]


def prepare(variant, layer, x, weight, bias, threads):
    if layer.ic // layer.g > 1:
        raise Unsupported("scipy.signal knows no channels")
    if (layer.dh, layer.dw) != (1, 1):
        raise Unsupported("scipy.signal knows no dilation")
    padded = np.pad(x, ((0, 0), (0, 0), (layer.ph,) * 2, (layer.pw,) * 2))
    step, per_group = (slice(None, None, layer.sh), slice(None, None, layer.sw)), layer.oc // layer.g

    def run():
        y = np.empty(layer.y_shape, np.float32)
        for image, filtered in zip(padded, y, strict=True):
            for k, plane in enumerate(filtered):
                full = signal.correlate(image[k // per_group], weight[k, 0], "valid", variant)
                np.add(full[step], bias[k], out=plane)
        return y

    return Prepared(run, lambda y: y)
