"""image/resize.py: exact to MATLAB, exact in its geometry, and close to exact in single precision."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakudai.image.files import read_image
from kakudai.image.resize import SUPPORT, eight_bits, fold, imresize_matlab, kernel_value, resize, taps

SETS = [("Set5", 2), ("Set5", 3), ("Set5", 4), ("Set14", 2)]


@pytest.mark.real
@pytest.mark.parametrize(("name", "scale"), SETS)
def test_matlab_low_resolution_files_come_out_bit_for_bit(shared: Path, name: str, scale: int) -> None:
    folder = shared / "data/test" / name
    files = sorted(folder.glob("*.png"))
    assert len(files) in (5, 14)
    for file in files:
        high = read_image(file).color
        expected = read_image(folder / f"LRbicx{scale}" / file.name).color
        high = high[: high.shape[0] // scale * scale, : high.shape[1] // scale * scale]
        np.testing.assert_array_equal(imresize_matlab(high, 1 / scale, border="replicate"), expected)


@pytest.mark.parametrize("kernel", SUPPORT)
@given(size_in=st.integers(1, 40), size_out=st.integers(1, 90))
def test_weights_sum_to_one_and_stay_inside(kernel, size_in: int, size_out: int) -> None:
    line = taps(size_in, size_out, size_out / size_in, kernel=kernel)
    np.testing.assert_allclose(line.weight.sum(axis=1), 1.0, atol=1e-12)
    assert line.index.min() >= 0
    assert line.index.max() < size_in


@pytest.mark.parametrize("kernel", SUPPORT)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_flat_colours_stay(kernel, dtype) -> None:
    value = 0.25 if dtype == np.float32 else np.iinfo(dtype).max // 3
    result = resize(np.full((7, 9, 3), value, dtype), (16, 5), kernel=kernel)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, value, rtol=1e-6)


@pytest.mark.parametrize("kernel", ["box", "bicubic", "lanczos3"])
@pytest.mark.parametrize("scale", [0.5, 2.0, 3.0])
def test_pixel_centres_sit_at_half_integers(kernel, scale: float) -> None:
    """A straight ramp, away from the border, is enlarged to the straight ramp x = (x' + 0.5) / scale - 0.5."""
    ramp = np.arange(48, dtype=np.float32)[None, :, None].repeat(4, axis=0)
    width = round(48 * scale)
    result = resize(ramp, (4, width), kernel=kernel)[0, :, 0]
    expected = (np.arange(width) + 0.5) / scale - 0.5
    middle = slice(width // 4, -width // 4)
    tolerance = {"box": 0.51, "bicubic": 1e-4, "lanczos3": 0.02}[kernel]
    np.testing.assert_allclose(result[middle], expected[middle], atol=tolerance)
    assert abs(float(np.mean(result[middle] - expected[middle]))) < 2e-3


def test_nearest_doubles_every_pixel() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(resize(image, (4, 8), kernel="nearest"), image.repeat(2, 0).repeat(2, 1))


def test_box_halves_to_the_mean_of_four() -> None:
    image = np.random.default_rng(0).random((8, 6, 3), np.float32)
    expected = image.reshape(4, 2, 3, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(image, (4, 3), kernel="box"), expected, atol=1e-6)


def test_the_fast_version_agrees_with_the_exact_one() -> None:
    image = np.random.default_rng(1).integers(64, 192, (60, 80, 3), np.uint8)
    fast = resize(image, (30, 40)).astype(int)
    exact = imresize_matlab(image, 0.5).astype(int)
    assert np.abs(fast - exact).max() <= 1


@given(st.integers(-200, 200), st.integers(1, 30))
def test_mirroring_repeats_the_edge_pixel_once(index: int, size: int) -> None:
    line = np.pad(np.arange(size), 400, mode="symmetric")
    assert fold(np.array([index]), size)[0] == line[index + 400]
    assert fold(np.array([index]), size, "replicate")[0] == min(max(index, 0), size - 1)


def test_kernels_are_interpolating() -> None:
    whole = np.arange(-3.0, 4.0)
    for kernel in ("bicubic", "lanczos3"):
        np.testing.assert_allclose(kernel_value(kernel, whole), whole == 0, atol=1e-15)


def test_eight_bits_are_rounded_half_up() -> None:
    image = np.array([[[0], [128], [129], [65535]]], np.uint16)
    np.testing.assert_array_equal(eight_bits(image)[0, :, 0], [0, 0, 1, 255])
    np.testing.assert_array_equal(eight_bits(np.float32([[[-0.5], [0.5], [2.0]]]))[0, :, 0], [0, 128, 255])
