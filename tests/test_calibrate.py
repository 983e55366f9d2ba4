# SPDX-License-Identifier: BSD-3-Clause
"""The rates of the cost model: shipped, measured, cached, refused where they don't fit."""

import json
import math
import os

import numpy as np
import pytest
from helpers import run_python

import pyconv
from pyconv import _calibrate, _kernels
from pyconv.__main__ import main


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache directory; the rates are put back afterwards."""
    monkeypatch.setenv("PYCONV_CACHE_DIR", str(tmp_path))
    before = _kernels.rates()
    yield tmp_path
    _kernels.set_rates(before)


@pytest.fixture
def shipped():
    before = _kernels.rates()
    _kernels.set_rates()
    rates = _kernels.rates()
    _kernels.set_rates(before)
    return rates


def test_without_a_file_the_shipped_rates_serve(cache, shipped):
    assert _calibrate.load().startswith("shipped")
    assert _kernels.rates() == shipped
    assert os.listdir(cache) == [], "reading must not write"


def test_saved_rates_are_read_back(cache, shipped):
    doubled = {name: 2 * value for name, value in shipped.items()}
    path = _calibrate.save(doubled)
    assert path.parent == cache and os.listdir(cache) == [path.name]
    assert _calibrate.load() == f"measured on this machine, {path}"
    assert _kernels.rates() == doubled


def change(key, value):
    def apply(record):
        record[key] = value

    return apply


def change_rate(value):
    def apply(record):
        record["rates"]["clock"] = value

    return apply


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (change("cpu", "abacus"), "its cpu is 'abacus'"),
        (change("pyconv", "0.0.0"), "its pyconv is '0.0.0'"),
        (change("instruction set", "mmx"), "its instruction set is 'mmx'"),
        (change("rates", 3), "holds no rates"),
        (lambda record: record["rates"].pop("clock"), "wanted are"),
        (change_rate(0), "clock must be a positive number, is 0"),
        (change_rate(math.nan), "clock must be a positive number, is nan"),
        (change_rate("fast"), "clock must be a positive number, is 'fast'"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(cache, shipped, spoil, words):
    path = _calibrate.save({name: 2 * value for name, value in shipped.items()})
    record = json.loads(path.read_text())
    spoil(record)
    path.write_text(json.dumps(record))
    status = _calibrate.load()
    assert status.startswith("shipped") and words in status and str(path) in status
    assert _kernels.rates() == shipped


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"])
def test_garbage_is_refused(cache, shipped, content):
    _calibrate.cache_file().write_bytes(content)
    assert _calibrate.load().startswith("shipped; ")
    assert _kernels.rates() == shipped


def test_an_unreadable_cache_is_no_error(cache, shipped):
    _calibrate.cache_file().mkdir()
    assert "can't be read" in _calibrate.load()
    assert _kernels.rates() == shipped


def test_import_reads_the_file_and_show_config_tells(cache, shipped):
    path = _calibrate.save({name: 2 * value for name, value in shipped.items()})
    script = (
        "import pyconv; from pyconv import _kernels; pyconv.show_config(); print(_kernels.rates()['clock'])"
    )
    printed = run_python(script, PYCONV_CACHE_DIR=str(cache))
    assert str(path) in printed
    assert float(printed.splitlines()[-1]) == 2 * shipped["clock"]


def test_plans_keep_the_rates_they_were_made_with(cache, shipped):
    """Work is cut by predicted time, so a workspace fits only as long as plan and run predict alike."""
    weight = np.ones((64, 64, 3, 3), "float32")
    plan = pyconv.plan((1, 64, 28, 28), weight, padding=1, algorithm="winograd_f4k3")
    x = np.ones((1, 64, 28, 28), "float32")
    before = plan(x, workspace=plan.new_workspace())
    _kernels.set_rates(shipped | {"l3": 1e6, "fma": 1e-3})
    assert (plan(x, workspace=plan.new_workspace()) == before).all()


def test_the_command_measures_every_rate(cache, capfd):
    main(["calibrate"])
    printed = capfd.readouterr().out
    rates = json.loads(_calibrate.cache_file().read_text())["rates"]
    assert rates.keys() == _kernels.rates().keys()
    assert all(math.isfinite(value) and value > 0 for value in rates.values())
    assert all(name in printed for name in rates) and str(_calibrate.cache_file()) in printed
    assert _calibrate.load().startswith("measured")


def test_a_dry_run_writes_nothing(cache, monkeypatch, capsys):
    monkeypatch.setattr(_calibrate, "measure", lambda: {"clock": 1e9})
    main(["calibrate", "--dry-run"])
    assert "1e+09" in capsys.readouterr().out
    assert os.listdir(cache) == []


def test_rates_scale_with_the_instruction_set(cache, shipped):
    _kernels.set_rates(shipped)
    name = _kernels.build_info()["instruction set in use"]
    best, lanes = _kernels.rates(), _kernels.lanes()
    try:
        assert _kernels.set_isa("scalar") == "scalar"
        assert _kernels.rates()["blas"] == best["blas"], "BLAS finds its instructions by itself"
        if name != "scalar":
            assert _kernels.rates()["fma"] * _kernels.lanes() < best["fma"] * lanes
    finally:
        _kernels.set_isa(name)
