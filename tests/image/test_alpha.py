"""Colours under transparency never reach what is visible."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakudai.image.alpha import SOLID, bleed, on_paper, on_white
from kakudai.image.picture import Picture, Pixels


def disc(size: int = 64, dtype: str = "uint8") -> tuple[Pixels, Pixels]:
    """Return a random picture and an alpha that is 1 inside a disc, falling to 0 within two pixels."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    share = np.clip((size / 3 - np.hypot(x, y)) / 2, 0, 1)[..., None]
    color = rng.random((size, size, 3))
    top = np.iinfo(dtype).max if dtype != "float32" else 1
    return (color * top).astype(dtype), (share * top).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_visible_pixels_stay_to_the_bit(dtype: str) -> None:
    color, alpha = disc(dtype=dtype)
    filled = bleed(color, alpha, 16)
    top = np.iinfo(dtype).max if dtype != "float32" else 1
    visible = alpha[..., 0] >= SOLID * top
    assert filled.dtype == color.dtype
    assert np.array_equal(filled[visible], color[visible])


@given(seed=st.integers(0, 99), height=st.integers(1, 40), width=st.integers(1, 40), radius=st.integers(1, 64))
def test_hidden_colours_have_no_influence(seed: int, height: int, width: int, radius: int) -> None:
    rng = np.random.default_rng(seed)
    color = rng.integers(0, 256, (height, width, 3), np.uint8)
    alpha = rng.choice(np.array([0, 0, 0, 5, 255], np.uint8), (height, width, 1))
    other = np.where(alpha == 0, rng.integers(0, 256, color.shape, np.uint8), color)
    assert np.array_equal(bleed(color, alpha, radius), bleed(other, alpha, radius))


@pytest.mark.parametrize("hidden", [0, 255])
@pytest.mark.parametrize("value", [40, 200])
def test_no_fringe_on_black_or_white(hidden: int, value: int) -> None:
    """A flat picture over any hidden colour becomes flat: nothing is left to draw a fringe from."""
    _, alpha = disc()
    color = np.where(alpha > 0, np.uint8(value), np.uint8(hidden)).repeat(3, axis=2)
    assert np.all(bleed(color, alpha, 32) == value)


def test_near_colours_win_over_far_ones() -> None:
    color = np.zeros((32, 64, 1), np.uint8)
    color[:, :8], color[:, -8:] = 50, 200
    alpha = np.where((color > 0), 255, 0).astype(np.uint8)
    filled = bleed(color, alpha, 32)[16, :, 0].astype(int)
    assert filled[9] < 70
    assert filled[-10] > 180
    assert np.all(np.diff(filled) >= 0)


def test_nothing_visible_becomes_mid_grey_and_infinities_do_not_spread() -> None:
    color = np.full((5, 7, 3), np.inf, np.float32)
    assert np.all(bleed(color, np.zeros((5, 7, 1), np.float32), 8) == 0.5)


def test_opaque_pictures_are_returned_as_they_are() -> None:
    color, _ = disc()
    assert bleed(color, np.full((64, 64, 1), 255, np.uint8), 8) is color


@pytest.mark.slow
def test_twelve_megapixels_take_seconds() -> None:
    rng = np.random.default_rng(0)
    color = rng.integers(0, 256, (3000, 4000, 3), np.uint8)
    alpha = np.where(np.arange(4000) % 1000 < 500, 255, 0).astype(np.uint8)[None, :, None].repeat(3000, axis=0)
    start = time.process_time()
    bleed(color, alpha, 32)
    seconds = time.process_time() - start
    assert seconds < 10, f"{seconds:.1f} s"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_transparent_pictures_are_seen_on_white(dtype: type) -> None:
    white = {np.uint8: 255, np.uint16: 65535, np.float32: 1.0}[dtype]
    color = np.array([[[0.2], [0.5], [0.25], [0.1]]]) * white
    alpha = np.array([[[1.0], [1.0], [0.5], [0.0]]]) * white
    color, alpha = (np.floor(array) if white > 1 else array for array in (color, alpha))
    seen = on_white(Picture(color.astype(dtype), alpha.astype(dtype)))
    assert seen.dtype == dtype
    assert (seen[0, :2] == color[0, :2].astype(dtype)).all()
    assert seen[0, 2, 0] == pytest.approx(0.625 * white, rel=4e-3)
    assert seen[0, 3, 0] == white
    if dtype == np.float32:
        color[0, 3] = np.inf
        assert on_white(Picture(color.astype(dtype), alpha.astype(dtype)))[0, 3, 0] == 1.0
    opaque = color.astype(dtype)
    assert on_white(Picture(opaque)) is opaque


def test_what_is_laid_on_paper_is_rounded_to_the_nearest_level() -> None:
    """All colours under all alphas, beside whole numbers: no level of 8 bits lies halfway between two."""
    color, alpha = (array.astype(np.uint8)[..., None] for array in np.mgrid[:256, :256])
    for paper in (255, 100):
        exact = color.astype(int) * alpha + paper * (255 - alpha.astype(int))
        assert (on_paper(color, alpha, paper) == (2 * exact + 255) // 510).all()
    assert (on_white(Picture(color, alpha)) == on_paper(color, alpha, 255)).all()


def test_paper_may_have_a_colour() -> None:
    color, clear = np.full((1, 1, 3), 9, np.uint8), np.zeros((1, 1, 1), np.uint8)
    assert on_paper(color, clear, np.array([1, 2, 3])).tolist() == [[[1, 2, 3]]]
