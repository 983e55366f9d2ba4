# SPDX-License-Identifier: BSD-3-Clause
"""The C-level API is frozen: `tests/abi_<version>.json` records what each version of it exports.

After a deliberate change raise PYCONV_ABI_VERSION in `abi.h` and record the new version by
`python tests/test_abi.py`; what older versions export stays as it was.
"""

import ctypes
import json
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import c_api
import pytest

import pyconv
from pyconv import _kernels

HERE = Path(__file__).resolve().parent
INCLUDE = Path(pyconv.get_include())


def compiler(*names):
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.skip(f"none of {', '.join(names)} on this machine")


def c_compiler():
    return compiler(shlex.split(sysconfig.get_config_var("CC") or "cc")[0], "cc")


def declarations(header, name):
    """The members of a struct as the header declares them, one a line, white space apart."""
    text = re.sub(r"//.*|^\s*#.*", "", header.read_text(encoding="utf-8"), flags=re.M)
    body = re.search(rf"typedef struct {name} {{(.*?)}} {name};", text, re.S)[1]
    return [" ".join(member.split()) for member in body.split(";") if member.strip()]


def signatures():
    """Names of ``__pyx_capi__`` to the signatures that Cython compares when a user's module is imported."""
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.argtypes, name_of.restype = [ctypes.py_object], ctypes.c_char_p
    return {name: name_of(capsule).decode() for name, capsule in sorted(_kernels.__pyx_capi__.items())}


def exported(directory):
    """All that users of the C-level API are compiled against, from the package installed."""
    program = Path(directory, "abi")
    source = HERE / "native" / "abi.c"
    subprocess.run([c_compiler(), f"-I{INCLUDE}", source, "-o", program], check=True)
    compiled = json.loads(subprocess.run([program], check=True, capture_output=True, text=True).stdout)
    members = {
        "pyconv_conv2d_t": declarations(INCLUDE / "pyconv" / "abi.h", "pyconv_conv2d_t"),
        "pyconv_api_t": declarations(INCLUDE / "pyconv" / "api.h", "pyconv_api_t"),
    }
    return {"functions": signatures(), "members": members, **compiled}


def algorithm_codes():
    """Names in the order of what `pyconv_algorithm` gives for them, which callers may have stored."""
    return sorted(pyconv.algorithms(), key=lambda name: c_api.algorithm(name.encode()))


def record(version):
    return HERE / f"abi_{version}.json"


@pytest.fixture(scope="module")
def now(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("abi"))


@pytest.mark.skipif("sys.maxsize < 2**32", reason="recorded on 64 bits")
def test_what_this_version_exports_is_as_recorded(now):
    version = now["constants"]["PYCONV_ABI_VERSION"]
    recorded = json.loads(record(version).read_text())
    del recorded["algorithms"]
    assert now == recorded, "see the top of this file"


def test_algorithms_keep_their_codes(now):
    """A new algorithm is a row at the end of the table: its code is new, the others stay."""
    for version in range(1, now["constants"]["PYCONV_ABI_VERSION"] + 1):
        recorded = json.loads(record(version).read_text())["algorithms"]
        assert {name: c_api.algorithm(name.encode()) for name in recorded} == {
            name: code for code, name in enumerate(recorded)
        }


def test_every_version_keeps_what_the_one_before_had(now):
    for version in range(1, now["constants"]["PYCONV_ABI_VERSION"]):
        older = json.loads(record(version).read_text())
        del older["constants"]["PYCONV_ABI_VERSION"]
        assert older["functions"].items() <= now["functions"].items()
        assert older["constants"].items() <= now["constants"].items()
        for struct, members in older["members"].items():
            assert now["members"][struct][: len(members)] == members


def test_declarations_are_read_without_comments(tmp_path):
    header = tmp_path / "h.h"
    header.write_text("typedef struct t {\n int a; // no;\n int (*f)(int,\n  int);\n} t;\n")
    assert declarations(header, "t") == ["int a", "int (*f)(int, int)"]


@pytest.mark.parametrize("language", ["c11", "gnu17", "c++11", "c++17"])
def test_the_header_serves_c_and_cpp_without_a_warning(tmp_path, language):
    cc = compiler("g++", "clang++") if "++" in language else c_compiler()
    source = tmp_path / ("user.cpp" if "++" in language else "user.c")
    source.write_text("#include <pyconv.h>\nint main() { return pyconv_import() == 0; }\n")
    python = sysconfig.get_paths()["include"]
    flags = [f"-std={language}", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", f"-I{INCLUDE}"]
    subprocess.run([cc, *flags, "-isystem", python, source], check=True)


def test_the_capsule_has_the_name_that_the_header_asks_for():
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.argtypes, name_of.restype = [ctypes.py_object], ctypes.c_char_p
    assert f'"{name_of(_kernels._C_API).decode()}"' in (INCLUDE / "pyconv.h").read_text()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        facts = exported(directory)
    path = record(facts["constants"]["PYCONV_ABI_VERSION"])
    if path.exists() and json.loads(path.read_text()) | facts != json.loads(path.read_text()):
        sys.exit(f"{path.name} is recorded already: raise PYCONV_ABI_VERSION for another")
    path.write_text(json.dumps({**facts, "algorithms": algorithm_codes()}, indent=1) + "\n")
