"""How a network maps places: its scale, its margin, its halo, and what the sides of pictures must divide by."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kakudai.convert.walk import UnknownGeometry, Walk

if TYPE_CHECKING:
    import onnx

LARGEST_SIDE = 8192
"""A network that looks further than a quarter of this many pixels is said to look at everything."""

LARGEST_SCALE = 16


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a network maps places.

    Args:
        scale: Output pixels per input pixel.
        offset: Output pixels that are missing on each side, because convolutions are unpadded: the output has
            scale * n - 2 * offset pixels.
        halo: Input pixels around one pixel that its enlargement depends on; None for the whole picture.
        multiple: The sides of pictures for which this holds divide by this.
    """

    scale: int
    offset: int
    halo: int | None
    multiple: int


def lengths(model: "onnx.ModelProto", side: int) -> dict[str, tuple[int, int]]:
    """Return height and width of all tensors that are pictures, for a square picture of that side.

    Raises:
        UnknownGeometry: There is an operator of which nothing is known.
    """
    tall, wide = (Walk(model, side, axis).lines for axis in (2, 3))
    return {name: (len(line), len(wide[name])) for name, line in tall.items()}


def measure_geometry(model: "onnx.ModelProto") -> Geometry:
    """Measure scale, margin, halo and multiple of a network from `x` to `y`.

    Raises:
        UnknownGeometry: There is an operator of which nothing is known, or the output is no enlarged picture.
    """
    sizes = {side: _size(model, side) for side in (256, 320)}
    scale, rest = divmod(sizes[320] - sizes[256], 64)
    if rest or scale < 1:
        raise UnknownGeometry(f"a picture of 256 pixels becomes one of {sizes[256]}, one of 320 {sizes[320]}")
    if scale > LARGEST_SCALE:
        raise UnknownGeometry(f"it enlarges {scale} times, accepted are 1 to {LARGEST_SCALE}")
    offset, odd = divmod(scale * 256 - sizes[256], 2)
    if odd:
        raise UnknownGeometry(f"a picture of 256 pixels becomes one of {sizes[256]}, not the same margin on both sides")
    pad = max(0, math.ceil(offset / scale))
    multiple = next((m for m in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64) if _holds(model, m, pad, (scale, offset))), None)
    if multiple is None:
        raise UnknownGeometry("its output is the enlarged picture for no sides that divide by 64")
    return Geometry(scale, offset, measure_halo(model, scale, offset), multiple)


def measure_halo(model: "onnx.ModelProto", scale: int, offset: int = 0) -> int | None:
    """Return how many input pixels around one pixel its enlargement depends on; None for the whole picture.

    Args:
        offset: Output pixels missing on each side.

    Raises:
        UnknownGeometry: There is an operator of which nothing is known.
    """
    side = 192
    while side <= LARGEST_SIDE:
        reaches = []
        for axis in (2, 3):
            line = Walk(model, side, axis).output
            if line.level:
                return None
            centre = (np.arange(len(line)) + offset) // scale
            middle = (centre >= side * 3 // 8) & (centre < side * 5 // 8)
            reach = np.maximum(centre - line.first, line.last - centre)[middle]
            reaches.append(int(reach.max(initial=0)))
        if max(reaches) < side // 4:
            return max(reaches)
        side *= 2
    return None


def _size(model: "onnx.ModelProto", side: int) -> int:
    height, width = (len(Walk(model, side, axis).output) for axis in (2, 3))
    if height != width:
        raise UnknownGeometry(f"a square of {side} pixels becomes {width}x{height}")
    return height


def _holds(model: "onnx.ModelProto", multiple: int, pad: int, promise: tuple[int, int]) -> bool:
    """Say whether pictures whose sides divide by `multiple` come out as promised, once they are padded."""
    scale, offset = promise
    start = max(1, 60 // multiple)
    padded = [multiple * n + 2 * pad for n in range(start, start + 4)]
    try:
        return all(len(Walk(model, n, 2).output) == scale * n - 2 * offset for n in padded)
    except UnknownGeometry:
        return False
