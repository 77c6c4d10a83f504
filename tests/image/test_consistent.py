"""Projected pictures shrink back to the input, and change no more than they must."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kakudai.errors import UsageError
from kakudai.image.consistent import make_consistent, project
from kakudai.image.resize import SUPPORT, Border, Kernel, imresize_matlab, resize, taps

SIZES = st.tuples(st.integers(1, 24), st.floats(1.0, 5.0))


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


def matrix(large: int, small: int, kernel: Kernel, border: Border) -> np.ndarray:
    """The shrink of one line, written out."""
    line = taps(large, small, small / large, kernel=kernel, border=border)
    result = np.zeros((small, large))
    np.add.at(result, (np.arange(small)[:, None], line.index), line.weight)
    return result


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, st.sampled_from(sorted(SUPPORT)), st.sampled_from(["mirror", "replicate"]))
def test_any_size_filter_and_border_is_met(rows, columns, kernel: Kernel, border: Border) -> None:
    (small_height, down), (small_width, across) = rows, columns
    small = noise(small_height, small_width, 2)
    large = noise(int(small_height * down), int(small_width * across), 2, seed=1)
    result = project(large, small, kernel=kernel, border=border)
    np.testing.assert_allclose(resize(result, small.shape[:2], kernel=kernel, border=border), small, atol=1e-4)


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos3", "box", "triangle"])
@pytest.mark.parametrize(("large", "small"), [((40, 34), (20, 17)), ((37, 50), (15, 21)), ((3, 1), (1, 1))])
def test_it_is_the_nearest_of_all_such_pictures(kernel: Kernel, large: tuple[int, int], small: tuple[int, int]) -> None:
    given_large, given_small = noise(*large, 1), noise(*small, 1, seed=1)
    down, across = (matrix(large[axis], small[axis], kernel, "mirror") for axis in (0, 1))
    missing = given_small[..., 0] - down @ given_large[..., 0] @ across.T
    expected = given_large[..., 0] + np.linalg.pinv(down) @ missing @ np.linalg.pinv(across).T
    np.testing.assert_allclose(project(given_large, given_small, kernel=kernel)[..., 0], expected, atol=1e-5)


def test_projecting_again_changes_nothing() -> None:
    large, small = noise(40, 60, 3), noise(20, 30, 3, seed=1)
    once = project(large, small)
    np.testing.assert_allclose(project(once, small), once, atol=2e-6)
    assert (large == noise(40, 60, 3)).all()


def test_what_is_consistent_already_stays_to_the_bit() -> None:
    large = (noise(40, 60, 3) * 200 + 20).astype(np.uint8)
    small = resize(large, (20, 30), dtype=np.float32)
    assert (make_consistent(large, small) == large).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_depth_shrinks_back_within_half_a_level(dtype: type) -> None:
    coarse = (noise(12, 16, 3) * 180 + 40).astype(np.uint8)
    original = resize(coarse, (48, 64))
    small = imresize_matlab(original, 0.5)
    scale = {np.uint8: 1, np.uint16: 257, np.float32: np.float32(1 / 255)}[dtype]
    poor = (resize(small, (48, 64), kernel="nearest") * np.array(scale, dtype)).astype(dtype)
    result = make_consistent(poor, small)
    assert result.dtype == dtype
    shrunk = resize(result, (24, 32), dtype=np.float32) * 255
    allowed = {np.uint8: 1.0, np.uint16: 0.41, np.float32: 0.41}[dtype]
    assert np.abs(shrunk - small).max() < allowed
    assert np.abs(resize(poor, (24, 32), dtype=np.float32) * 255 - small).max() > 2


def test_what_was_clipped_when_the_small_picture_was_made_may_lie_beyond() -> None:
    original = np.zeros((32, 32, 1), np.uint8)
    original[:, 8:24] = 255
    small = imresize_matlab(original, 0.5)
    assert small.min() == 0
    assert (make_consistent(original, small) == original).all()


def test_what_cannot_be_met_comes_near_and_stays_a_picture() -> None:
    chequers = (np.indices((16, 16)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    poor = resize(chequers, (32, 32))
    result = make_consistent(poor, chequers, rounds=10)
    before, after = (np.abs(resize(image, (16, 16)).astype(int) - chequers).mean() for image in (poor, result))
    assert after < before


def test_a_pixel_and_a_line() -> None:
    assert make_consistent(np.full((2, 2, 1), 7, np.uint8), np.full((1, 1, 1), 200, np.uint8)).tolist() == [
        [[200], [200]],
        [[200], [200]],
    ]
    small = (noise(1, 9, 3) * 100 + 50).astype(np.uint8)
    result = make_consistent(resize(small, (2, 18)), small)
    assert np.abs(resize(result, (1, 9)).astype(int) - small).max() <= 1


@pytest.mark.parametrize("shape", [(3, 9, 3), (9, 3, 3), (8, 8, 1), (8, 8)])
def test_what_is_no_enlargement_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="no enlargement"):
        make_consistent(np.zeros(shape, np.uint8), np.zeros((4, 4, 3), np.uint8))
