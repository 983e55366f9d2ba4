# SPDX-License-Identifier: BSD-3-Clause
"""The C-level API: the same numbers as Python's, and every bad input has a status, a text and no crash."""

import ctypes
import re

import c_api
import numpy as np
import pytest
from c_api import STATUS, C, Conv2d
from elements import as_element
from helpers import Guarded, aligned, element, integers, normal, run_python

import pyconv

GEOMETRY = {"n": 2, "ic": 6, "ih": 9, "iw": 11, "oc": 8, "icg": 3, "g": 2, "kh": 3, "kw": 3,
            "ph0": 1, "ph1": 1, "pw0": 1, "pw1": 1}  # fmt: skip
X, W, Y = (2, 6, 9, 11), (8, 3, 3, 3), (2, 8, 9, 11)


def described(**changes):
    return Conv2d(**GEOMETRY | changes)


def test_the_defaults_here_are_those_of_the_header():
    """What the tests set is what pyconv_conv2d_init() sets, read from its text."""
    header = (c_api.Path(pyconv.get_include()) / "pyconv" / "abi.h").read_text()
    body = re.search(r"pyconv_conv2d_init\(.*?\{(.*?)\n\}", header, re.S)[1]
    for line in ("d->algorithm = d->x_dtype = d->y_dtype = -1;", "d->max_workspace = -1;",
                 "d->accuracy = PYCONV_STANDARD;",
                 "d->n = d->g = d->sh = d->sw = d->dh = d->dw = 1;"):  # fmt: skip
        assert line in body


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ["auto", *pyconv.algorithms()])
def test_the_numbers_are_those_of_python(dtype, name):
    x, w, b, r = (normal(s, dtype, i) for i, s in enumerate((X, W, (8,), Y)))
    d = described(dtype=C["PYCONV_F64" if dtype == "f8" else "PYCONV_F32"], lo=0.0, threads=1)
    d.accuracy, d.algorithm = C["PYCONV_FAST"], c_api.algorithm(name.encode())
    keywords = {"padding": 1, "groups": 2, "activation": "relu", "algorithm": name, "accuracy": "fast"}
    status, plan = c_api.create(d, w, b)
    try:
        expected = pyconv.plan(X, w, b, threads=1, **keywords)
    except pyconv.UnsupportedError as reason:
        assert status == "UNSUPPORTED"
        assert c_api.message(status, d).split(": ")[1] == str(reason).split(": ")[1]
        return
    assert status == "OK"
    assert c_api.plan_algorithm(plan).decode() == expected.algorithm
    assert c_api.plan_workspace_bytes(plan) == expected.workspace_bytes
    assert c_api.plan_packed_bytes(plan) == expected.packed_bytes
    oh, ow = ctypes.c_int64(), ctypes.c_int64()
    assert STATUS[c_api.plan_output_size(plan, oh, ow)] == "OK"
    assert (oh.value, ow.value) == Y[2:]
    w[:], b[:] = np.nan, np.nan  # the plan has copies
    for residual in (None, r):
        for workspace in (None, aligned(expected.workspace_bytes)):
            y = Guarded(Y, dtype, 0xFF)
            assert c_api.run(plan, x, y.array, workspace, residual) == "OK"
            np.testing.assert_array_equal(y.array, expected(x, residual=residual))
            assert y.intact()
    c_api.plan_destroy(plan)


def test_the_address_of_a_python_plan_is_a_plan():
    x, w = normal((1, 3, 8, 8)), normal((5, 3, 3, 3))
    plan = pyconv.plan(x.shape, w, padding=1)
    y = np.empty(plan.output_shape, "f4")
    assert c_api.run(plan.address, x, y, plan.new_workspace()) == "OK"
    np.testing.assert_array_equal(y, plan(x))
    half = pyconv.plan(x.shape, w.astype("f2"))
    assert c_api.run(half.address, x, y) == "WRONG_DTYPE"


def test_channels_per_group_may_be_left_out():
    w = normal(W)
    status, plan = c_api.create(described(icg=0), w)
    assert status == "OK"
    c_api.plan_destroy(plan)
    assert c_api.create(described(icg=0, g=4), w) == ("GROUPS_INPUT", None)


def test_an_empty_batch_touches_nothing():
    status, plan = c_api.create(described(n=0), normal(W))
    assert status == "OK"
    assert STATUS[c_api.plan_run(plan, None, None, None)] == "OK"
    c_api.plan_destroy(plan)


@pytest.mark.parametrize("algorithm", [b"auto", b"direct"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_no_channels_and_no_filters(dtype, algorithm):
    """Sums of nothing are 0; pointers to nothing may be NULL."""
    changes = {
        "dtype": C["PYCONV_F64" if dtype == "f8" else "PYCONV_F32"],
        "algorithm": c_api.algorithm(algorithm),
    }
    bias, residual = normal(8, dtype), normal(Y, dtype, 1)
    status, plan = c_api.create(described(ic=0, icg=0, lo=0.25, **changes), np.empty(1, dtype), bias)
    y = Guarded(Y, dtype, 0xFF)
    run = c_api.plan_run_residual_f64 if dtype == "f8" else c_api.plan_run_residual
    assert (
        status == "OK" and c_api.plan_algorithm(plan) == b"direct" and c_api.plan_workspace_bytes(plan) == 0
    )
    assert STATUS[run(plan, None, residual.ctypes.data, y.array.ctypes.data, None)] == "OK"
    np.testing.assert_array_equal(y.array, np.maximum(bias[:, None, None] + residual, 0.25))
    assert y.intact()
    assert STATUS[run(plan, None, None, None, None)] == "NULL_POINTER"
    c_api.plan_destroy(plan)
    status, plan = c_api.create(described(oc=0, **changes), np.empty(1, dtype))
    assert status == "OK" and STATUS[run(plan, None, None, None, None)] == "NULL_POINTER"
    assert STATUS[run(plan, y.array.ctypes.data, None, None, None)] == "OK"
    c_api.plan_destroy(plan)


@pytest.mark.parametrize("garbage", [0xFF, 0x01])
@pytest.mark.parametrize("last", ["pw1", "hi", "max_workspace"])
def test_an_older_shorter_struct_has_the_defaults_of_what_it_lacks(last, garbage):
    """The bytes behind are another's: they would clip everything to NaN, allow no memory, be of no type."""
    x, w = normal(X), normal(W, seed=1)
    field = getattr(Conv2d, last)
    d = described(struct_size=field.offset + field.size)
    behind = ctypes.addressof(d) + d.struct_size
    ctypes.memset(behind, garbage, ctypes.sizeof(d) - d.struct_size)
    status, plan = c_api.create(d, w)
    assert status == "OK"
    expected = pyconv.plan(X, w, padding=1, groups=2)
    y = np.empty(Y, "f4")
    assert c_api.plan_algorithm(plan).decode() == expected.algorithm
    assert c_api.run(plan, x, y) == "OK"
    np.testing.assert_array_equal(y, expected(x))
    c_api.plan_destroy(plan)


REFUSED = {
    "NULL descriptor": ("NULL_POINTER", None),
    "size 0": ("STRUCT_SIZE", {"struct_size": 0}),
    "size of a field less": ("STRUCT_SIZE", {"struct_size": Conv2d.pw1.offset}),
    "size within a field": ("STRUCT_SIZE", {"struct_size": Conv2d.hi.offset + 4}),
    "size between fields": ("STRUCT_SIZE", {"struct_size": Conv2d.border.offset}),
    "size of a newer struct": ("STRUCT_SIZE", {"struct_size": ctypes.sizeof(Conv2d) + 8}),
    "size of anything": ("STRUCT_SIZE", {"struct_size": 2**64 - 1}),
    "float64 in the float32 function": ("WRONG_DTYPE", {"dtype": C["PYCONV_F64"]}),
    "float16": ("WRONG_DTYPE", {"dtype": C["PYCONV_F16"]}),
    **{
        f"{field} {value}": ("BAD_ENUM", {field: value})
        for field, beyond in {"dtype": 3, "layout": 2, "padding_mode": 6, "accuracy": 3}.items()
        for value in (-1, beyond, 2**31 - 1, -(2**31))
    },
    **{
        f"{field} {value}": ("BAD_ENUM", {field: value})
        for field in ("x_dtype", "y_dtype")
        for value in (-2, len(c_api.ELEMENTS), 2**31 - 1, -(2**31))
    },
    **{f"algorithm {value}": ("BAD_ENUM", {"algorithm": value}) for value in (-2, 10**6, -(2**31))},
    "batch": ("BAD_BATCH", {"n": -1}),
    "negative channels": ("BAD_IMAGE", {"ic": -2}),
    "no rows": ("BAD_IMAGE", {"ih": 0}),
    "negative filters": ("BAD_KERNEL", {"oc": -6}),
    "negative channels of a group": ("BAD_KERNEL", {"icg": -1}),
    "no columns of the kernel": ("BAD_KERNEL", {"kw": 0}),
    "stride": ("BAD_STRIDE", {"sw": 0}),
    "dilation": ("BAD_DILATION", {"dh": 0}),
    "groups": ("BAD_GROUPS", {"g": 0}),
    "no groups, channels left out": ("BAD_GROUPS", {"g": 0, "icg": 0}),
    "max_workspace -2": ("BAD_MAX_WORKSPACE", {"max_workspace": -2}),
    "max_workspace of the smallest": ("BAD_MAX_WORKSPACE", {"max_workspace": -(2**63)}),
    "padding": ("BAD_PADDING", {"ph1": -1}),
    "groups of channels": ("GROUPS_INPUT", {"g": 4}),
    "groups of filters": ("GROUPS_OUTPUT", {"oc": 7}),
    "channels": ("CHANNELS", {"icg": 6}),
    "kernel": ("KERNEL_TOO_LARGE", {"kh": 12}),
    **{
        f"constant {border} of {dtype}": (
            "BAD_BORDER",
            {"padding_mode": C["PYCONV_CONSTANT"], "border": border, "x_dtype": c_api.code(dtype)},
        )
        for dtype, border in [
            ("u1", 256), ("u1", -1), ("u1", 0.5), ("i1", 128), ("u2", 65536), ("i2", np.nan), ("f2", 65520),
            ("f4", 1e300), ("i1", -np.inf),
        ]
    },
    "clip": ("BAD_CLIP", {"lo": 2.0, "hi": 1.0}),
    "clip to NaN": ("BAD_CLIP", {"lo": np.nan}),
    "one size overflows": ("OVERFLOW", {"n": 2**62}),
    "the product overflows": ("OVERFLOW", {"n": 2**30, "ih": 2**30, "iw": 2**30}),
    "padding overflows": ("OVERFLOW", {"ph0": 2**63 - 1}),
    "threads": ("BAD_THREADS", {"threads": -1}),
    "unsupported": ("UNSUPPORTED", {"algorithm": c_api.algorithm(b"depthwise")}),
    "bound": ("OVER_BUDGET", {"algorithm": c_api.algorithm(b"im2col"), "max_workspace": 100}),
    "accuracy": ("UNDER_ACCURACY", {"algorithm": c_api.algorithm(b"winograd_f2k3"), "accuracy": 0}),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_has_its_own_status_and_a_refused_plan_is_harmless(case):
    status, changes = REFUSED[case]
    refused, plan = c_api.create(None if changes is None else described(**changes), normal(W))
    assert (refused, plan) == (status, None)
    y = np.full(Y, 5, "f4")
    assert c_api.run(plan, normal(X), y) == "NULL_POINTER" and (y == 5).all()
    assert c_api.run(plan, normal(X), y, residual=y) == "NULL_POINTER"
    assert STATUS[c_api.plan_output_size(plan, ctypes.c_int64(), ctypes.c_int64())] == "NULL_POINTER"
    assert c_api.plan_workspace_bytes(plan) == c_api.plan_packed_bytes(plan) == 0
    assert c_api.plan_algorithm(plan) is None
    c_api.plan_destroy(plan)


def test_each_status_has_a_text_of_its_own():
    texts = [c_api.status_text(status).decode() for status in STATUS]
    assert len(set(texts)) == len(STATUS) and all(texts)
    unknown = {c_api.status_text(status) for status in (-1, len(STATUS), 2**31 - 1, -(2**31))}
    assert unknown == {b"not a status of this version"}
    fields = set(re.findall(r"{(.*?)}", " ".join(texts)))
    assert fields <= {name for name, _ in Conv2d._fields_}


def test_messages_hold_the_numbers():
    d = described(icg=6, lo=2.0, hi=-1.5, struct_size=7)
    assert c_api.message("CHANNELS", described(icg=6)) == (
        "weight has 6 input channels per group, x has 6 channels / 2 groups"
    )
    assert c_api.message("BAD_CLIP", described(lo=2.0, hi=-1.5)) == "clip needs lo <= hi, has (2, -1.5)"
    assert c_api.message("STRUCT_SIZE", d).startswith("struct_size 7 is")
    constant = described(padding_mode=C["PYCONV_CONSTANT"], border=300, x_dtype=C["PYCONV_U8"])
    assert "the constant 300 " in c_api.message("BAD_BORDER", constant)
    for status in STATUS.values():
        for descriptor in (None, d, described()):
            assert not set("{}") & set(c_api.message(status, descriptor))


@pytest.mark.parametrize("size", [0, 1, 2, 10, 42, 43, 44, 45, 60, 72, 73, 200])
def test_messages_are_cut_to_size(size):
    d = described(algorithm=c_api.algorithm(b"depthwise"))
    whole = c_api.message("UNSUPPORTED", d).encode()
    text = ctypes.create_string_buffer(b"#" * 300)
    status = C["PYCONV_STATUS_UNSUPPORTED"]
    assert c_api.status_message(status, ctypes.addressof(d), text, size) == len(whole)
    assert text.raw[size:300] == b"#" * (300 - size)
    if size:
        assert text.value == whole[: size - 1]


def test_null_pointers():
    d, w = described(), normal(W)
    assert STATUS[c_api.plan_create(ctypes.addressof(d), w.ctypes.data, None, None)] == "NULL_POINTER"
    assert c_api.create(d, None) == ("NULL_POINTER", None)
    status, plan = c_api.create(d, w)
    x, y = normal(X), np.empty(Y, "f4")
    assert status == "OK"
    assert STATUS[c_api.plan_run(plan, None, y.ctypes.data, None)] == "NULL_POINTER"
    assert STATUS[c_api.plan_run(plan, x.ctypes.data, None, None)] == "NULL_POINTER"
    assert STATUS[c_api.plan_output_size(plan, None, ctypes.c_int64())] == "NULL_POINTER"
    c_api.plan_destroy(plan)


def test_a_run_of_the_other_dtype_is_refused():
    x = normal(X, "f8")
    y = np.full(Y, 5, "f8")
    status, plan = c_api.create(described(), normal(W))
    assert status == "OK"
    assert c_api.run(plan, x, y) == "WRONG_DTYPE" and (y == 5).all()
    c_api.plan_destroy(plan)


@pytest.mark.parametrize("offset", [1, 4, 32, 63])
def test_a_misaligned_workspace_is_refused(offset):
    status, plan = c_api.create(described(), normal(W))
    y = np.full(Y, 5, "f4")
    assert status == "OK"
    workspace = aligned(c_api.plan_workspace_bytes(plan), offset=offset)
    assert c_api.run(plan, normal(X), y, workspace) == "MISALIGNED" and (y == 5).all()
    c_api.plan_destroy(plan)


def test_weights_without_room_for_a_copy_are_read_in_place():
    x, w = normal(X), normal(W, seed=1)
    status, plan = c_api.create(described(max_workspace=0), w)
    assert status == "OK" and c_api.plan_packed_bytes(plan) == 0
    w *= 2
    y = np.empty(Y, "f4")
    assert c_api.run(plan, x, y) == "OK"
    np.testing.assert_array_equal(y, pyconv.conv2d(x, w, padding=1, groups=2, algorithm="direct"))
    c_api.plan_destroy(plan)


TYPES = [
    ("u1", "u1"),
    ("i1", "f4"),
    ("u2", "i2"),
    ("f2", "bfloat16"),
    ("bfloat16", "u1"),
    ("f8", "f2"),
    ("f4", "f8"),
]


@pytest.mark.parametrize("inner", ["f4", "f8"])
@pytest.mark.parametrize("x_dtype, y_dtype", TYPES)
def test_element_types_and_borders_are_those_of_python(x_dtype, y_dtype, inner):
    x_dtype, y_dtype = element(x_dtype), element(y_dtype)
    x, r = (as_element(np.abs(integers(shape, "f8", seed)), dtype)
            for seed, (shape, dtype) in enumerate([(X, x_dtype), (Y, y_dtype)]))  # fmt: skip
    w, b = normal(W, inner, 2), normal(8, inner, 3)
    borders = {"zeros": 0, "reflect": 0, "replicate": 0, "circular": 0, "symmetric": 0, "constant": 7}
    for word, border in borders.items():
        mode = (word, border) if border else word
        for layout in ("NCHW", "NHWC"):
            turn = (
                (lambda a: a) if layout == "NCHW" else lambda a: np.ascontiguousarray(np.moveaxis(a, 1, -1))
            )
            given, residual = turn(x), turn(r)
            d = described(
                dtype=c_api.code(inner), x_dtype=c_api.code(x_dtype), y_dtype=c_api.code(y_dtype),
                layout=C["PYCONV_" + layout], padding_mode=C["PYCONV_" + word.upper()], border=border,
                threads=1,
            )  # fmt: skip
            status, plan = c_api.create(d, w, b)
            assert status == "OK"
            expected = pyconv.plan(given.shape, w, b, padding=1, groups=2, padding_mode=mode, layout=layout,
                                   dtype=x_dtype, out_dtype=y_dtype, threads=1)  # fmt: skip
            assert c_api.plan_algorithm(plan).decode() == expected.algorithm
            assert c_api.plan_workspace_bytes(plan) == expected.workspace_bytes
            for extra in (None, residual):
                for workspace in (None, aligned(expected.workspace_bytes)):
                    y = Guarded(expected.output_shape, y_dtype, 0xFF)
                    assert c_api.run_elements(plan, given, y.array, workspace, extra) == "OK"
                    np.testing.assert_array_equal(y.array, expected(given, residual=extra))
                    assert y.intact()
            c_api.plan_destroy(plan)


def test_borders_wider_than_the_image_serve():
    x, w = integers(X), integers(W, seed=1)
    for word in ("reflect", "circular", "symmetric", "replicate"):
        d = described(padding_mode=C["PYCONV_" + word.upper()], ph0=30, pw1=40)
        status, plan = c_api.create(d, w)
        assert status == "OK"
        expected = pyconv.conv2d(x, w, padding=((30, 1), (1, 40)), padding_mode=word, groups=2)
        y = Guarded(expected.shape, "f4", 0xFF)
        assert c_api.run(plan, x, y.array) == "OK"
        np.testing.assert_array_equal(y.array, expected)
        assert y.intact()
        c_api.plan_destroy(plan)


def test_a_run_of_elements_serves_every_plan_and_the_others_their_own_types():
    x, w = normal(X), normal(W, seed=1)
    status, plan = c_api.create(described(), w)
    y, same = np.empty(Y, "f4"), np.empty(Y, "f4")
    assert status == "OK" and c_api.run(plan, x, y) == c_api.run_elements(plan, x, same) == "OK"
    np.testing.assert_array_equal(same, y)
    assert c_api.run_elements(plan, None, same) == c_api.run_elements(plan, x, None) == "NULL_POINTER"
    c_api.plan_destroy(plan)
    assert c_api.run_elements(None, x, same) == "NULL_POINTER"
    for field in ("x_dtype", "y_dtype"):
        status, plan = c_api.create(described(**{field: C["PYCONV_U8"]}), w)
        assert status == "OK" and c_api.run(plan, x, y) == "WRONG_DTYPE"
        assert c_api.run(plan, x, y, residual=y) == "WRONG_DTYPE"
        c_api.plan_destroy(plan)
    photo = pyconv.plan(X, w, groups=2, dtype="u1", out_dtype="u1")
    y = np.full(photo.output_shape, 9, "u1")
    assert c_api.run_elements(photo.address, x.astype("u1"), y) == "OK"
    np.testing.assert_array_equal(y, photo(x.astype("u1")))


def test_names_of_algorithms():
    assert c_api.algorithm(b"auto") == -1
    for unknown in (b"", b"Direct", b"im2co", None):
        assert c_api.create(described(algorithm=c_api.algorithm(unknown)), normal(W)) == ("BAD_ENUM", None)
    for i, name in enumerate(pyconv.algorithms()):
        assert c_api.algorithm(name.encode()) == i


NO_MEMORY = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import c_api

def mapped():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()

d = c_api.Conv2d(ic=64, ih=256, iw=256, oc=256, kh=5, kw=5, algorithm=c_api.algorithm(b"im2col"))
x, w, y = np.ones((64, 256, 256), "f4"), np.ones((256, 64, 5, 5), "f4"), np.zeros((256, 252, 252), "f4")
status, plan = c_api.create(d, w)
resource.setrlimit(resource.RLIMIT_AS, (mapped() + 1_000_000, resource.RLIM_INFINITY))
print(status, c_api.run(plan, x, y), y.any(), *c_api.create(d, w))
"""


@pytest.mark.skipif("sys.platform != 'linux'", reason="needs RLIMIT_AS and /proc")
def test_without_memory_there_is_a_status():
    """For the run's own workspace, and for the packed weights of a plan."""
    output = run_python(NO_MEMORY, c_api.Path(__file__).parent, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1",
                        MALLOC_MMAP_THRESHOLD_="65536", MALLOC_ARENA_MAX="1")  # fmt: skip
    assert output.split() == ["OK", "NO_MEMORY", "False", "NO_MEMORY", "None"]
