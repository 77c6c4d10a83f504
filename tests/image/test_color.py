"""Colour conversions against the numbers of their standards."""

import numpy as np
import pytest

from kakudai.image.color import linear_to_srgb, luma_bt601_full, luma_bt601_studio, srgb_to_linear


def test_full_luma_keeps_black_white_and_grey() -> None:
    grey = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    assert luma_bt601_full(grey)[:, 0] == pytest.approx(np.arange(256))


def test_studio_luma_is_16_for_black_and_235_for_white() -> None:
    ends = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
    assert luma_bt601_studio(ends)[:, 0] == pytest.approx([16, 235])


@pytest.mark.parametrize(("rgb", "luma"), [((255, 0, 0), 81.481), ((0, 255, 0), 144.553), ((0, 0, 255), 40.966)])
def test_studio_luma_of_primaries_is_not_rounded(rgb: tuple[int, int, int], luma: float) -> None:
    assert luma_bt601_studio(np.array([rgb], np.uint8))[0, 0] == pytest.approx(luma, abs=1e-9)


def test_luma_of_float32_stays_float32() -> None:
    assert luma_bt601_full(np.zeros((2, 2, 3), np.float32)).dtype == np.float32
    assert luma_bt601_studio(np.zeros((2, 2, 3), np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("srgb", "linear"), [(0.0, 0.0), (0.04045, 0.0031308), (0.5, 0.21404114), (1.0, 1.0), (-0.1292, -0.01)]
)
def test_srgb_curve(srgb: float, linear: float) -> None:
    assert float(srgb_to_linear(np.array(srgb))) == pytest.approx(linear, abs=1e-6)
    assert float(linear_to_srgb(np.array(linear))) == pytest.approx(srgb, abs=1e-5)


def test_srgb_there_and_back_is_exact_for_16_bits() -> None:
    values = np.arange(65536, dtype=np.float32) / 65535
    back = linear_to_srgb(srgb_to_linear(values))
    assert back.dtype == np.float32
    assert np.array_equal(np.rint(back * 65535), np.arange(65536))
