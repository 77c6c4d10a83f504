"""The part of a picture that is looked at: all of a small one, squares of a large one, so that time has a limit."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from kakudai.image.color import LUMA_BT601
from kakudai.image.picture import Pixels, full_scale

AREA_SIDE = 256
"""Side of the squares that are taken from large pictures."""

MOST_AREAS = 16
"""How many squares, at most; they always lie at the same places. All is looked at where that is not more."""

STEP = 16
"""Squares begin at multiples of this, so that JPEG's grid has one phase in all of them, and halved colour too."""


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A rectangle of the picture.

    Shape: image (h, w, 1 | 3) float32 in levels of 255; visible (h, w) where alpha is not 0, or None for everywhere.
    """

    image: NDArray[np.float32]
    visible: NDArray[np.bool_] | None = None

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return int(self.image.shape[2])

    @property
    def luma(self) -> NDArray[np.float32]:
        """Brightness. Shape: (h, w) in levels of 255, full range, not rounded."""
        if self.channels == 1:
            return self.image[..., 0]
        # as luma_bt601_full, in one pass over memory
        luma: NDArray[np.float32] = self.image @ np.array(LUMA_BT601, np.float32)
        return luma

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Where a channel is at an end of its range, so that a decoder may have cut it off, or nothing is visible."""
        lost = np.zeros(self.image.shape[:2], np.bool_)
        for channel in range(self.channels):
            lost |= np.abs(self.image[..., channel] - 127.5) > 127.0
        return lost if self.visible is None else lost | ~self.visible


def areas(pixels: Pixels, alpha: Pixels | None = None) -> list[Area]:
    """Cut out what is looked at.

    Shape: pixels (H, W, 1 | 3), alpha (H, W, 1), both uint8, uint16 or float in [0, 1]. What is no number becomes 0.
    """
    height, width = pixels.shape[:2]
    return [
        _area(pixels[rows, columns], None if alpha is None else alpha[rows, columns])
        for rows, columns in _places(height, width, AREA_SIDE, MOST_AREAS)
    ]


def thinned(areas: Sequence[Area], side: int) -> list[Area]:
    """Cut smaller squares out of areas, by the same rule, for what needs fewer pixels.

    Args:
        areas: Parts of the picture, all of the same size.
        side: Of the squares, in pixels; there are at most 16 in all.
    """
    height, width = areas[0].image.shape[:2]
    places = list(_places(height, width, side, MOST_AREAS // len(areas)))
    return [
        Area(area.image[rows, columns], None if area.visible is None else area.visible[rows, columns])
        for area in areas
        for rows, columns in places
    ]


def _places(height: int, width: int, side: int, most: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of the rectangles: all in one, or of squares at most so many."""
    if height * width <= most * side**2:
        yield slice(0, height), slice(0, width)
        return
    down = max(1, min(height // side, most, round(math.sqrt(most * height / width))))
    across = max(1, min(width // side, most // down))
    for top, left in product(_starts(height, down, side), _starts(width, across, side)):
        yield slice(top, top + side), slice(left, left + side)


def _starts(size: int, count: int, side: int) -> list[int]:
    """Spread squares over a side: in the middles of equal parts."""
    return [max(0, int(size * (2 * index + 1) / (2 * count) - side / 2)) // STEP * STEP for index in range(count)]


def _area(pixels: Pixels, alpha: Pixels | None) -> Area:
    unit = np.float32(255.0 / full_scale(pixels.dtype))
    image = pixels.astype(np.float32)
    if pixels.dtype.kind == "f":
        image = np.clip(np.nan_to_num(image, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    image *= unit
    visible = None if alpha is None or alpha.min(initial=1) > 0 else alpha[..., 0] > 0
    return Area(image, visible)
