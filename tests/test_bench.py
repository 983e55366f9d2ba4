# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks: shapes, reference, statistics, results, and one small run."""

import importlib
import itertools
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

for name in ("matplotlib", "psutil", "rich", "tqdm"):
    pytest.importorskip(name, reason="pip install '.[bench]'")

BENCH = pathlib.Path(__file__).parents[1] / "bench"
sys.path.insert(0, str(BENCH))
import accuracy  # noqa: E402
import regress  # noqa: E402
import regret  # noqa: E402
import report  # noqa: E402
import shares  # noqa: E402
from lib import gradients, memory, plots, reference, results, shapes, stacks, timing, training  # noqa: E402

import pyconv  # noqa: E402

sys.path.remove(str(BENCH))

FILES = sorted((BENCH / "shapes").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shape_file_reads_back(path):
    layers = shapes.load(path)
    assert layers
    assert [shapes.parse(str(layer)) for layer in layers] == layers


def test_parse_reads_every_field():
    layer = shapes.parse("a  2,6,20,30 -> 9 3x5 /2,1 p1,2 g3 d1,2 x4")
    assert (layer.name, layer.x_shape, layer.w_shape) == ("a", (2, 6, 20, 30), (9, 2, 3, 5))
    assert (layer.sh, layer.sw, layer.ph, layer.pw, layer.g, layer.dh, layer.dw, layer.count) == (
        2,
        1,
        1,
        2,
        3,
        1,
        2,
        4,
    )
    assert layer.y_shape == (2, 9, 10, 26)
    assert layer.flops == 2 * 2 * 9 * 10 * 26 * 2 * 3 * 5
    assert layer.bytes == 4 * (2 * 6 * 20 * 30 + 9 * 2 * 3 * 5 + 2 * 9 * 10 * 26)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a 1,3,8 -> 4 3x3", "not a layer"),
        ("a 1,3,8,8 -> 4 3x3 s2", "cannot read 's2'"),
        ("a 1,3,8,8 -> 4 3x3 /1 /2", "cannot read '/2'"),
        ("a 1,4,8,8 -> 4 3x3 g2,2", "cannot read 'g2,2'"),
        ("a 1,3,8,8 -> 4 3x3 g2", "2 groups"),
        ("a 1,3,8,8 -> 4 9x3", "larger than the padded input"),
        ("a 1,3,8,8 -> 4 3x3 /0", "at least 1"),
    ],
)
def test_parse_says_what_is_wrong(line, words):
    with pytest.raises(ValueError, match=words):
        shapes.parse(line)


def test_load_refuses_names_that_occur_twice(tmp_path):
    path = tmp_path / "twice.txt"
    path.write_text("a 1,3,8,8 -> 4 3x3\na 1,3,9,9 -> 4 3x3  # again\n")
    with pytest.raises(ValueError, match="listed twice: a"):
        shapes.load(path)


@pytest.mark.parametrize(("name", "convolutions"), [("vgg16", 13), ("resnet50", 53), ("mobilenet_v1", 27)])
def test_stacks_do_the_work_that_the_shape_files_list(name, convolutions):
    layers = shapes.load(BENCH / "shapes" / f"{name}.txt")
    stack = stacks.STACKS[name](1)
    assert len(stack) == sum(layer.count for layer in layers) == convolutions
    assert sum(node.layer.flops for node in stack) == sum(layer.count * layer.flops for layer in layers)


def test_walk_drops_values_after_their_last_use():
    stack = stacks.resnet50(1, 32)
    alive, most = set(), 0

    class Value:
        def __init__(self):
            alive.add(id(self))

        def __del__(self):
            alive.discard(id(self))

    def convolve(node, x, residual):
        nonlocal most
        most = max(most, len(alive))
        assert x is not None
        assert (residual is None) == (node.residual is None)
        return Value()

    stacks.walk(stack, object(), convolve)
    assert most <= 3


@pytest.mark.parametrize("name", stacks.STACKS)
def test_slots_hold_values_until_their_last_use(name):
    stack = stacks.STACKS[name](1, 32)
    slots, held = stacks.slots(stack), {}
    for node in stack:
        for read in {node.source, node.residual} - {None}:
            assert held[slots[read]] == read
        held[slots[node.name]] = node.name
    assert len(held) <= 4


@pytest.mark.parametrize(
    "line",
    ["a 2,4,9,7 -> 6 3x2 /2,1 p1,0 g2 d1,2", "a 1,3,6,6 -> 3 3x3 p1 g3", "a 1,2,5,5 -> 4 1x1 /2"],
)
def test_reference_is_the_definition(line, monkeypatch):
    monkeypatch.setattr(reference, "PATCH_BYTES", 1)  # one row at a time
    layer = shapes.parse(line)
    x, weight, bias = layer.arrays()
    expected = np.empty(layer.y_shape)
    for n, k, i, j in itertools.product(*map(range, layer.y_shape)):
        total = float(bias[k])
        for c, r, s in itertools.product(*map(range, layer.w_shape[1:])):
            row, column = i * layer.sh + r * layer.dh - layer.ph, j * layer.sw + s * layer.dw - layer.pw
            if 0 <= row < layer.ih and 0 <= column < layer.iw:
                channel = k // (layer.oc // layer.g) * (layer.ic // layer.g) + c
                total += float(weight[k, c, r, s]) * float(x[n, channel, row, column])
        expected[n, k, i, j] = total
    y = reference.conv2d(layer, x, weight, bias)
    assert reference.relative_error(y, expected) < 1e-14
    assert reference.relative_error(y * 1.01, expected) == pytest.approx(0.01)


@pytest.mark.parametrize(
    "line",
    ["a 2,4,9,7 -> 6 3x2 /2,1 p1,0 g2 d1,2", "a 1,3,6,6 -> 3 3x3 p1 g3", "a 1,2,5,5 -> 4 1x1 /2"],
)
def test_reference_gradients_are_adjoints_of_the_reference(line):
    """<dy, conv(x, w)> = <input_gradient(w, dy), x> = <weight_gradient(x, dy), w>, of basis vectors, too."""
    layer = shapes.parse(line)
    x, weight, dy = gradients.operands("input_gradient", layer)
    exact = float((reference.conv2d(layer, x, weight, np.zeros(layer.oc)) * dy).sum())
    dx, dw = reference.input_gradient(layer, weight, dy), reference.weight_gradient(layer, x, dy)
    assert dx.shape == x.shape and dw.shape == weight.shape
    assert float((dx * x).sum()) == pytest.approx(exact, rel=1e-12)
    assert float((dw * weight).sum()) == pytest.approx(exact, rel=1e-12)
    rng = np.random.default_rng(0)
    for _ in range(5):
        at, tap = (tuple(rng.integers(0, n) for n in shape) for shape in (x.shape, weight.shape))
        pixel, one = np.zeros_like(x), np.zeros_like(weight)
        pixel[at] = one[tap] = 1
        painted = reference.conv2d(layer, pixel, weight, np.zeros(layer.oc))
        assert float((painted * dy).sum()) == pytest.approx(dx[at], rel=1e-12, abs=1e-12)
        seen = reference.conv2d(layer, x, one, np.zeros(layer.oc))
        assert float((seen * dy).sum()) == pytest.approx(dw[tap], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("line", "size"), [("a 1,4,5,6 -> 2 2x2 /2", (10, 12)), ("a 1,4,5,6 -> 2 3x3 /2 p1", (10, 12)),
                       ("a 1,4,5,6 -> 2 4x4 /2 p1", (10, 12)), ("a 1,4,5,6 -> 2 3x3 /2", (11, 13)),
                       ("a 1,4,5,6 -> 4 3x3 /3,1 p1 g4 d1,2", (15, 8))],
)  # fmt: skip
def test_a_transposed_layer_is_stride_times_as_large(line, size):
    layer = shapes.parse(line)
    forward = gradients.forward(layer)
    assert (forward.ih, forward.iw) == size
    assert forward.y_shape == layer.x_shape
    y = pyconv.conv_transpose2d(
        np.zeros(layer.x_shape, np.float32), np.zeros(forward.w_shape, np.float32),
        stride=(layer.sh, layer.sw), padding=(layer.ph, layer.pw), dilation=(layer.dh, layer.dw),
        groups=layer.g, output_padding=gradients.output_padding(layer),
    )  # fmt: skip
    assert y.shape == forward.x_shape


def test_gradients_of_small_layers(tmp_path):
    pytest.importorskip("torch")
    command = [sys.executable, BENCH / "gradients.py", "--only", "^(small3_32_8_n64|up4_64_32)$"]
    command += ["--seconds", "0.004", "--rounds", "2", "--json", tmp_path / "g.json"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    records = results.load(tmp_path / "g.json")["records"]
    assert [(r["of"], r["kind"]) for r in records] == [
        ("input_gradient", "small"), ("weight_gradient", "small"), ("transposed", "4x4/2")
    ]  # fmt: skip
    for record in records:
        ways = ["plan", "call"] if record["of"] == "transposed" else ["call"]
        wanted = {("torch", "nchw"), ("torch", "channels_last")}
        wanted |= {("pyconv", f"{layout} {way}") for layout in ("nchw", "nhwc") for way in ways}
        assert {(e["peer"], e["variant"]) for e in record["entries"]} == wanted
        assert all(e["error"] < 1e-5 and e["min"] > 0 for e in record["entries"])


def small_stack():
    """Two layers, a shortcut, and every second pixel of it."""
    net = stacks.Builder(2, 9)
    first = net.add("a", None, 4, 3)
    second = net.add("b", first, 4, 3, groups=2, residual=first)
    net.add("d", second, 6, 3, 2, every=2, residual=net.add("c", second, 6, 1, 2, every=2, relu=False))
    return net.nodes


def test_a_step_of_training_is_the_derivative_of_the_loss():
    stack = small_stack()
    image, parameters = stacks.arrays(stack)
    parameters = {name: [a.astype(np.float64) for a in pair] for name, pair in parameters.items()}
    dy = training.upstream(stack)
    found = dict(training.gradients(stack, image, parameters, dy, training.Reference))
    rng = np.random.default_rng(0)
    for name, pair in parameters.items():
        for value, gradient in zip(pair, found[name], strict=True):
            assert gradient.shape == value.shape
            direction = rng.standard_normal(value.shape)
            losses = []
            for step in (1e-6, -1e-6):
                value += step * direction
                losses.append((stacks.expected(stack, image, parameters) * dy).sum())
                value -= step * direction
            slope = (losses[0] - losses[1]) / 2e-6
            assert slope == pytest.approx((gradient * direction).sum(), rel=1e-5)


@pytest.mark.parametrize("peer", ["pyconv", "torch"])
def test_steps_of_training_agree(peer):
    """With float64, ReLUs that switch by a rounding aside; and the weights follow the gradients."""
    module = pytest.importorskip(f"lib.peers.{peer}" if peer == "pyconv" else "torch")
    module = importlib.import_module(f"lib.peers.{peer}")
    for stack in (small_stack(), stacks.mobilenet_v1(1, 32)):
        image, parameters = stacks.arrays(stack)
        exact = training.expected(stack, image, parameters)
        for variant in ("nchw auto", "nhwc auto") if peer == "pyconv" else ("nchw", "channels_last"):
            prepared = module.prepare_training(variant, stack, image, parameters, 1)
            assert reference.relative_error(prepared.fetch(prepared.run()), exact) < 1e-2


def test_networks_trains_one(tmp_path):
    command = [sys.executable, BENCH / "networks.py", "--training", "--networks", "mobilenet_v1"]
    command += [
        "--batch",
        "1",
        "--image",
        "32",
        "--rounds",
        "1",
        "--seconds",
        "0.01",
        "--json",
        tmp_path / "n.json",
    ]
    command += ["--no-memory", "--peers", "onnxruntime"]  # which does not train
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    (record,) = results.load(tmp_path / "n.json")["records"]
    assert [(e["peer"], e["variant"]) for e in record["entries"]] == [
        ("pyconv", "nchw auto"), ("pyconv", "nhwc auto")
    ]  # fmt: skip
    assert record["flops"] > 2.9 * sum(n.layer.flops for n in stacks.mobilenet_v1(1, 32)[1:])


def test_calls_lasts_as_long_as_asked():
    count = itertools.count()
    times = timing.calls(lambda: next(count), 0.01)
    assert 0.001 < sum(times) <= 0.5
    assert next(count) > len(times)  # the warm-up


def test_summary():
    summary = timing.summary([[3.0, 1.0, 2.0], [4.0], [5.0, 7.0]])
    assert summary == {"median": 4.0, "min": 1.0, "spread": 0.5, "rounds": [2.0, 4.0, 6.0]}
    assert timing.summary([[2.0]])["spread"] == 0


def entry(peer, variant, median, spread=0.01):
    return {"peer": peer, "variant": variant, "median": median, "min": median, "spread": spread}


def made_up(times, spread=0.01):
    """A result with {layer: (pyconv in NCHW, pyconv in NHWC, torch)}."""
    made = results.new({"pyconv": "1", "torch": "2"}, {"layouts": ["nchw", "nhwc"], "statistic": "median"})
    for name, (nchw, nhwc, torch) in times.items():
        layer = shapes.parse(f"{name} 1,3,8,8 -> 4 3x3 x2")
        made["records"].append(
            {
                "name": name,
                "layer": str(layer),
                "file": "made_up",
                "count": 2,
                "batch": 1,
                "threads": 1,
                "flops": layer.flops,
                "bytes": layer.bytes,
                "entries": [
                    entry("pyconv", "nchw auto", nchw, spread),
                    entry("pyconv", "nhwc auto", nhwc, spread),
                    entry("torch", "nchw", torch, spread),
                ],
                "skipped": {},
                "wrong": {},
            }
        )
    return made


def test_questions_to_a_result():
    made = made_up({"a": (2e-3, 1e-3, 4e-3), "b": (1e-3, 2e-3, 1e-3)})
    first, second = made["records"]
    assert results.ratio(first) == 4
    assert results.ratio(first, word="nchw") == 2
    assert results.ratio(first, peer="ncnn") is None
    assert results.ratio(second) == 1
    assert results.mean_ratio(made["records"]) == pytest.approx(2)
    assert results.network_sums(made["records"]) == pytest.approx(
        {"pyconv": 4e-3, "torch": 1e-2, "best peer": 1e-2}
    )
    assert results.settings(made) == [(1, 1)]
    assert results.peers(made) == ["torch"]
    assert results.words(made) == ["nchw", "nhwc"]
    assert results.share_of_peak(made, first) is None
    made["peaks"]["1"] = {"flops": first["flops"] * 2e3}
    assert results.share_of_peak(made, first) == pytest.approx(0.5)
    assert results.wrong(made) == []
    second["wrong"] = {"torch nchw": "far", "pyconv nhwc auto": "farther"}
    assert results.wrong(made) == [("b", "pyconv nhwc auto", "farther")]


def test_a_saved_result_loads_again(tmp_path):
    made = made_up({"a": (2e-3, 1e-3, 4e-3)})
    results.save(made, tmp_path / "new" / "a.json")
    assert results.load(tmp_path / "new" / "a.json") == made
    (tmp_path / "b.json").write_text(json.dumps(made | {"format": 99}))
    with pytest.raises(ValueError, match="format 99"):
        results.load(tmp_path / "b.json")


@pytest.mark.parametrize(
    ("factor", "machine", "spread", "verdict"),
    [
        (1.0, 1.0, 0.01, ""),
        (1.2, 1.0, 0.01, "slower"),
        (0.8, 1.0, 0.01, "faster"),
        (1.2, 1.0, 0.2, ""),
        (1.2, 1.2, 0.01, ""),
        (1.0, 1.2, 0.01, "faster"),
    ],
    ids=["same", "slower", "faster", "noise", "slower machine", "faster in spite of the machine"],
)
def test_regress_tells_a_change_from_noise_and_from_the_machine(factor, machine, spread, verdict):
    old = made_up({"a": (1.0, 1.0, 1.0), "b": (1.0, 1.0, 1.0)}, spread)
    new = made_up({"a": (factor, machine, machine), "b": (machine, machine, machine)}, spread)
    found = {
        (record["name"], variant): word for record, variant, _, _, word in regress.verdicts(old, new, 0.03)
    }
    assert found == {
        ("a", "nchw auto"): verdict,
        ("a", "nhwc auto"): "",
        ("b", "nchw auto"): "",
        ("b", "nhwc auto"): "",
    }


def test_regress_does_not_take_a_new_version_of_a_peer_for_the_machine():
    old, new = made_up({"a": (1.0, 1.0, 1.0)}), made_up({"a": (1.0, 1.0, 2.0)})
    assert regress.drift(old, new, "median") == 2
    new["versions"]["torch"] = "3"
    assert regress.drift(old, new, "median") == 1


def test_report_replaces_what_is_between_the_markers():
    text = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.replace(text, "new") == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"
    with pytest.raises(SystemExit, match="once each"):
        report.replace("no markers", "new")


def test_report_writes_tables_and_pictures(tmp_path, monkeypatch):
    results.save(made_up({"a": (2e-3, 1e-3, 4e-3), "b": (2e-3, 2e-3, 1e-3)}), tmp_path / "r.json")
    readme = tmp_path / "README.md"
    readme.write_text(f"{report.BEGIN}\n{report.END}\n")
    monkeypatch.setattr(sys, "argv", ["report.py", str(tmp_path / "r.json"), "--readme", str(readme)])
    report.main()
    text = readme.read_text()
    assert "faster than every peer on 1 of 2 layers" in text
    assert "](r.png)" in text
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_needs_data(tmp_path):
    made = made_up({"a": (2e-3, 1e-3, 4e-3)})
    made["records"][0]["entries"].pop()
    assert plots.draw(made, tmp_path / "r.png") == []


def test_compare_runs_one_small_layer(tmp_path):
    """A peer that isn't installed is skipped with a word, and the other one is compared."""
    shape_file = tmp_path / "small.txt"
    shape_file.write_text("small 1,4,8,8 -> 4 3x3 p1 g4\n")
    absent = tmp_path / "absent" / "ncnn.py"
    absent.parent.mkdir()
    absent.write_text("raise ImportError('not here')\n")
    command = [
        sys.executable,
        str(BENCH / "compare.py"),
        "--shapes",
        str(shape_file),
        "--peers",
        "scipy,ncnn",
    ]
    command += ["--rounds", "2", "--seconds", "0.005", "--algorithms", "auto,direct", "--pareto", "small"]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(absent.parent)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "ncnn is skipped: not here" in run.stderr + run.stdout
    result = results.load(tmp_path / "compare.json")
    (record,) = result["records"]
    variants = {(e["peer"], e["variant"]) for e in record["entries"]}
    ours = {("pyconv", f"{layout} {name}") for layout in ("nchw", "nhwc") for name in ("auto", "direct")}
    assert ours < variants
    assert {peer for peer, _ in variants} == {"pyconv", "scipy"}
    assert all("memory" in e for e in record["entries"] if e["peer"] == "pyconv") == memory.AVAILABLE
    assert all(e["error"] < 1e-5 and len(e["rounds"]) == 2 for e in record["entries"])
    assert result["peaks"]["1"]["flops"] > 1e9
    assert {path.name for path in tmp_path.glob("*.png")} >= {
        "compare.png",
        "compare-roofline.png",
        "compare-pareto.png",
    }


def test_errors_beside_their_bounds(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(accuracy, "DATA", {name: accuracy.DATA[name] for name in ("normal", "single pixel")})
    readme = tmp_path / "README.md"
    readme.write_text(f"{accuracy.BEGIN}\n{accuracy.END}\n")
    command = ["accuracy.py", "--seeds", "1", "--only", "winograd_f2k", "--readme", str(readme)]
    monkeypatch.setattr(sys, "argv", command)
    accuracy.main()
    table = [line.strip("| ").split(" | ") for line in readme.read_text().splitlines() if "winograd" in line]
    assert len(table) == sum("winograd_f2k" in name for name in pyconv.algorithms())
    for _, bound, *measured in table:
        assert len(measured) == 3
        assert float(measured[0]) > 0 and all(float(cell) < float(bound) for cell in measured)
    assert "winograd_f2k3" in capsys.readouterr().out


def test_shares_count_each_symbol_once():
    found = {"pyconv_f32_wino_input__avx512": 1, "pyconv_f32_form_rows_14__avx512": 6}
    found |= {"pyconv_f32_wino_store__avx512": 2, "__pyx_f_6pyconv_9_winograd__winograd_task": 1}
    assert dict(zip(shares.PHASES, shares.shares(found), strict=True)) == {
        "input": 0.1,
        "product": 0.6,
        "output": 0.2,
        "rest": 0.1,
    }


def test_regret_is_of_the_choice_against_the_fastest(tmp_path):
    file, answer = tmp_path / "two.txt", tmp_path / "regret.json"
    file.write_text("one 1,8,12,12 -> 8 3x3 p1\ntwo 1,4,9,9 -> 4 1x1\n")
    command = [sys.executable, BENCH / "regret.py", "--shapes", file, "--seconds", "0.002", "--json", answer]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    result = json.loads(answer.read_text())
    assert [(r["name"], r["layout"]) for r in result["records"]] == [
        ("one", "nchw"), ("one", "nhwc"), ("two", "nchw"), ("two", "nhwc")
    ]  # fmt: skip
    for record in result["records"]:
        times = record["measured"]
        assert {record["chosen"], record["fastest"]} <= times.keys() <= record["predicted"].keys()
        assert record["chosen"] == min(record["predicted"], key=record["predicted"].get)
        assert times[record["fastest"]] == min(times.values()) > 0
        assert record["regret"] == pytest.approx(times[record["chosen"]] / min(times.values()) - 1)
    assert result["summary"]["layers"] == 4 and result["summary"] == regret.summary(result["records"])


def test_regret_is_summed_up():
    records = [{"regret": 0.0, "chosen": "a", "fastest": "a"}, {"regret": 0.5, "chosen": "a", "fastest": "b"}]
    assert regret.summary(records) == {"layers": 2, "mean": 0.25, "largest": 0.5, "fastest chosen": 1}


def test_random_layers_are_the_same_for_a_seed():
    first, again, other = (list(regret.invent(12, seed)) for seed in (1, 1, 2))
    assert first == again != other and len(first) == 12
    assert all(1e4 < layer.flops / 2 < 3e8 for layer in first)


def test_filters_of_a_small_photograph(tmp_path, monkeypatch):
    """Every library's result is right, its time is kept, and the README's section is made of them."""
    pytest.importorskip("cv2")
    pytest.importorskip("skimage")
    command = [sys.executable, BENCH / "filters.py", "--quick", "--size", "60", "80", "--threads", "1"]
    command += ["--seconds", "0.002", "--json", tmp_path / "f.json", "--plot", tmp_path / "f.png"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    result = results.load(tmp_path / "f.json")
    assert {r["image"] for r in result["records"]} == {
        f"{form} {dtype}" for form in ("grey", "RGB") for dtype in ("float32", "uint8")
    }
    for record in result["records"]:
        timed = {(e["peer"], e["variant"]): e["min"] for e in record["entries"]}
        own = {("pyconv", variant) for variant in ("plan", "call", "ndimage")}
        assert own | {("opencv", "-"), ("scipy", "-")} <= timed.keys() and min(timed.values()) > 0
        assert record["wrong"] == {}
    assert "Gabor" in run.stdout and (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    readme = tmp_path / "README.md"
    readme.write_text(f"{report.BEGIN}\n{report.END}\n")
    monkeypatch.setattr(sys, "argv", ["report.py", str(tmp_path / "f.json"), "--readme", str(readme)])
    report.main()
    text = readme.read_text()
    assert "](f.png)" in text and text.count("RGB uint8 Laplace") == 1


def test_a_photograph_filtered_wrongly_is_found():
    """Beyond rounding, and where integers aren't SciPy's."""
    pytest.importorskip("cv2")
    pytest.importorskip("skimage")
    sys.path.insert(0, str(BENCH))
    import filters
    from lib import photographs

    sys.path.remove(str(BENCH))
    (case, *_) = photographs.cases(photographs.photograph(20, 30, 1, np.dtype(np.uint8)), (3,))
    y = np.full((20, 30), 7, np.uint8)
    found = {("pyconv", "plan"): y, ("pyconv", "ndimage"): y, ("opencv", "-"): y, ("scipy", "-"): y}
    assert filters.check(case, found) == {}
    assert filters.check(case, found | {("pyconv", "plan"): y + 1}) == {}
    assert list(filters.check(case, found | {("pyconv", "plan"): y + 2})) == ["pyconv plan"]
    assert list(filters.check(case, found | {("pyconv", "ndimage"): y + 1})) == ["pyconv ndimage"]
    assert list(filters.check(case, found | {("opencv", "-"): y.astype(float)})) == ["opencv -"]
