"""Cutting a picture into tiles so that nobody can tell.

The picture is continued on all sides by its mirror image, or by its edge pixels for networks that were made for that.
A tile is a core, which belongs to it alone, and `halo` more pixels on each side, which its result depends on but which
are cut off again. The network's own zero padding therefore never touches a pixel that is kept, and the result is the
same for every tile size. A network with strides gives the same only where its tiles begin at multiples of these.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kakudai.engine.memory import SMALLEST_TILE
from kakudai.image.picture import Pixels
from kakudai.image.resize import Border, fold

LARGEST_BAND = 64 << 20
"""Bytes of the result of one row of tiles. Two are being made while a third is written."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The core of one tile, in input pixels: rows top .. top + height - 1, columns left .. left + width - 1."""

    top: int
    left: int
    height: int
    width: int


def cut(height: int, width: int, tile: int, multiple: int = 1, *, rows: int | None = None) -> Iterator[Tile]:
    """Cover a picture with cores of at most `tile` pixels a side, row by row, every pixel exactly once.

    The cores are as equal as whole numbers allow: a picture of 257 pixels becomes 129 + 128, not 256 + 1.

    Args:
        multiple: All cores begin at multiples of this; a tile that is smaller is made as large.
        rows: Height of the cores at most, where it is to be less than their width.
    """
    for top, length in spans(height, rows or tile, multiple):
        for left, columns in spans(width, tile, multiple):
            yield Tile(top, left, length, columns)


def rows_of_band(height: int, width: int, tile: int, sample_bytes: int) -> int:
    """Return the height of tiles in a picture that is so wide that a row of square ones would fill the memory.

    Args:
        height: Of the picture.
        width: Likewise.
        tile: Side of the tiles that are wanted. One that is the whole picture stays so.
        sample_bytes: What one pixel of the picture becomes in the result: scale * scale * channels * bytes of each.
    """
    if tile >= max(height, width):
        return tile
    return min(tile, max(SMALLEST_TILE, LARGEST_BAND // (width * sample_bytes)))


def spans(size: int, largest: int, multiple: int = 1) -> Iterator[tuple[int, int]]:
    """Cut one side of a picture; yield the start and the length of each part. See `cut`."""
    units = math.ceil(size / multiple)
    count = 1 if size <= largest else math.ceil(units / max(1, largest // multiple))
    edges = [min(size, multiple * (units * k // count)) for k in range(count + 1)]
    return ((start, end - start) for start, end in pairwise(edges))


def extract(image: Pixels, tile: Tile, halo: int, multiple: int = 1, border: Border = "mirror") -> Pixels:
    """Return a core with its halo.

    Shape: (H, W, C) -> (height + 2 halo + padding, width + 2 halo + padding, C); a view inside the picture, a copy
    at its border.

    Args:
        multiple: Rows at the bottom and columns at the right are added until both sides divide by this.

    Convention: outside the picture its mirror image continues, the edge pixel repeated once, as often as needed; or,
        with the border "replicate", the edge pixel for ever.
    """
    result = image
    for axis, (start, size) in enumerate(((tile.top, tile.height), (tile.left, tile.width))):
        first = start - halo
        length = math.ceil((size + 2 * halo) / multiple) * multiple
        if first >= 0 and first + length <= image.shape[axis]:
            result = result[first : first + length] if axis == 0 else result[:, first : first + length]
        else:
            result = result.take(fold(np.arange(first, first + length), image.shape[axis], border), axis=axis)
    return result


def default_tile(height: int, width: int, *, workers: int, largest: int = 256) -> int:
    """Choose a tile: at most `largest` pixels a side, smaller where fewer than `workers` tiles would come out.

    Tiles much smaller than 192 waste time on their halos, but an idle core wastes more; below 128 nothing is gained.
    """
    tile = min(largest, max(height, width))
    while tile > 128 and math.ceil(height / tile) * math.ceil(width / tile) < workers:
        tile = math.ceil(tile / 2)
    return tile
