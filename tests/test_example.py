# SPDX-License-Identifier: BSD-3-Clause
"""The example runs and its filters are what they are called; what README shows is true."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pyconv

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
sys.path.insert(0, str(ROOT / "examples"))

import cnn  # noqa: E402 - found by the path above
import kernels  # noqa: E402


def response(kernel, x_cycles, y_cycles, points=120):
    """The kernel's gain at a frequency in cycles per pixel."""
    middle = points // 2
    row, column = (round(middle + cycles * points) % points for cycles in (y_cycles, x_cycles))
    return kernels.frequency_response(kernel, points)[row, column]


@pytest.mark.parametrize("low", [kernels.box(9, 15), kernels.gaussian(2.5, 15)], ids=["box", "gaussian"])
def test_low_pass(low):
    assert response(low, 0, 0) == pytest.approx(1, rel=1e-5)
    assert response(low, 0.5, 0.5) < 0.02


def test_high_pass_is_the_complement_of_a_low_pass():
    high, low = kernels.high_pass(2.5, 15), kernels.gaussian(2.5, 15)
    assert response(high, 0, 0) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(high + low, kernels.delta(15), atol=1e-7)


def test_unsharp_mask_keeps_flat_areas_and_amplifies_details():
    mask = kernels.unsharp_mask(1.5, 2.0, 15)
    assert response(mask, 0, 0) == pytest.approx(1, rel=1e-5)
    assert response(mask, 0.5, 0) == pytest.approx(3, rel=1e-2)


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 135])
def test_gabor_passes_its_own_wave_alone(degrees):
    angle, wavelength = np.deg2rad(degrees), 6.0
    k = kernels.gabor(wavelength, angle, np.pi / 2, 2.5, 15)
    along = response(k, np.cos(angle) / wavelength, np.sin(angle) / wavelength)
    across = response(k, -np.sin(angle) / wavelength, np.cos(angle) / wavelength)
    assert k.sum() == pytest.approx(0, abs=1e-6)
    assert along > 10 * across


def test_derivatives_of_polynomials():
    y, x = np.mgrid[:9, :11].astype(np.float32)
    parabola = (3 * x + 5 * y + x * x)[None, None]

    def derivative(kernel):
        return pyconv.conv2d(parabola, kernel[None, None])[0, 0]

    np.testing.assert_array_equal(derivative(kernels.sobel_x(3)), (3 + 2 * x)[1:-1, 1:-1])
    np.testing.assert_array_equal(derivative(kernels.sobel_x(3).T), np.full((7, 9), 5))
    np.testing.assert_array_equal(derivative(kernels.laplacian(3)), np.full((7, 9), 2))


def test_first_layer_tells_colours_apart():
    weight, bias = cnn.stem()
    names = list(cnn.OPPONENTS)
    for colour, rgb in {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}.items():
        flat = np.broadcast_to(np.float32(rgb)[:, None, None], (3, 7, 7))
        y = pyconv.conv2d(flat, weight, bias, activation="relu").ravel()
        assert names[np.argmax(y[cnn.EDGES : cnn.EDGES + len(names)])] == colour
        assert y[: cnn.EDGES].max() < 1e-6  # a flat picture has no edges


def test_photo_filters_writes_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("skimage")
    image = pytest.importorskip("PIL.Image")
    output = tmp_path / "photo.png"
    command = [sys.executable, ROOT / "examples" / "photo_filters.py", "--output", output]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for name in pyconv.algorithms():
        assert re.search(rf"^{name}\b", done.stdout, re.MULTILINE), done.stdout
    picture = image.open(output)
    assert picture.size == (1600, 1600)
    assert np.asarray(picture.convert("L")).std() > 30


def test_digits_are_learnt(tmp_path):
    """In a fourth of the epochs that the example takes by itself."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's: pip install '.[examples]'")
    image = pytest.importorskip("PIL.Image")
    output = tmp_path / "digits.png"
    command = [sys.executable, ROOT / "examples" / "digits.py", "--epochs", "8", "--output", output]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", done.stdout)]
    assert len(losses) == 8 and losses[-1] < losses[0] / 5
    (right,) = re.findall(r"([\d.]+)% of 450 held-out digits right", done.stdout)
    assert float(right) > 97
    assert image.open(output).size == (1300, 420)


def test_readme_lists_every_algorithm():
    section = README.split("\n## Algorithms\n")[1].split("\n## ")[0]
    table = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(table) == sorted(pyconv.algorithms())


def test_readme_filters_a_photograph():
    """The three lines of the first screen, and what they are said to give."""
    skimage = pytest.importorskip("skimage")
    code = BLOCKS[0]
    assert len(code.splitlines()) == 3 and README.index(code) < README.index("## Tour")
    names = {"np": np, "pyconv": pyconv, "skimage": skimage}
    exec(compile(code, "README.md", "exec"), names)
    photo, y = names["photo"], names["y"]
    assert photo.shape == y.shape and photo.dtype == y.dtype == np.uint8
    inside = photo.astype(int)
    expected = 4 * (inside[2:, 2:] - inside[:-2, :-2]) + inside[1:-1, 2:] - inside[1:-1, :-2]
    expected += inside[2:, 1:-1] - inside[:-2, 1:-1] + inside[1:-1, 1:-1]
    np.testing.assert_array_equal(y[1:-1, 1:-1], expected.clip(0, 255))


def test_readme_code_runs():
    others = ("pyconv.onnx", "pyconv.torch")  # test_onnx_session.py and the next test run these
    blocks = [block for block in BLOCKS[1:] if not any(word in block for word in others)]
    assert len(blocks) >= len(BLOCKS) - 3
    exec(compile("\n".join(blocks), "README.md", "exec"), {})


def test_readme_code_for_pytorch_runs():
    pytest.importorskip("torch", reason="PyTorch is not installed")
    [block] = [block for block in BLOCKS if "pyconv.torch" in block]
    exec(compile(block, "README.md", "exec"), {})
