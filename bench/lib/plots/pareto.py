# SPDX-License-Identifier: BSD-3-Clause
"""Time over memory for each algorithm on one layer; the line is the front that ``max_workspace`` walks on."""

import math

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter

from lib.plots import style

COLOURS = plt.get_cmap("tab20").colors
MARKERS = {"nchw": "o", "nhwc": "s"}


def draw(result, statistic):
    record = result.get("pareto")
    if not record or not record["entries"]:
        return None
    points = sorted(
        (
            (entry["workspace_bytes"] + entry["packed_bytes"]) / 1e6,
            entry[statistic] * 1e3,
            *entry["variant"].split(),
        )
        for entry in record["entries"]
    )
    names = list(dict.fromkeys(point[3] for point in points))
    colours = dict(zip(names, COLOURS[::2] + COLOURS[1::2], strict=False))
    threads = f"{record['threads']} thread{'s' * (record['threads'] > 1)}"
    figure, (ax,) = style.figure(f"Memory against time: {record['layer']}, {threads}", 8, 4.4)
    front = pareto_front(points)
    xs, ys = [point[0] for point in front], [point[1] for point in front]
    ax.step([*xs, 1.5 * points[-1][0]], [*ys, ys[-1]], where="post", color=style.PALE, lw=1.2, zorder=1)
    for x, y, layout, name in points:
        ax.plot(x, y, MARKERS[layout], ms=7, color=colours[name])
    for x, y, _, name in front:
        place = {"textcoords": "offset points", "ha": "right", "va": "top", "fontsize": 8}
        ax.annotate(name, (x, y), (-5, -3), **place)
    ax.set_xscale("symlog", linthresh=0.1)
    ax.set_yscale("log")
    ax.set_xlim(left=-0.03)
    ax.margins(y=0.12)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(style.number))
    ax.set(xlabel="workspace plus packed weights, MB", ylabel="ms per call")
    ax.grid()
    handles = [style.key(layout.upper(), marker, style.INK) for layout, marker in MARKERS.items()]
    handles += [style.key(name, "o", colours[name]) for name in names]
    figure.legend(handles=handles, loc="outside right center")
    return figure


def pareto_front(points):
    """Those that nothing with as little memory beats, by growing memory."""
    front, best = [], math.inf
    for point in points:
        if point[1] < best:
            front.append(point)
            best = point[1]
    return front
