# SPDX-License-Identifier: BSD-3-Clause
"""Dots: by how much one call makes the process grow, for each library."""

import math

from matplotlib.ticker import FuncFormatter

from lib import results, shapes
from lib.peers import SUBJECT
from lib.plots import style


def output_bytes(record):
    return 4 * math.prod(shapes.parse(record["layer"]).y_shape)


def draw(result, statistic):
    batch, threads = results.settings(result)[0]
    records = [r for r in results.select(result, batch=batch, threads=threads) if "layer" in r]
    records = [r for r in records if any("memory" in entry for entry in r["entries"])]
    if not records:
        return None
    records.sort(key=output_bytes)
    names = [*results.peers(result), SUBJECT]
    figure, (ax,) = style.figure(
        "Peak memory of one call, prepared weights included", 7.5, 1.6 + 0.23 * len(records)
    )
    for y, record in enumerate(records):
        entries = {name: results.fastest(record, name, statistic=statistic) for name in names}
        peaks = {
            name: entry["memory"]["peak"] / 1e6
            for name, entry in entries.items()
            if entry and "memory" in entry
        }
        ax.plot([min(peaks.values()), max(peaks.values())], [y, y], color="#dddddd", lw=1, zorder=1)
        ax.plot(output_bytes(record) / 1e6, y, "|", color="black", ms=9, mew=1.4)
        for name, value in peaks.items():
            marker, size = ("D", 6) if name == SUBJECT else ("o", 5)
            ax.plot(value, y, marker, ms=size, color=style.COLOURS[name])
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(style.number))
    ax.set_xlabel("MB by which the process grows")
    style.rows(ax, [record["name"] for record in records])
    handles = [style.key(SUBJECT, "D", style.OURS)] + [
        style.key(name, "o", style.COLOURS[name]) for name in names[:-1]
    ]
    handles.append(style.key("the output alone", "|", "black", mew=1.4, ms=9))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure
