"""Is this tile the enlarged picture? Nothing that is not may be written as success.

Networks fail in few ways: not-a-number after an overflow in half precision, black or flat tiles, a wrong colour
order, values in the wrong range. All of them move the local mean colour, which enlargement by definition does not:
shrunk again, the output must be the input, up to what happens between neighbouring pixels.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BLOCK = 16
"""Least side, in input pixels, of the squares whose mean colour is compared."""

MEAN_TOLERANCE = 0.02
"""How far the mean of a channel over a tile may move, of a range of 1; photo-x2 moves those of photographs and
drawings by at most 0.002."""

DETAIL_TOLERANCE = 0.15
"""Added to it, times the mean difference between neighbouring pixels: a chequered pattern of single black and white
pixels is nothing that networks were trained on, and they do change its brightness, by 0.019 there."""

SMALL_TILE_TOLERANCE = 0.2
"""Added to it, times the contrast, divided by the square root of the pixels: a sharpened single pixel does move the
mean of a tiny picture, by 0.019 in one of 4x4."""

BLOCK_TOLERANCE = 0.06
"""How far the mean of a square may move beyond its share of detail; a missing or foreign square moves further, a
legitimate one at most 0.004."""

FLAT = 0.001
"""A channel has become flat that keeps less than this share of its contrast."""

BLANK_CONTRAST = 0.02
"""A channel with more contrast than this does not become flat, however dark it is."""


def fault(x: NDArray[np.float32], y: NDArray[np.float32], scale: int, leeway: float = 1.0) -> str | None:
    """Say what is wrong with a tile, or None.

    Shape: x (C, H, W) in [0, 1] what the network was given, without halo; y (C, scale H, scale W) what it returned.

    Args:
        leeway: How many times further than a faithful network this one may move colours.
    """
    if y.shape != (x.shape[0], x.shape[1] * scale, x.shape[2] * scale):
        return f"its shape is {y.shape} for an input of {x.shape} at scale {scale}"
    light, result = _square_means(x, 1), _square_means(y, scale)
    if not np.isfinite(result.means).all():
        return "it contains values that are no numbers"
    if _hardly_moved(light, result, leeway) and _contrasts(result.means).min() > FLAT:
        return None  # whatever detail there is
    contrasts, detail = _contrasts(x), _square_means(_detail(x), 1)
    contrast = float(contrasts.max())
    moved = float(np.abs(result.mean - light.mean).max())
    allowed = leeway * MEAN_TOLERANCE + DETAIL_TOLERANCE * float(detail.mean.mean())
    if moved > allowed + SMALL_TILE_TOLERANCE * contrast / (x.shape[1] * x.shape[2]) ** 0.5:
        return f"its mean colour moved by {moved:.3f}"
    suspect = (contrasts > BLANK_CONTRAST) & (_contrasts(result.means) < FLAT * contrasts)
    if suspect.any() and (_contrasts(y)[suspect] < FLAT * contrasts[suspect]).any():
        return "a channel of it is flat"
    squares = np.abs(result.means - light.means)
    side = min(BLOCK, x.shape[1], x.shape[2])
    small = SMALL_TILE_TOLERANCE * contrast / side if side < BLOCK else 0.0
    much = float((squares - DETAIL_TOLERANCE * detail.means).max()) > leeway * BLOCK_TOLERANCE + small
    return f"the mean colour of a square moved by {float(squares.max()):.3f}" if much else None


def _hardly_moved(light: "Squares", result: "Squares", leeway: float) -> bool:
    """Say whether colours moved less than they may where there is no detail."""
    moved, squares = np.abs(result.mean - light.mean), np.abs(result.means - light.means)
    return bool(moved.max() <= leeway * MEAN_TOLERANCE and squares.max() <= leeway * BLOCK_TOLERANCE)


def _contrasts(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the difference between the largest and the smallest value of each channel."""
    contrasts: NDArray[np.float32] = planes.max(axis=(1, 2)) - planes.min(axis=(1, 2))
    return contrasts


def _detail(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much each pixel differs from its right and its lower neighbour, on average of the two."""
    detail = np.zeros_like(x)
    np.abs(x[:, :, 1:] - x[:, :, :-1], out=detail[:, :, :-1])
    detail[:, :-1] += np.abs(x[:, 1:] - x[:, :-1])
    detail *= np.float32(0.5)
    return detail


@dataclass(frozen=True, slots=True)
class Squares:
    """Mean colours of a tile.

    Shape: means (C, rows, columns) of the squares; mean (C,) of the whole.
    """

    means: NDArray[np.float32]
    mean: NDArray[np.float32]


def _square_means(image: NDArray[np.float32], scale: int) -> Squares:
    """Average (C, H, W) over squares that are as equal as can be and cover all of it.

    They have at least `BLOCK` input pixels a side, where the tile has. Whole rows are added first: that is the one
    step that sees every pixel, and it runs along memory. As a product with ones it takes half the time.
    """
    down, across = (_edges(size // scale, scale) for size in image.shape[1:])
    parts = (image[:, start:end] for start, end in pairwise(down))
    rows = np.stack([np.ones(part.shape[1], np.float32) @ part for part in parts], axis=1)
    sums = np.add.reduceat(rows, across[:-1], axis=2)
    area = np.diff(down)[:, None] * np.diff(across)[None]
    means = (sums / area).astype(np.float32)
    return Squares(means, (sums.sum(axis=(1, 2)) / area.sum()).astype(np.float32))


@lru_cache(64)
def _edges(size: int, scale: int) -> NDArray[np.intp]:
    count = max(1, size // BLOCK)
    return scale * (size * np.arange(count + 1) // count)
