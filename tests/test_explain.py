# SPDX-License-Identifier: BSD-3-Clause
"""`explain`: one row per algorithm, true to what plans do; the same from the command line."""

import html.parser
import json
import shlex

import numpy as np
import pytest
from helpers import CLASSES, normal

import pyconv
from pyconv.__main__ import main

PROBLEMS = [
    ((1, 1, 16, 16), (128, 1, 3, 3), {}),
    ((1, 64, 28, 28), (64, 64, 3, 3), {"padding": 1}),
    ((1, 56, 56, 64), (32, 64, 1, 1), {"layout": "NHWC"}),
    ((2, 32, 17, 19), (32, 1, 3, 3), {"groups": 32, "stride": 2, "padding": "same"}),
    (
        (1, 3, 40, 40),
        (16, 3, 7, 7),
        {"stride": (2, 1), "padding": ((1, 2), (3, 0)), "padding_mode": "reflect"},
    ),
    ((3, 8, 20, 20), (8, 4, 3, 3), {"groups": 2, "dilation": 2, "max_workspace": 20000}),
    ((4, 12, 12), (8, 4, 3, 3), {"accuracy": "strict", "threads": 1}),
    ((1, 8, 24, 24), (8, 8, 3, 3), {"accuracy": "fast", "dtype": "float64"}),
    ((1, 8, 24, 24), (8, 8, 3, 3), {"dtype": "float16", "max_workspace": 0}),
]


def by_name(report):
    return {row["algorithm"]: row for row in report.rows}


def plan_of(x_shape, w_shape, keywords, **more):
    keywords = dict(keywords)
    weight = np.ones(w_shape, keywords.pop("dtype", "float32"))
    return pyconv.plan(x_shape, weight, **keywords, **more)


@pytest.mark.parametrize(("x_shape", "w_shape", "keywords"), PROBLEMS)
def test_rows_agree_with_plans(x_shape, w_shape, keywords):
    report = pyconv.explain(x_shape, w_shape, **keywords)
    rows = by_name(report)
    assert sorted(rows) == sorted(pyconv.algorithms()) and len(report.rows) == len(rows)
    for name, row in rows.items():
        try:
            plan = plan_of(x_shape, w_shape, keywords, algorithm=name)
        except pyconv.UnsupportedError as error:
            assert not row["eligible"] and not row["chosen"]
            assert row["reason"] in str(error), "explain and plan give the same reason"
            continue
        assert row["workspace_bytes"] == plan.workspace_bytes
        assert row["packed_bytes"] == plan.packed_bytes
        assert row["multiplications"] == plan.multiplications
        assert row["accuracy"] == plan.accuracy
        assert f"memory traffic {row['traffic_bytes']:,} bytes" in str(plan)
        if row["eligible"]:
            assert row["reason"] is None
            assert f"predicted {row['predicted_seconds'] * 1e3:.4g} ms" in str(plan)


@pytest.mark.parametrize(("x_shape", "w_shape", "keywords"), PROBLEMS)
def test_the_chosen_row_is_what_auto_takes(x_shape, w_shape, keywords):
    rows = pyconv.explain(x_shape, w_shape, **keywords).rows
    (chosen,) = (row for row in rows if row["chosen"])
    assert chosen["eligible"] and chosen is rows[0], "the fastest comes first"
    assert chosen["algorithm"] == plan_of(x_shape, w_shape, keywords).algorithm
    times = [row["predicted_seconds"] for row in rows if row["eligible"]]
    assert times == sorted(times) and times[0] > 0
    assert [row["eligible"] for row in rows] == sorted((row["eligible"] for row in rows), reverse=True)


GRADIENTS = [
    ((1, 64, 28, 28), (64, 64, 3, 3), {"padding": 1}),
    ((2, 17, 19, 32), (32, 1, 3, 3), {"groups": 32, "stride": 2, "padding": "same", "layout": "NHWC"}),
    (
        (1, 3, 40, 40),
        (16, 3, 7, 7),
        {"stride": (2, 1), "padding": ((1, 2), (3, 0)), "padding_mode": "reflect"},
    ),
    ((3, 8, 20, 20), (8, 4, 3, 3), {"groups": 2, "dilation": 2, "max_workspace": 200_000}),
    ((3, 8, 20, 20), (8, 4, 3, 3), {"groups": 2, "dilation": 2, "max_workspace": 100}),
    (
        (4, 12, 12),
        (8, 4, 5, 5),
        {"accuracy": "strict", "threads": 1, "padding_mode": "circular", "padding": 2},
    ),
    ((1, 8, 24, 24), (48, 8, 4, 4), {"accuracy": "fast", "dtype": "float64", "stride": 2, "padding": 1}),
    ((2, 36, 36, 40), (64, 40, 4, 4), {"stride": 2, "padding": 1, "layout": "NHWC"}),
    ((2, 36, 36, 40), (64, 40, 3, 3), {"stride": 2, "padding": 1, "layout": "NHWC"}),
    (
        (2, 36, 36, 40),
        (64, 40, 4, 4),
        {"stride": 2, "padding": 1, "layout": "NHWC", "max_workspace": 300_000},
    ),
    ((2, 8, 4, 3), (16, 8, 4, 3), {}),
    ((1, 8, 24, 24), (8, 8, 3, 3), {"dtype": "float16", "padding": 1, "padding_mode": "symmetric"}),
    ((1, 8, 24, 24), (8, 8, 1, 3), {"padding": (0, 1), "padding_mode": ("constant", 2)}),
    ((0, 8, 24, 24), (8, 8, 1, 3), {}),
    ((1, 8, 24, 24), (0, 8, 1, 3), {}),
]


@pytest.mark.parametrize("of", ["input_gradient", "weight_gradient"])
@pytest.mark.parametrize(("x_shape", "w_shape", "keywords"), GRADIENTS)
def test_rows_of_gradients_agree_with_plans(x_shape, w_shape, keywords, of):
    report = pyconv.explain(x_shape, w_shape, of=of, **keywords)
    assert str(report) and report._repr_html_()

    def planned(**more):
        if of == "weight_gradient":
            return pyconv.plan_conv2d_backward_weight(x_shape, w_shape, **keywords, **more)
        weight = normal(w_shape, keywords.get("dtype", "float32"))  # kernels of rank one make other plans
        return pyconv.plan_conv2d_backward_input(x_shape, weight, **keywords, **more)

    chosen = [row for row in report.rows if row["chosen"]]  # several: one alone may not serve all phases
    for name, row in by_name(report).items():
        try:
            plan = planned(algorithm=name)
        except pyconv.UnsupportedError:
            assert not row["eligible"] and row["reason"] and (len(chosen) > 1 or not row["chosen"]), name
            continue
        assert row["eligible"] and row["reason"] is None, name
        for key in ("workspace_bytes", "packed_bytes", "multiplications"):
            assert row[key] == getattr(plan, key, 0), (name, key)
        assert row["predicted_seconds"] >= 0
    try:
        auto = planned()
    except pyconv.UnsupportedError:
        assert not chosen
        return
    assert chosen
    if len(chosen) == 1:
        (row,) = chosen
        assert row["eligible"]
        for key in ("workspace_bytes", "packed_bytes", "multiplications"):
            assert row[key] == getattr(auto, key, 0), key
    if of == "weight_gradient" and 0 not in (*x_shape, *w_shape):
        assert row["algorithm"] == auto.algorithm
        named = set(by_name(report))
        for name in set(pyconv.algorithms()) - named:
            with pytest.raises(pyconv.UnsupportedError, match="gradients of weights are made by"):
                planned(algorithm=name)


def test_explain_measures_gradients():
    for of in ("input_gradient", "weight_gradient"):
        report = pyconv.explain((1, 4, 6, 6), (4, 4, 3, 3), of=of, padding=1, accuracy="strict", measure=True)
        assert all((row["measured_seconds"] or 0) > 0 for row in report.rows if row["eligible"])


def test_explain_says_of_what(capsys):
    with pytest.raises(
        ValueError, match="of must be one of 'forward', 'input_gradient', 'weight_gradient', is 'x'"
    ):
        pyconv.explain((1, 4, 6, 6), (4, 4, 3, 3), of="x")
    with pytest.raises(TypeError, match="one dtype for a gradient, are uint8 by float32 to float32"):
        pyconv.explain((1, 4, 6, 6), (4, 4, 3, 3), of="input_gradient", dtype="uint8")
    title = str(pyconv.explain((1, 4, 6, 6), (5, 4, 3, 3), of="input_gradient")).splitlines()[0]
    assert title == "dy (1, 5, 4, 4), weight (5, 4, 3, 3) -> dx (1, 4, 6, 6), float32, NCHW"
    title = str(pyconv.explain((1, 4, 6, 6), (5, 4, 3, 3), of="weight_gradient")).splitlines()[0]
    assert title == "x (1, 4, 6, 6), dy (1, 5, 4, 4) -> dweight (5, 4, 3, 3), float32, NCHW"
    main(["explain", "--input", "1,4,6,6", "--weight", "5,4,3,3", "--of", "weight_gradient"])
    assert title in capsys.readouterr().out


def test_bounds_decide_who_is_eligible():
    shapes = (1, 16, 24, 24), (16, 16, 3, 3)
    free = by_name(pyconv.explain(*shapes, accuracy="fast"))
    for row in pyconv.explain(*shapes, max_workspace=100_000, accuracy="fast").rows:
        need = free[row["algorithm"]]["workspace_bytes"], free[row["algorithm"]]["packed_bytes"]
        if None not in need and row["eligible"]:
            assert row["workspace_bytes"] + row["packed_bytes"] <= 100_000
        elif None not in need:
            assert sum(need) > 100_000 and "max_workspace allows 100000" in row["reason"]
    for accuracy in CLASSES:
        for row in pyconv.explain(*shapes, accuracy=accuracy).rows:
            if row["eligible"]:
                assert CLASSES.index(row["accuracy"]) <= CLASSES.index(accuracy)
            elif free[row["algorithm"]]["eligible"]:
                assert repr(accuracy) in row["reason"]


def test_what_no_form_serves_has_no_figures():
    """Nothing is counted of a kernel or reach that it can't serve; class and budget take no figure away."""
    figures = (
        "workspace_bytes",
        "packed_bytes",
        "multiplications",
        "traffic_bytes",
        "error_bound",
        "predicted_seconds",
    )
    report = pyconv.explain((1, 8, 40, 40), (8, 8, 3, 3), stride=2, accuracy="strict", max_workspace=0)
    refused = {name for name, row in by_name(report).items() if all(row[key] is None for key in figures)}
    assert refused == {"pointwise", "depthwise"} | {
        f"winograd_f{tile}" for tile in ("2k3", "4k3", "6k3", "3k4", "2k5", "2k7")
    }
    for row in report.rows:
        assert row["algorithm"] in refused or all(row[key] is not None for key in figures)
    far = by_name(pyconv.explain((1, 1, 9, 20000), (1, 1, 2, 2), dilation=(1, 9000)))["fft"]
    assert not far["eligible"] and all(far[key] is None for key in figures)


def test_multiplications_of_the_textbook_example():
    """16x16, 3x3, 128 filters on one channel."""
    rows = by_name(pyconv.explain((1, 1, 16, 16), (128, 1, 3, 3)))
    assert rows["direct"]["multiplications"] == 225_792
    assert rows["winograd_f4k3"]["multiplications"] == 73_728
    assert rows["winograd_f2k3"]["multiplications"] == 7 * 7 * 16 * 128
    assert rows["depthwise"]["multiplications"] == 225_792


def test_what_has_no_meaning_is_none():
    rows = by_name(pyconv.explain((1, 8, 20, 20), (8, 8, 4, 4), stride=2))
    for key in ("multiplications", "workspace_bytes", "packed_bytes", "traffic_bytes", "predicted_seconds"):
        assert rows["winograd_f4k3"][key] is None
        assert rows["im2col"][key] is not None


def test_traffic_counts_every_pass():
    """im2col writes its patches and reads them; other types and borders are made in cache."""
    x, w, y = 8 * 20 * 20, 8 * 8 * 9, 8 * 18 * 18
    rows = by_name(pyconv.explain((1, 8, 20, 20), (8, 8, 3, 3)))
    assert rows["direct"]["traffic_bytes"] == 4 * (x + w + y)
    assert rows["im2col"]["traffic_bytes"] == 4 * (x + w + y + 2 * 72 * 18 * 18)
    assert rows["winograd_f2k3"]["traffic_bytes"] == 4 * (x + y) + rows["winograd_f2k3"]["packed_bytes"]
    padded = by_name(pyconv.explain((1, 8, 18, 18), (8, 8, 3, 3), padding=1, padding_mode="circular"))
    assert padded["im2col"]["traffic_bytes"] == rows["im2col"]["traffic_bytes"] - 4 * 8 * (20 * 20 - 18 * 18)
    half = by_name(pyconv.explain((1, 8, 20, 20), (8, 8, 3, 3), dtype="float16"))
    assert half["im2col"]["traffic_bytes"] == rows["im2col"]["traffic_bytes"] - 2 * (x + y)


def test_measure_times_the_eligible():
    rows = pyconv.explain((1, 4, 8, 8), (4, 4, 3, 3), measure=True).rows
    assert all((row["measured_seconds"] is not None) == row["eligible"] for row in rows)
    assert all(row["measured_seconds"] > 0 for row in rows if row["eligible"])
    assert any(row["eligible"] for row in rows) and not all(row["eligible"] for row in rows)
    assert all(row["measured_seconds"] is None for row in pyconv.explain((1, 4, 8, 8), (4, 4, 3, 3)).rows)


def test_the_text_shows_every_row():
    report = pyconv.explain((1, 4, 8, 8), (4, 4, 3, 3), padding=1, measure=True)
    text = str(report)
    assert "(1, 4, 8, 8)" in text and "measured" in text and repr(report) == text
    for row in report.rows:
        (line,) = (
            line for line in text.splitlines() if line[2:].split() and line[2:].split()[0] == row["algorithm"]
        )
        assert line[0] == ("*" if row["chosen"] else " " if row["eligible"] else "-")
        assert row["multiplications"] is None or f"{row['multiplications']:,}" in line
        assert row["eligible"] or f"- {row['algorithm']}: {row['reason']}" in text


class Cells(html.parser.HTMLParser):
    """Rows of cells; fails on tags that don't match."""

    def __init__(self):
        super().__init__()
        self.open, self.rows = [], []

    def handle_starttag(self, tag, attributes):
        if tag != "br":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)


def test_html_is_a_table_of_all_rows():
    report = pyconv.explain((1, 4, 8, 8), (4, 4, 3, 3))
    cells = Cells()
    cells.feed(report._repr_html_())
    assert cells.open == []
    assert [row[0].strip("*- ") for row in cells.rows[1:]] == [row["algorithm"] for row in report.rows]
    refused = {row[0].strip("*- "): row[-1] for row in cells.rows[1:]}
    assert refused["depthwise"] == by_name(report)["depthwise"]["reason"]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (((1, 4, 8), (4, 4, 3)), ValueError, "weight must have 4 dimensions"),
        (((8, 8), (4, 4, 3, 3)), ValueError, "at least 3 dimensions"),
        (((1, 4, 8, 8), (4, 3, 3, 3)), ValueError, "3 input channels per group"),
        (((1, 4, 8, 8), (4, -4, 3, 3)), ValueError, "weight_shape must not be negative"),
        (((1, 4, 8.5, 8), (4, 4, 3, 3)), TypeError, "x_shape must be a tuple of ints"),
    ],
)
def test_bad_shapes_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        pyconv.explain(*arguments)


def test_integers_are_refused():
    with pytest.raises(TypeError, match="int32"):
        pyconv.explain((1, 4, 8, 8), (4, 4, 3, 3), dtype="int32")


def run(command):
    main(shlex.split(command))


def test_the_command_prints_the_report(capsys):
    run("explain --input 2,4,9,9 --weight 8,2,3,3 --stride 2,1 --padding 1,0,2,1 --groups 2 --accuracy fast")
    keywords = {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "groups": 2, "accuracy": "fast"}
    report = pyconv.explain((2, 4, 9, 9), (8, 2, 3, 3), **keywords)
    assert capsys.readouterr().out == f"{report}\n"
    run("explain --input 1,9,9,4 --weight 8,4,3,3 --padding same --layout NHWC --max-workspace 1MB --json")
    report = pyconv.explain((1, 9, 9, 4), (8, 4, 3, 3), padding="same", layout="NHWC", max_workspace="1MB")
    assert json.loads(capsys.readouterr().out) == report.rows


BORDERS = [("symmetric", "symmetric"), ("edge", "edge"), ("constant,-7.5", ("constant", -7.5))]


@pytest.mark.parametrize("word, border", BORDERS)
def test_the_command_takes_types_and_borders(word, border, capsys):
    run(f"explain --input 9,9,3 --weight 3,1,3,3 --groups 3 --padding 1 --layout NHWC --padding-mode {word} "
        "--dtype float16 --weight-dtype float64 --out-dtype uint8")  # fmt: skip
    types = {"dtype": "float16", "weight_dtype": "float64", "out_dtype": "uint8"}
    keywords = {"groups": 3, "padding": 1, "layout": "NHWC", "padding_mode": border}
    report = pyconv.explain((9, 9, 3), (3, 1, 3, 3), **keywords, **types)
    assert capsys.readouterr().out == f"{report}\n"


def test_the_command_names_what_is_wrong():
    with pytest.raises(SystemExit, match="padding_mode must be one of 'zeros'"):
        run("explain --input 1,4,8,8 --weight 4,4,3,3 --padding 1 --padding-mode bounce")
    with pytest.raises(SystemExit, match="does not fit x, which is uint8: whole numbers from 0 to 255"):
        run("explain --input 1,4,8,8 --weight 4,4,3,3 --padding 1 --padding-mode constant,256 --dtype uint8")
    with pytest.raises(SystemExit, match="3 input channels per group"):
        run("explain --input 1,4,8,8 --weight 4,3,3,3")


def test_info_is_show_config(capsys):
    main(["info"])
    printed = capsys.readouterr().out
    pyconv.show_config()
    assert capsys.readouterr().out == printed and "rates" in printed
