# SPDX-License-Identifier: BSD-3-Clause
"""The fuzzer itself: its reference agrees with another, its generator repeats, planted faults are found."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fuzz import exact, mutations
from fuzz.arrays import FORMS, Fence, Operand, Target
from fuzz.check import State, run
from fuzz.problems import OPERATORS, draw, geometry, legal, line, parse
from fuzz.shrink import shrink
from fuzz.worker import names
from helpers import normal, reference

ALGORITHMS, ISAS = names()
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def state():
    """Puts the instruction set back."""
    made = State()
    before = made.isa
    yield made
    made.use(before)


def test_its_convolution_is_that_of_the_tests():
    """Two references, written apart."""
    for number in range(150):
        p = draw(0, number, ALGORITHMS, ISAS, {"op": "conv2d", "layout": "NCHW", "lead": [2]})
        g = geometry(p)
        x = normal((2, p["groups"] * p["icg"], p["ih"], p["iw"]), "f8")
        w = normal((p["groups"] * p["ocg"], p["icg"], p["kh"], p["kw"]), "f8", 1)
        padding = p["padding"] if not isinstance(p["padding"], list) else tuple(p["padding"])
        expected = reference(
            x, w, stride=tuple(p["stride"]), padding=padding, dilation=tuple(p["dilation"]),
            groups=p["groups"], padding_mode=g.mode,
        )  # fmt: skip
        np.testing.assert_allclose(exact.correlate(x, w, g), expected, rtol=1e-10, atol=1e-10)


def test_its_gradients_are_adjoint():
    """<dy, conv(x, w)> = <backward_input(dy), x> = <backward_weight(dy), w>"""
    for number in range(150):
        p = draw(1, number, ALGORITHMS, ISAS, {"op": "conv2d", "mode": "zeros", "lead": [2]})
        g = geometry(p)
        x = normal((2, p["groups"] * p["icg"], p["ih"], p["iw"]), "f8")
        w = normal((p["groups"] * p["ocg"], p["icg"], p["kh"], p["kw"]), "f8", 1)
        y = exact.correlate(x, w, g)
        dy = normal(y.shape, "f8", 2)
        dx = exact.paint(dy, w, g, x.shape[2:], (g.rows[0], g.columns[0]))
        dw = exact.weight_gradient(x, dy, w.shape, g)
        scale = 1e-9 * (1 + np.abs(y * dy).sum())
        assert abs((dy * y).sum() - (dx * x).sum()) < scale
        assert abs((dy * y).sum() - (dw * w).sum()) < scale


def test_problems_are_reproducible_and_legal():
    seen = set()
    for number in range(500):
        p = draw(3, number, ALGORITHMS, ISAS)
        assert p == draw(3, number, ALGORITHMS, ISAS) == parse(line(p))
        assert legal(p)
        seen.add(p["op"])
    assert seen == set(OPERATORS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("at_end", [True, False])
def test_every_form_holds_its_values(form, at_end):
    values = normal((2, 3, 5))
    operand = Operand(Fence(), values, form, at_end)
    given = np.from_dlpack(operand.given) if form == "dlpack" else np.asarray(operand.given)
    np.testing.assert_array_equal(given, values)
    assert operand.unchanged()
    operand._raw[0] ^= 1
    assert not operand.unchanged()


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize("at_end", [True, False])
def test_targets_notice_writes_beside_them(gap, at_end):
    target = Target(Fence(), (2, 3, 4), "f4", at_end, 0xA5, gap)
    target.array[...] = 1
    assert target.intact()
    if gap:
        target._rest[0, 0, 0] = 0
    else:
        (target.fence._before if at_end else target.fence._after)[-1 if at_end else 0] ^= 1
    assert not target.intact()


@pytest.mark.parametrize("op", mutations.FUNCTIONS)
@pytest.mark.parametrize("name", mutations.MUTATIONS)
def test_planted_faults_are_found(name, op, state):
    """By problems that show none without the fault."""
    keys = mutations.fixed(name, op)
    if keys is None:
        pytest.skip(f"{op} has nothing to show it with")
    for number in range(400):
        p = draw(5, number, ALGORITHMS, ISAS, {"dtype": "float32", **keys})
        with mutations.planted(name):
            failure = run(p, state).failure
        if failure and run(p, state).failure is None:
            return
    raise AssertionError(f"400 problems of {op} don't notice: {name}")


def test_shrinking_keeps_the_fault(state):
    name, op = "bias forgotten", "conv2d"
    with mutations.planted(name):
        fails = lambda q: (run(q, state).failure or (None,))[0]  # noqa: E731
        number = next(n for n in range(100) if fails(draw(6, n, ALGORITHMS, ISAS, mutations.fixed(name, op))))
        p = draw(6, number, ALGORITHMS, ISAS, mutations.fixed(name, op))
        small = shrink(p, fails)
        assert fails(small) == "value"
    assert small["bias"] and len(line(small)) < 110 < len(line(p))


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_command_tests_the_installed_package_and_ends():
    """Also where the folder it starts in holds the sources of the package."""
    done = command(
        "--problems", "60", "--seed", "7", "--seconds", "100", "--set", "data=normal", "--set", "op=conv1d"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    import pyconv

    assert f"of {Path(pyconv.__file__).parent}" in done.stdout.splitlines()[0]
    assert "60 problems" in done.stdout and "seed 7" in done.stdout


@pytest.mark.skipif("sys.platform != 'linux'", reason="mprotect on anonymous maps is tried on Linux only")
@pytest.mark.parametrize("name", mutations.DEADLY)
def test_a_worker_that_dies_is_a_finding(name):
    """The byte beyond lies on a page that faults."""
    keys = {**mutations.fixed(name, "conv2d"), "data": "normal", "dtype": "float32"}
    settings = [each for key, value in keys.items() for each in ("--set", f"{key}={json.dumps(value)}")]
    done = command("--seed", "8", "--findings", "1", "--shrink", "3", "--mutation", name, *settings)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FOUND exit code -11" in done.stdout, done.stdout + done.stderr
