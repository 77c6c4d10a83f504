"""Back-projection consistency."""

import math

import numpy as np
import pytest

from kakudai.image.resize import imresize_matlab, resize
from kakudai.metrics import consistency


def picture(height: int = 48, width: int = 64) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(60, 190, (height // 8, width // 8, 3)).astype(np.uint8)
    return resize(coarse, (height, width))


def test_the_original_shrinks_back_exactly() -> None:
    original = picture()
    figures = consistency(original, imresize_matlab(original, 0.5))
    assert figures.psnr == math.inf
    assert figures.largest < 1.0


def test_a_change_is_found_and_its_size_is_right() -> None:
    original = picture()
    small = imresize_matlab(original, 0.5)
    figures = consistency(original + np.uint8(10), small)
    assert figures.psnr == pytest.approx(20 * math.log10(255 / 10), abs=0.1)
    assert figures.largest == pytest.approx(10, abs=1)


def test_clipped_values_are_no_difference() -> None:
    original = np.zeros((32, 32, 1), np.uint8)
    original[:, 8:24] = 255
    assert consistency(original, imresize_matlab(original, 0.5)).largest < 1.0


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_any_depth_and_ratio(dtype: type) -> None:
    original = picture(48, 60)
    deep = (original * np.array(257 if dtype == np.uint16 else 1 / 255, dtype)).astype(dtype)
    for kernel in ("bicubic", "lanczos3", "box", "triangle"):
        small = resize(original, (35, 41), kernel=kernel)
        assert consistency(deep, small, kernel).largest < 0.51
        assert consistency(deep, small, kernel).psnr > 50
