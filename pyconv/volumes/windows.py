# SPDX-License-Identifier: BSD-3-Clause
"""
The slices under one slice of a result, side by side as channels of an image.

window [c][t][h][w] of NCDHW, [h][w][g][t][c / g] of NDHWC: both count the channels of a group first, as
weights do.
"""

import numpy as np

from .._kernels import PADDING_MODES, copy_array

PLACES = {
    PADDING_MODES["replicate"]: "edge",
    PADDING_MODES["reflect"]: "reflect",
    PADDING_MODES["symmetric"]: "symmetric",
    PADDING_MODES["circular"]: "wrap",
}


def sources(size, before, after, mode=None):
    """The slice that stands at each place of the padded depth, -1 for the constant, which zero is one of."""
    places = np.arange(size)
    if mode not in PLACES:
        return np.pad(places, (before, after), constant_values=-1)
    return np.pad(places, (before, after), mode=PLACES[mode])


def progression(places):
    """The slice of Python that takes these places, if there is one."""
    first, last = places[0], places[-1]
    step = places[1] - first if len(places) > 1 else 1
    if first < 0 or step < 1 or list(range(first, last + 1, step)) != places:
        return None
    return slice(first, last + 1, step)


def fill(window, x, places, groups, channels_last, border, threads):
    """The slices of one volume x that are at these places, -1 for the border's; both are arrays in layout."""
    taps = len(places)
    if channels_last:
        window = window.reshape(*window.shape[:2], groups, taps, -1).transpose(3, 0, 1, 2, 4)
        x = x.reshape(-1, *window.shape[1:])
    else:
        window = window.reshape(-1, taps, *window.shape[1:]).swapaxes(0, 1)
        x = x.swapaxes(0, 1)
    together = progression(places)
    if together is not None:
        copy_array(x[together], window, threads)
        return
    for t, place in enumerate(places):
        if place < 0:
            window[t] = border
        else:
            copy_array(x[place], window[t], threads)


def window_weight(weight, groups, channels_last, channel_axis):
    """
    Filters of volumes as those of windows, the taps along the depth being channels.

    channel_axis 1: weight [k][c / g][t][r][s] of conv3d; 0: [c][k / g][t][r][s] of its transposed.
    """
    if channel_axis == 1:
        filters = weight.swapaxes(1, 2) if channels_last else weight
        return filters.reshape(len(weight), -1, *weight.shape[3:])
    if channels_last:
        filters = weight.reshape(groups, -1, *weight.shape[1:]).transpose(0, 3, 1, 2, 4, 5)
    else:
        filters = weight.swapaxes(1, 2)
    return filters.reshape(-1, weight.shape[1], *weight.shape[3:])
