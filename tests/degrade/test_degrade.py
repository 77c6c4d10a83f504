"""degrade/: pure, and what they say."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kakudai.degrade.blur import gaussian_blur
from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic


def test_blur_agrees_with_an_independent_gaussian() -> None:
    image = np.random.default_rng(0).random((30, 41, 3), np.float32)
    expected = gaussian_filter(image.astype(np.float64), (0.75, 0.75, 0), mode="reflect", radius=(3, 3, 0))
    np.testing.assert_allclose(gaussian_blur(image, 0.75), expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.0, 0.4, 2.5])
def test_blur_keeps_flat_colours_dtype_and_its_input(sigma: float) -> None:
    image = np.full((9, 7, 3), 77, np.uint8)
    before = image.copy()
    result = gaussian_blur(image, sigma)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, before)
    np.testing.assert_array_equal(image, before)


def test_shrinking_is_antialiased_and_sized() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (12, 6))[..., None]
    np.testing.assert_allclose(shrink_bicubic(stripes, 2)[:, 1:-1].astype(int), 128, atol=8)
    assert crop_to_multiple(stripes, 5).shape == (10, 10, 1)
