# SPDX-License-Identifier: BSD-3-Clause
"""Writes the README's performance section from results of compare.py, networks.py and filters.py.

    python bench/report.py bench/results/RESULT.json [bench/results/NETWORKS.json] \\
        [bench/results/FILTERS.json] --readme README.md

The pictures are drawn beside each result; the text between the README's two markers is replaced.
"""

import argparse
import os
import pathlib

from lib import machine, plots, results, tables
from lib.peers import SUBJECT

BEGIN, END = "<!-- performance:begin -->", "<!-- performance:end -->"
CAPTIONS = {
    "-memory": "Peak growth of the process by one call",
    "-roofline": "Roofline",
    "-pareto": "Memory against time, by algorithm",
}


def picture(path, folder, caption):
    return f"![{caption}]({pathlib.Path(os.path.relpath(path, folder)).as_posix()})"


def introduction(result):
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return (
        f"Measured on {machine.sentence(result['machine'])}; {versions}; float32, weights prepared "
        f"beforehand, every library in the layout it prefers. GFLOP/s count the operations of the direct "
        f"convolution. A ratio is the time of the best peer of that layer divided by {SUBJECT}'s: above 1, "
        f"{SUBJECT} is faster. How it is measured, and what is noisy: [bench](bench/README.md). "
        f"Command: `python bench/{result['command']}`."
    )


def losses(result, statistic):
    """One sentence for each setting."""
    for batch, threads in results.settings(result):
        ratios = [
            results.ratio(r, statistic=statistic)
            for r in results.select(result, batch=batch, threads=threads)
        ]
        known = [ratio for ratio in ratios if ratio]
        words = f"{threads} thread{'s' * (threads > 1)}, batch {batch}"
        yield f"- {words}: faster than every peer on {sum(r > 1 for r in known)} of {len(known)} layers."


def layers(result, drawn, folder):
    statistic = result["settings"].get("statistic", "median")
    yield introduction(result)
    yield "\n".join(losses(result, statistic))
    yield tables.markdown(*tables.mean_rows(result, statistic))
    for path in drawn:
        suffix = path.stem.removeprefix(drawn[0].stem)
        yield picture(
            path, folder, CAPTIONS.get(suffix, f"Times of the best peer by {SUBJECT}'s, layer by layer")
        )
    if any(record["count"] > 1 for record in result["records"]):
        yield tables.markdown(*tables.sum_rows(result, statistic))
    for batch, threads in results.settings(result):
        title = f"Every layer, {threads} thread{'s' * (threads > 1)}, batch {batch}: GFLOP/s and ratios"
        table = tables.markdown(*tables.layer_rows(result, batch, threads, statistic))
        yield f"<details><summary>{title}</summary>\n\n{table}\n\n</details>"


def networks(result, drawn, folder):
    yield (
        "The convolution stacks of whole networks (random weights, bias, residual, ReLU; every second pixel "
        f"taken where the network pools), layer after layer. Command: `python bench/{result['command']}`."
    )
    yield tables.markdown(*tables.network_rows(result))
    for path in drawn:
        yield picture(path, folder, "Time and peak memory of whole convolution stacks")


def filters(result, drawn, folder):
    size = result["records"][0]["file"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    yield (
        f"Filters of photographs of {size} pixels as they come from a file, channels last ({versions}). "
        f"Ratios are times of other libraries by {SUBJECT}'s: the least of a group, and the geometric mean. "
        "*plan* is a plan of depthwise kernels, *call* one call of `depthwise_conv2d`, *ndimage* the "
        "function of `pyconv.ndimage` under SciPy's name. SciPy and scikit-image have one thread. "
        f"Command: `python bench/{result['command']}`."
    )
    yield tables.markdown(*tables.group_rows(result))
    for path in drawn:
        yield picture(path, folder, "Times of OpenCV, SciPy and scikit-image by pyconv's, filter by filter")
    for threads in dict.fromkeys(record["threads"] for record in result["records"]):
        title = f"Every filter, {threads} thread{'s' * (threads > 1)}: milliseconds and ratios"
        table = tables.markdown(*tables.filter_rows(result, threads))
        yield f"<details><summary>{title}</summary>\n\n{table}\n\n</details>"


def section_of(result):
    first = result["records"][0]
    return networks if "network" in first else filters if "filter" in first else layers


def replace(text, section, begin=BEGIN, end=END):
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"the README must have the lines {begin} and {end}, once each")
    head, rest = text.split(begin)
    return f"{head}{begin}\n{section}\n{end}{rest.split(end)[1]}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", type=pathlib.Path)
    parser.add_argument("--readme", type=pathlib.Path, default=pathlib.Path("README.md"))
    options = parser.parse_args()
    paragraphs = []
    for path in options.results:
        result = results.load(path)
        drawn = plots.draw(result, path.with_suffix(".png"), result["settings"].get("statistic", "median"))
        paragraphs += section_of(result)(result, drawn, options.readme.resolve().parent)
    options.readme.write_text(replace(options.readme.read_text(), "\n\n".join(paragraphs)))


if __name__ == "__main__":
    main()
