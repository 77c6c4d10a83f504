"""Noise is measured where there is any, and none is found where there is none."""

import numpy as np
import pytest

from kakudai.analyse.noise import noise_level
from kakudai.analyse.sample import areas
from kakudai.degrade.noise import gaussian_noise
from kakudai.image.picture import Pixels
from kakudai.image.resize import resize


def level(image: Pixels, alpha: Pixels | None = None) -> float:
    found = noise_level(areas(image, alpha))
    assert found is not None
    return found


@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0, 25.0])
def test_added_noise_is_measured(photograph: Pixels, drawing: Pixels, sigma: float) -> None:
    for image in (photograph, drawing):
        noisy = gaussian_noise(image, sigma, np.random.default_rng(0))
        assert level(noisy) == pytest.approx(sigma, rel=0.15, abs=0.7)


def test_clean_pictures_have_next_to_none(photograph: Pixels, drawing: Pixels) -> None:
    assert level(photograph) < 1.5
    assert level(drawing) < 0.5


def test_flat_noise_is_exact_in_every_depth() -> None:
    flat = np.full((128, 128, 3), 0.5, np.float32)
    noisy = gaussian_noise(flat, 10.0, np.random.default_rng(0))
    assert level(noisy) == pytest.approx(10.0, rel=0.05)
    assert level((noisy * 65535).astype(np.uint16)) == pytest.approx(10.0, rel=0.05)
    assert level(noisy[..., :1]) == pytest.approx(10.0, rel=0.05)


def test_where_nothing_can_be_seen_nothing_is_said() -> None:
    assert noise_level(areas(np.zeros((100, 100, 3), np.uint8))) is None
    assert noise_level(areas(np.full((5, 300, 3), 99, np.uint8))) is None
    hidden = np.zeros((100, 100, 1), np.uint8)
    assert noise_level(areas(np.full((100, 100, 3), 99, np.uint8), hidden)) is None


@pytest.mark.parametrize("side", [7, 16, 24, 32, 37])
def test_icons_are_too_small_to_have_noise(side: int) -> None:
    """A clean icon is all edges: the covariance of its few patches looks like that of noise."""
    y, x = np.mgrid[:side, :side]
    icon = np.where((y + x)[..., None] % 5 == 0, (200, 30, 60), np.where((x > side // 2)[..., None], 90, 240))
    assert noise_level(areas(icon.astype(np.uint8))) is None


@pytest.mark.parametrize("side", [40, 48, 64])
def test_clean_sprites_have_none(side: int) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        coarse = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)
        sprite = resize(coarse, (side, side), kernel="nearest")
        assert level(sprite) < 1.0
