# SPDX-License-Identifier: BSD-3-Clause
"""Speed over operations per byte that must move once, under the measured roofs."""

import numpy as np
from matplotlib.ticker import FuncFormatter

from lib import results
from lib.peers import SUBJECT
from lib.plots import style


def draw(result, statistic):
    settings = [
        (batch, threads) for batch, threads in results.settings(result) if str(threads) in result["peaks"]
    ]
    if not settings or "layer" not in result["records"][0]:
        return None
    title = "Roofline, counting the operations of the direct convolution"
    figure, axes = style.figure(title, 1 + 4.4 * len(settings), 4.4, len(settings))
    for (batch, threads), ax in zip(settings, axes, strict=True):
        records = results.select(result, batch=batch, threads=threads)
        ax.set_title(style.setting(result, batch, threads))
        roofs(ax, records, result["peaks"][str(threads)])
        points(ax, records, statistic)
        ax.set(xscale="log", yscale="log", xlabel="operations per byte of input, weights and output")
        ax.xaxis.set_major_formatter(FuncFormatter(style.number))
        ax.yaxis.set_major_formatter(FuncFormatter(style.number))
        ax.grid()
    axes[0].set_ylabel("GFLOP/s")
    handles = [style.key(SUBJECT, "D", style.OURS), style.key("best peer", "o", style.PALE)]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def roofs(ax, records, peak):
    intensities = [record["flops"] / record["bytes"] for record in records]
    span = np.geomspace(min(intensities) / 1.5, max(intensities) * 1.5, 200)
    for line, (name, rate) in zip(("-", "--"), peak["bandwidth"].items(), strict=True):
        label = f"{name}: {rate / 1e9:.0f} GB/s"
        ax.plot(span, np.minimum(peak["flops"], span * rate) / 1e9, line, color=style.INK, lw=1, label=label)
    label = f"{peak['flops_by']}: {peak['flops'] / 1e9:.0f} GFLOP/s"
    ax.annotate(label, (span[0], peak["flops"] / 1e9), (0, 3), textcoords="offset points", fontsize=7.5)
    ax.legend(loc="lower right", fontsize=7.5)


def points(ax, records, statistic):
    for record in records:
        x, speeds = record["flops"] / record["bytes"], {}
        for peer, marker in ((None, "o"), (SUBJECT, "D")):
            entry = results.fastest(record, peer, statistic=statistic)
            if entry:
                speeds[marker] = record["flops"] / entry[statistic] / 1e9
        ax.plot([x] * len(speeds), list(speeds.values()), color="#dddddd", lw=0.8, zorder=1)
        for marker, speed in speeds.items():
            ax.plot(x, speed, marker, ms=4.5, color=style.OURS if marker == "D" else style.PALE)
