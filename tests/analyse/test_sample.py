"""What is looked at: squares that do not overlap, at places that keep JPEG's grid in phase."""

import numpy as np
import pytest

from kakudai.analyse.sample import AREA_SIDE, STEP, areas, thinned


def places(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Return the first row and column of each area, and its size, told from pixels that say where they are."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    where = np.stack([y, x, 0 * x], axis=2) / 65536
    found = [np.rint(area.image * (65536 / 255)).astype(int) for area in areas(where)]
    return [(*image[0, 0, :2].tolist(), *image.shape[:2]) for image in found]


@pytest.mark.parametrize("size", [(1025, 1025), (1030, 1100), (1040, 2000), (600, 5000), (9000, 120), (3000, 4000)])
def test_squares_lie_apart_and_in_phase(size: tuple[int, int]) -> None:
    found = places(*size)
    assert 8 <= len(found) <= 16
    seen = np.zeros(size, int)
    for y, x, height, width in found:
        assert y % STEP == x % STEP == 0
        assert (height, width) == (AREA_SIDE, min(AREA_SIDE, size[1]))
        seen[y : y + height, x : x + width] += 1
    assert seen.max() == 1
    middle = np.array([(y + height / 2, x + width / 2) for y, x, height, width in found]).mean(axis=0)
    assert np.abs(middle - np.array(size) / 2).max() <= STEP


def test_small_pictures_are_looked_at_whole() -> None:
    assert places(1024, 1024) == [(0, 0, 1024, 1024)]
    assert places(1, 1) == [(0, 0, 1, 1)]


@pytest.mark.parametrize("size", [(1025, 1025), (800, 700), (300, 200), (100, 20_000), (20, 30)])
def test_areas_are_thinned_to_as_many_pixels_in_all(size: tuple[int, int]) -> None:
    parts = areas(np.zeros((*size, 3), np.uint8), np.zeros((*size, 1), np.uint8))
    for side in (AREA_SIDE // 2, AREA_SIDE):
        small = thinned(parts, side)
        assert len({part.image.shape for part in small}) == 1
        pixels = sum(part.image[..., 0].size for part in small)
        assert min(size[0] * size[1], side * side) / 2 <= pixels <= 16 * side * side
        assert all(part.visible is not None and part.visible.shape == part.image.shape[:2] for part in small)
