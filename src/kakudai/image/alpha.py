"""Transparency: what nobody sees must not be seen by the network, and must not become visible by it.

Files hold any colour under transparent pixels, black or white as a rule. A network that saw it would draw it
into the edge of what is visible, as a dark or bright fringe. So visible colours are spread outwards first.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.image.picture import Pixels, full_scale
from kakudai.image.resize import quantise, resize

SOLID = 1 / 16
"""Alpha from which on a pixel keeps its own colour; below, 8-bit files hold more noise than colour."""
ROWS = 256
"""Rows of the picture worked on at a time; even, so that squares of four do not cross the bounds."""


def bleed(color: Pixels, alpha: Pixels, radius: int) -> Pixels:
    """Replace colours under transparent pixels by those of the visible ones around.

    Push and pull: averages by alpha over squares of 2, 4, 8 ... pixels, then, from the largest square down,
    every pixel that has no colour of its own takes that of its squares, bilinearly. Time does not depend on
    the radius.

    Shape: color (H, W, C), alpha (H, W, 1) of the same dtype -> (H, W, C) of that dtype.

    Args:
        radius: How many pixels outside the visible part are filled with nearby colours, at least. Pixels
            further away take the mean of all visible ones.

    Convention: colours of alpha >= 1/16 stay as they are, to the bit. Those of alpha 0 have no influence on
        any pixel; in between they are mixed. A picture without a visible pixel becomes mid-grey.
    """
    whole = full_scale(alpha.dtype)
    if alpha.min(initial=whole) >= SOLID * whole:
        return color
    levels = [_shrunk(color, alpha, whole)]
    while 2 ** len(levels) < 2 * radius and max(levels[-1][1].shape) > 1:
        levels.append(_halve(*levels[-1]))
    mean, weight = levels[-1]
    total = float(weight.sum())
    base = (mean * weight).sum(axis=(0, 1)) / total if total else np.float32(full_scale(color.dtype) / 2)
    filled: NDArray[np.float32] = base + weight * (mean - base)
    for mean, weight in levels[-2::-1]:
        above = _doubled(filled, 0, mean.shape[0], mean.shape[1])
        filled = above + weight * (mean - above)
    return _filled_in(color, alpha, whole, filled)


def _shrunk(color: Pixels, alpha: Pixels, whole: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the picture halved, a band at a time: it is never whole in floating point."""
    bands = []
    for start in range(0, len(color), ROWS):
        weight = alpha[start : start + ROWS] * np.float32(1 / whole)
        # where(), not a product: a float picture may hide infinities there
        bands.append(_halve(np.where(weight > 0, color[start : start + ROWS], 0), weight))
    return np.concatenate([mean for mean, _ in bands]), np.concatenate([weight for _, weight in bands])


def _halve(color: Pixels, weight: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Average squares of four by weight; the weight of a square is the sum, but at most 1."""
    height, width = weight.shape[:2]
    if height % 2 or width % 2:
        pad = [(0, height % 2), (0, width % 2), (0, 0)]
        color, weight = np.pad(color, pad), np.pad(weight, pad)
    product = color * weight
    colors = (product[::2, ::2] + product[::2, 1::2]) + (product[1::2, ::2] + product[1::2, 1::2])
    total = (weight[::2, ::2] + weight[::2, 1::2]) + (weight[1::2, ::2] + weight[1::2, 1::2])
    mean = colors / np.where(total > 0, total, np.float32(1))
    return mean.astype(np.float32, copy=False), np.minimum(total, np.float32(1))


def _doubled(image: NDArray[np.float32], start: int, stop: int, width: int) -> NDArray[np.float32]:
    """Return rows `start` to `stop` of the image enlarged twofold, bilinearly, edge pixels repeated."""
    for axis, (first, last) in ((0, (start, stop)), (1, (0, width))):
        at = np.arange(first, last)
        near, far = at // 2, np.clip(at // 2 + np.where(at % 2, 1, -1), 0, image.shape[axis] - 1)
        image = np.float32(0.75) * image.take(near, axis) + np.float32(0.25) * image.take(far, axis)
    return image


def _filled_in(color: Pixels, alpha: Pixels, whole: float, around: NDArray[np.float32]) -> Pixels:
    """Mix the picture with the doubled `around`, by how transparent each pixel is, a band at a time."""
    output = color.copy()
    for start in range(0, len(color), ROWS):
        share = alpha[start : start + ROWS] * np.float32(1 / (SOLID * whole))
        if share.min() >= 1:
            continue
        own = np.where(share > 0, color[start : start + ROWS], 0).astype(np.float32, copy=False)
        above = _doubled(around, start, start + len(own), color.shape[1])
        mixed = above + share * (own - above)
        if color.dtype.kind == "u":
            mixed = quantise(mixed, color.dtype)
        np.copyto(output[start : start + ROWS], mixed, where=share < 1, casting="same_kind")
    return output


def stay_between_neighbours(enlarged: Pixels, alpha: Pixels) -> Pixels:
    """Clip an enlarged alpha to the smallest and largest value around the pixel that each pixel comes from.

    What was wholly transparent or opaque with all around it stays exactly so: a network may return 1 for 0,
    and a transparent background of 1 is visible.

    Shape: (H', W', 1) enlarged and (H, W, 1) original, of the same dtype -> (H', W', 1).
    """
    size = (enlarged.shape[0], enlarged.shape[1])
    low = resize(_extreme(alpha, np.minimum), size, kernel="nearest")
    high = resize(_extreme(alpha, np.maximum), size, kernel="nearest")
    return np.clip(enlarged, low, high)


def _extreme(plane: Pixels, choose: Callable[..., Any]) -> Pixels:
    """Return the smallest or largest value of each 3x3 neighbourhood."""
    for axis in (0, 1):
        pad = [(1, 1) if axis == number else (0, 0) for number in range(3)]
        padded = np.pad(plane, pad, mode="edge")
        size = plane.shape[axis]
        parts = (padded.take(range(start, start + size), axis=axis) for start in range(3))
        plane = choose(choose(next(parts), next(parts)), next(parts))
    return plane
