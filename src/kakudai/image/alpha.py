"""Transparency: what nobody sees must not be seen by the network, and must not become visible by it.

Files hold any colour under transparent pixels, black or white as a rule. A network that saw it would draw it
into the edge of what is visible, as a dark or bright fringe. So visible colours are spread outwards first.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.image.picture import Picture, Pixels, full_scale
from kakudai.image.resize import quantise, taps
from kakudai.image.spool import MEMORY, Room, forget, strips

SOLID = 1 / 16
"""Alpha from which on a pixel keeps its own colour; below, 8-bit files hold more noise than colour."""
BAND = 1 << 20
"""Pixels of the picture worked on at a time, about: whole squares of the largest size, and as many rows around."""


def bleed(color: Pixels, alpha: Pixels, radius: int, room: Room = MEMORY) -> Pixels:
    """Replace colours under transparent pixels by those of the visible ones around.

    Push and pull: averages by alpha over squares of 2, 4, 8 ... pixels, then, from the largest square down,
    every pixel that has no colour of its own takes that of its squares, bilinearly. Time does not depend on
    the radius.

    Shape: color (H, W, C), alpha (H, W, 1) of the same dtype -> (H, W, C) of that dtype.

    Args:
        radius: How many pixels outside the visible part are filled with nearby colours, at least. Pixels
            further away take the mean of all visible ones.
        room: Where the result goes.

    Convention: colours of alpha >= 1/16 stay as they are, to the bit. Those of alpha 0 have no influence on
        any pixel; in between they are mixed. A picture without a visible pixel becomes mid-grey.
    """
    whole = full_scale(alpha.dtype)
    if all(part.min() >= SOLID * whole for part in strips(alpha)):
        return color
    height, width = alpha.shape[:2]
    levels = 1
    while 2**levels < 2 * radius and 2**levels < max(height, width):
        levels += 1
    rows = 2**levels * math.ceil(BAND / (width * 2**levels))
    base = _mean_colour(color, alpha, levels, rows)
    output = room.array(color.shape, color.dtype)
    for start in range(0, height, rows):
        # Each level looks at one square above and below: together at less than two of the largest.
        first = max(0, start - 2 * 2**levels)
        around = slice(first, start + rows + 2 * 2**levels)
        filled = _filled_in(color[around], alpha[around], base, levels)
        output[start : start + rows] = filled[start - first : start - first + rows]
        forget(color, alpha, output)
    return output


def _mean_colour(color: Pixels, alpha: Pixels, levels: int, rows: int) -> NDArray[np.float32]:
    """Return the mean of all visible colours, by squares; mid-grey where there are none. Shape: (C,)."""
    total, sums = 0.0, np.zeros(color.shape[2], np.float64)
    for start in range(0, len(color), rows):
        *_, (mean, weight) = _levels(color[start : start + rows], alpha[start : start + rows], levels)
        total += float(weight.sum(dtype=np.float64))
        sums += (mean * weight).sum(axis=(0, 1), dtype=np.float64)
        forget(color, alpha)
    grey = np.full_like(sums, full_scale(color.dtype) / 2)
    return (sums / total if total else grey).astype(np.float32)


def _levels(color: Pixels, alpha: Pixels, levels: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield means and weights of squares of 2, 4, 8 ... pixels."""
    weight = alpha * np.float32(1 / full_scale(alpha.dtype))
    # where(), not a product: a float picture may hide infinities there
    level = _halve(np.where(weight > 0, color, 0), weight)
    yield level
    for _ in range(levels - 1):
        level = _halve(*level)
        yield level


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


def _doubled(image: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Return the image enlarged twofold, bilinearly, edge pixels repeated, cut to that size."""
    for axis, size in ((0, height), (1, width)):
        at = np.arange(size)
        near, far = at // 2, np.clip(at // 2 + np.where(at % 2, 1, -1), 0, image.shape[axis] - 1)
        image = np.float32(0.75) * image.take(near, axis) + np.float32(0.25) * image.take(far, axis)
    return image


def _filled_in(color: Pixels, alpha: Pixels, base: NDArray[np.float32], levels: int) -> Pixels:
    """Mix rows of the picture with the colours around, by how transparent each pixel is."""
    whole = full_scale(alpha.dtype)
    if alpha.min() >= SOLID * whole:
        return color
    *lower, (mean, weight) = _levels(color, alpha, levels)
    filled: NDArray[np.float32] = base + weight * (mean - base)
    for mean, weight in lower[::-1]:
        above = _doubled(filled, *mean.shape[:2])
        filled = above + weight * (mean - above)
    share = alpha * np.float32(1 / (SOLID * whole))
    own = np.where(share > 0, color, 0).astype(np.float32, copy=False)
    above = _doubled(filled, *color.shape[:2])
    mixed = above + share * (own - above)
    if color.dtype.kind == "u":
        mixed = quantise(mixed, color.dtype)
    return np.where(share < 1, mixed, color).astype(color.dtype, copy=False)


def is_transparent(alpha: Pixels) -> bool:
    """Say whether anything shows through a picture. Shape: (H, W, 1)."""
    whole = full_scale(alpha.dtype)
    return any(bool((part < whole).any()) for part in strips(alpha))


def on_white(picture: Picture) -> Pixels:
    """Return the colours of a picture as they look on white. Shape: (H, W, 1 | 3) of its dtype."""
    if picture.alpha is None:
        return picture.color
    return on_paper(picture.color, picture.alpha, full_scale(picture.color.dtype))


def on_paper(color: Pixels, alpha: Pixels, paper: float | NDArray[Any]) -> Pixels:
    """Lay a picture on paper of one colour.

    Shape: color (H, W, C), alpha (H, W, 1) of the same dtype -> (H, W, C) of that dtype.

    Args:
        paper: A level of that dtype for all channels, or (C,) of them.

    Convention: values are mixed as they are, as browsers do, not as light; integers are rounded.
    """
    share = alpha.astype(np.float32) / np.float32(full_scale(alpha.dtype))
    # where(), not a product: a float picture may hide infinities under what is transparent
    mixed = np.where(share > 0, color, 0) * share + np.asarray(paper, np.float32) * (1 - share)
    return quantise(mixed, color.dtype) if color.dtype.kind == "u" else mixed.astype(color.dtype, copy=False)


def stay_between_neighbours(enlarged: Pixels, alpha: Pixels, *, top: int = 0, height: int | None = None) -> Pixels:
    """Clip an enlarged alpha to the smallest and largest value around the pixel that each pixel comes from.

    What was wholly transparent or opaque with all around it stays exactly so: a network may return 1 for 0,
    and a transparent background of 1 is visible.

    Shape: (h', W', 1) enlarged and (H, W, 1) original, of the same dtype -> (h', W', 1).

    Args:
        enlarged: All of it, or the rows from `top` on.
        alpha: The original.
        top: First of these rows.
        height: Rows of all of it; None for those that are given.
    """
    rows = _origins(alpha.shape[0], height or len(enlarged))[top : top + len(enlarged)]
    columns = _origins(alpha.shape[1], enlarged.shape[1])
    first = max(0, int(rows[0]) - 1)
    around = alpha[first : int(rows[-1]) + 2]
    low, high = (_extreme(around, choose)[rows - first][:, columns] for choose in (np.minimum, np.maximum))
    return np.clip(enlarged, low, high)


def _origins(size_in: int, size_out: int) -> NDArray[np.int64]:
    """Return the pixel that each pixel of an enlarged line comes from."""
    return taps(size_in, size_out, size_out / size_in, kernel="nearest").index[:, 0]


def _extreme(plane: Pixels, choose: Callable[..., Any]) -> Pixels:
    """Return the smallest or largest value of each 3x3 neighbourhood."""
    for axis in (0, 1):
        pad = [(1, 1) if axis == number else (0, 0) for number in range(3)]
        padded = np.pad(plane, pad, mode="edge")
        size = plane.shape[axis]
        parts = (padded.take(range(start, start + size), axis=axis) for start in range(3))
        plane = choose(choose(next(parts), next(parts)), next(parts))
    return plane
