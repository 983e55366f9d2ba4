# SPDX-License-Identifier: BSD-3-Clause
"""The rates of the cost model: shipped, measured, cached, refused where they don't fit."""

import errno
import json
import math
import os
from concurrent.futures import ThreadPoolExecutor

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
        *(
            (change_rate(value), f"clock must be a positive number from 1e+06 to 1e+12, is {value!r}")
            for value in (0, -3e9, 1e308, 1e-300, math.nan, math.inf, True, None, "fast", [3e9])
        ),
        (change_rate(10**400), "clock must be a positive number from 1e+06 to 1e+12, is 1000"),
        (change("rates", {"x" * 50_000: 1}), "… (50004 characters), wanted are"),
        (change("cpu", ["x" * 50_000]), "… (50004 characters), here it is"),
    ],
    ids=str,
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(cache, shipped, spoil, words):
    path = _calibrate.save({name: 2 * value for name, value in shipped.items()})
    record = json.loads(path.read_text())
    spoil(record)
    path.write_text(json.dumps(record))
    status = _calibrate.load()
    assert status.startswith("shipped") and words in status and str(path) in status
    assert _kernels.rates() == shipped


GARBAGE = {
    "nothing": b"",
    "half a record": b"{",
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "brackets in brackets": b"[" * 60_000,
    "thousands of digits": b"9" * 60_000,
    "a long file": b" " * 200_000,
    "the longest name": b'{"rates": {"%s": 1}}' % (b"x" * 60_000),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_refused(cache, shipped, content):
    _calibrate.cache_file().write_bytes(content)
    status = _calibrate.load()
    assert status.startswith("shipped; ") and len(status) < 1000
    assert _kernels.rates() == shipped


UNREADABLE = {
    "a folder": lambda path: path.mkdir(),
    "a pipe that nobody writes to": lambda path: os.mkfifo(path),
    "endless zeros": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="what Unix has for files")
@pytest.mark.parametrize("make", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_file_is_not_read(cache, shipped, make):
    make(_calibrate.cache_file())
    assert "can't be read" in _calibrate.load()
    assert _kernels.rates() == shipped


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="what Unix has for files")
def test_import_waits_for_no_pipe(cache):
    os.mkfifo(_calibrate.cache_file())
    printed = run_python("import pyconv; pyconv.show_config()", timeout=60, PYCONV_CACHE_DIR=str(cache))
    assert "is no regular file" in printed


def test_import_survives_what_it_reads(cache, shipped):
    """Each of these once raised from `import pyconv`."""
    record = {**_calibrate.identity(), "rates": {**shipped, "clock": 10**400}}
    script = "import pyconv; pyconv.show_config()"
    for content in (json.dumps(record), "[" * 60_000, "1" * 60_000):
        _calibrate.cache_file().write_text(content)
        assert "shipped; " in run_python(script, PYCONV_CACHE_DIR=str(cache))


@pytest.mark.skipif(os.name == "nt", reason="another folder there")
def test_empty_variables_are_unset(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("PYCONV_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, "")
    default = _calibrate.cache_folder()
    assert default.is_absolute() and tmp_path in default.parents
    monkeypatch.setenv("XDG_CACHE_HOME", "here")  # no absolute path: to be ignored
    assert _calibrate.cache_folder() == default or os.uname().sysname == "Darwin"


def test_the_part_file_follows_no_link(cache, shipped):
    """Whoever can write to the folder may have foreseen its name."""
    victim = cache / "victim"
    victim.write_text("mine")
    path = _calibrate.cache_file()
    for link in (path, path.with_suffix(f".{os.getpid()}"), path.with_suffix(".part")):
        link.symlink_to(victim)
    _calibrate.save(shipped)
    assert victim.read_text() == "mine" and not path.is_symlink()
    assert json.loads(path.read_text())["rates"] == shipped


def test_threads_that_save_at_once_all_succeed(cache, shipped):
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: _calibrate.save(shipped), range(200)))
    assert os.listdir(cache) == [path.name for path in paths]
    assert json.loads(_calibrate.cache_file().read_text())["rates"] == shipped


@pytest.mark.parametrize("fails", ["chmod", "replace"])
def test_a_failing_save_leaves_nothing(cache, shipped, monkeypatch, fails):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_calibrate.os, fails, full)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        _calibrate.save(shipped)
    assert os.listdir(cache) == []


def test_a_full_disk_leaves_nothing(cache, shipped):
    resource = pytest.importorskip("resource", reason="limits of Unix")
    script = (
        "import resource, sys; from pyconv import _calibrate, _kernels\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (10, {resource.RLIM_INFINITY}))\n"
        "try: _calibrate.save(_kernels.rates())\n"
        "except OSError as error: print(error)\n"
    )
    assert "large" in run_python(script, PYCONV_CACHE_DIR=str(cache)).lower()
    assert os.listdir(cache) == []


def test_a_folder_that_cannot_be_written_is_no_traceback(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PYCONV_CACHE_DIR", str(tmp_path / "file" / "folder"))
    monkeypatch.setattr(_calibrate, "measure", lambda: {"clock": 1e9})
    with pytest.raises(SystemExit, match=r"^error: the rates can't be kept: .*PYCONV_CACHE_DIR"):
        main(["calibrate"])


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
