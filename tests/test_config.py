# SPDX-License-Identifier: BSD-3-Clause
"""`pyconv.config` sets defaults for a block; `show_config` tells about the build."""

import contextvars
import threading

import pytest
from helpers import integers

import pyconv

SHAPE, W = (1, 4, 8, 8), integers((6, 4, 3, 3))


def plan(**keywords):
    return pyconv.plan(SHAPE, W, **keywords)


def test_threads():
    with pyconv.config(threads=1):
        assert plan().threads == 1


def test_accuracy():
    with pyconv.config(accuracy="strict"):
        assert plan().accuracy == "strict"
    assert plan(accuracy="fast").accuracy in ("strict", "standard", "fast")


def test_max_workspace():
    for limit in (0, "0", "1kB"):
        with pyconv.config(max_workspace=limit):
            p = plan()
            assert p.workspace_bytes + p.packed_bytes <= 1000
            with pytest.raises(pyconv.UnsupportedError):
                plan(algorithm="im2col")
    assert plan(algorithm="im2col").workspace_bytes > 1000


def test_a_keyword_wins_over_the_block():
    with pyconv.config(max_workspace=0):
        assert plan(algorithm="im2col", max_workspace="1MB").workspace_bytes > 0
    with pyconv.config(accuracy="fast"):
        assert plan(accuracy="strict").accuracy == "strict"


def test_blocks_nest_and_end():
    with pyconv.config(max_workspace=0):
        with pyconv.config(threads=1), pytest.raises(pyconv.UnsupportedError):
            plan(algorithm="im2col")
        with pyconv.config(max_workspace="1MB"):
            plan(algorithm="im2col")
        with pytest.raises(pyconv.UnsupportedError):
            plan(algorithm="im2col")
    plan(algorithm="im2col")


def test_a_block_ends_with_an_exception():
    with pytest.raises(KeyError), pyconv.config(max_workspace=0):
        raise KeyError
    plan(algorithm="im2col")


def test_a_plan_keeps_what_it_was_made_with():
    with pyconv.config(threads=1):
        p = plan()
    assert p.threads == 1


def test_another_thread_has_its_own_defaults():
    seen = []
    with pyconv.config(max_workspace=0):
        thread = threading.Thread(
            target=lambda: seen.append(contextvars.Context().run(plan, algorithm="im2col").workspace_bytes)
        )
        thread.start()
        thread.join()
    assert seen and seen[0] > 0


@pytest.mark.parametrize("keywords, error", [
    ({"threads": 0}, ValueError),
    ({"threads": -3}, ValueError),
    ({"threads": 1.5}, TypeError),
    ({"threads": "2"}, TypeError),
    ({"max_workspace": -1}, ValueError),
    ({"max_workspace": "many"}, ValueError),
    ({"max_workspace": 1.5}, TypeError),
    ({"accuracy": "loose"}, ValueError),
    ({"layout": "NHWC"}, TypeError),
])  # fmt: skip
def test_bad_values_are_refused_at_once(keywords, error):
    with pytest.raises(error, match=next(iter(keywords))):
        pyconv.config(**keywords).__enter__()
    assert plan(algorithm="im2col").threads >= 1


def test_show_config_prints(capsys):
    assert pyconv.show_config() is None
    text = capsys.readouterr().out.lower()
    for word in (pyconv.__version__, "blas", "openmp", "threads", "compiler"):
        assert word in text, f"{word} is missing from:\n{text}"


def test_show_config_as_dicts():
    config = pyconv.show_config(mode="dicts")
    assert isinstance(config, dict) and pyconv.__version__ in str(config)
    config.clear()
    assert pyconv.show_config(mode="dicts")


def test_show_config_refuses_other_modes():
    with pytest.raises(ValueError, match="mode"):
        pyconv.show_config(mode="xml")


def test_get_include_finds_the_headers():
    from pathlib import Path

    assert list(Path(pyconv.get_include()).rglob("kernels.h"))


def test_public_names():
    for name in ("conv2d", "plan", "algorithms", "show_config", "get_include", "config", "UnsupportedError"):
        assert name in pyconv.__all__ and getattr(pyconv, name).__doc__, name
