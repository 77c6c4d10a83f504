"""engine/tiles.py: every pixel covered once, and the border is a mirror."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kakudai.engine.tiles import Tile, cut, default_tile, extract

SIZES = st.integers(1, 300)


@settings(deadline=None)  # tiles of one pixel are many
@given(SIZES, SIZES, st.integers(1, 500))
def test_every_pixel_is_covered_exactly_once(height: int, width: int, tile: int) -> None:
    covered = np.zeros((height, width), int)
    for part in cut(height, width, tile):
        assert 1 <= part.height <= tile
        assert 1 <= part.width <= tile
        covered[part.top : part.top + part.height, part.left : part.left + part.width] += 1
    assert (covered == 1).all()


@settings(deadline=None)
@given(SIZES, SIZES, st.integers(1, 500))
def test_tiles_are_as_equal_as_can_be_and_come_in_reading_order(height: int, width: int, tile: int) -> None:
    parts = list(cut(height, width, tile))
    assert max(p.height for p in parts) - min(p.height for p in parts) <= 1
    assert max(p.width for p in parts) - min(p.width for p in parts) <= 1
    assert [(p.top, p.left) for p in parts] == sorted((p.top, p.left) for p in parts)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.integers(0, 60), st.integers(1, 8))
def test_a_tile_is_a_window_of_the_mirrored_picture(
    height: int, width: int, tile: int, halo: int, multiple: int
) -> None:
    image = np.arange(height * width).reshape(height, width, 1)
    margin = halo + tile + multiple
    mirrored = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    for part in cut(height, width, tile):
        window = extract(image, part, halo, multiple)
        assert window.shape[0] % multiple == 0
        assert window.shape[1] % multiple == 0
        assert window.shape[0] - (part.height + 2 * halo) in range(multiple)
        top, left = part.top - halo + margin, part.left - halo + margin
        np.testing.assert_array_equal(window, mirrored[top : top + window.shape[0], left : left + window.shape[1]])


@settings(deadline=None)
@given(SIZES, SIZES, st.integers(1, 200), st.sampled_from([2, 4, 16]))
def test_cores_begin_at_multiples(height: int, width: int, tile: int, multiple: int) -> None:
    covered = np.zeros((height, width), int)
    for part in cut(height, width, tile, multiple):
        assert part.top % multiple == part.left % multiple == 0
        assert max(part.height, part.width) <= max(tile, multiple)
        covered[part.top : part.top + part.height, part.left : part.left + part.width] += 1
    assert (covered == 1).all()


def test_a_tile_as_large_as_the_picture_is_the_picture() -> None:
    """Also where its sides do not divide by the multiple."""
    assert list(cut(61, 75, 75, 4)) == [Tile(0, 0, 61, 75)]


def test_the_border_may_be_the_edge_pixel() -> None:
    image = np.arange(12).reshape(3, 4, 1)
    window = extract(image, Tile(0, 2, 3, 2), 2, 4, border="replicate")
    np.testing.assert_array_equal(window, np.pad(image, ((2, 3), (0, 4), (0, 0)), mode="edge")[:, :8])


def test_inside_the_picture_nothing_is_copied() -> None:
    image = np.zeros((50, 50, 3))
    assert np.shares_memory(extract(image, Tile(10, 10, 20, 20), 5), image)


@pytest.mark.parametrize(
    ("height", "width", "workers"),
    [(1, 1, 2), (100, 100, 2), (200, 200, 4), (469, 750, 2), (3000, 4000, 8), (40, 4000, 4)],
)
def test_the_default_tile_keeps_all_workers_busy_without_being_tiny(height: int, width: int, workers: int) -> None:
    tile = default_tile(height, width, workers=workers)
    assert tile <= 256
    assert tile <= 128 or len(list(cut(height, width, tile))) >= workers
