# SPDX-License-Identifier: BSD-3-Clause
"""Bars: time and peak memory of whole convolution stacks."""

from lib import results
from lib.peers import SUBJECT
from lib.plots import style


def draw(result, statistic):
    records = [record for record in result["records"] if "network" in record]
    if not records:
        return None
    settings = results.settings(result)
    names, peers = list(dict.fromkeys(r["network"] for r in records)), [SUBJECT, *results.peers(result)]
    panels = [(setting, "time") for setting in settings] + [(settings[0], "memory")]
    figure, axes = style.figure(
        "Whole convolution stacks", 3.4 * len(panels), 1.6 + 0.32 * len(peers) * len(names), len(panels)
    )
    for ((batch, threads), kind), ax in zip(panels, axes, strict=True):
        title = style.setting(result, batch, threads)
        ax.set_title(title if kind == "time" else f"peak memory, {title}")
        ax.set_xlabel("ms" if kind == "time" else "MB by which the process grows")
        for record in results.select(result, batch=batch, threads=threads):
            for i, peer in enumerate(peers):
                entry = results.fastest(record, peer, statistic=statistic)
                if not entry or (kind == "memory" and "memory" not in entry):
                    continue
                value = entry[statistic] * 1e3 if kind == "time" else entry["memory"]["peak"] / 1e6
                y = len(names) - 1 - names.index(record["network"]) + 0.4 - 0.8 * (i + 0.5) / len(peers)
                ax.barh(y, value, 0.74 / len(peers), color=style.COLOURS[peer])
                ax.annotate(
                    f"{value:.0f}", (value, y), (3, 0), textcoords="offset points", va="center", fontsize=7.5
                )
        style.rows(ax, names[::-1])
        ax.margins(x=0.12)
    figure.legend(
        handles=[style.key(peer, "s", style.COLOURS[peer]) for peer in peers],
        loc="outside lower center",
        ncols=len(peers),
    )
    return figure
