"""Is this tile the enlarged picture? Nothing that is not may be written as success.

Networks fail in few ways: not-a-number after an overflow in half precision, black or flat tiles, a wrong colour
order, values in the wrong range. All of them move the local mean colour, which enlargement by definition does not:
shrunk again, the output must be the input, up to what happens between neighbouring pixels.
"""

import numpy as np
from numpy.typing import NDArray

BLOCK = 16
"""Side, in input pixels, of the squares whose mean colour is compared."""

MEAN_TOLERANCE = 0.02
"""How far the mean of a channel over a large tile may move, of a range of 1; a legitimate network stays below 0.005."""

DETAIL_TOLERANCE = 0.3
"""Added to it, times the mean difference between neighbouring pixels: a chequered pattern of single black and white
pixels is nothing that networks were trained on, and they do change its brightness."""

SMALL_TILE_TOLERANCE = 0.4
"""Added to it, divided by the square root of the pixels: a sharpened single pixel does move its mean."""

BLOCK_TOLERANCE = 0.15
"""How far the mean of a square may move beyond its share of detail; a missing or foreign square moves further."""


def fault(x: NDArray[np.float32], y: NDArray[np.float32], scale: int) -> str | None:
    """Say what is wrong with a tile, or None.

    Shape: x (C, H, W) in [0, 1] what the network was given, without halo; y (C, scale H, scale W) what it returned.
    """
    if y.shape != (x.shape[0], x.shape[1] * scale, x.shape[2] * scale):
        return f"its shape is {y.shape} for an input of {x.shape} at scale {scale}"
    before, after = x.mean(axis=(1, 2)), y.mean(axis=(1, 2), dtype=np.float32)
    if not np.isfinite(after).all():
        return "it contains values that are no numbers"
    moved = float(np.abs(after - before).max())
    detail = np.abs(np.diff(x, axis=2, append=x[..., -1:]))
    allowed = MEAN_TOLERANCE + DETAIL_TOLERANCE * float(detail.mean())
    if moved > allowed + SMALL_TILE_TOLERANCE / (x.shape[1] * x.shape[2]) ** 0.5:
        return f"its mean colour moved by {moved:.3f}"
    squares = np.abs(_block_means(x, BLOCK) - _block_means(y, BLOCK * scale))
    excess = squares - DETAIL_TOLERANCE * _block_means(detail, BLOCK)
    if excess.size and float(excess.max()) > BLOCK_TOLERANCE:
        return f"the mean colour of a square moved by {float(squares.max()):.3f}"
    return None


def _block_means(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the mean of every whole square of `side` pixels, (C, H, W) -> (C, H // side, W // side)."""
    channels, height, width = image.shape[0], image.shape[1] // side, image.shape[2] // side
    whole = image[:, : height * side, : width * side]
    rows = whole.reshape(channels, height, side, width * side).sum(axis=2)
    means: NDArray[np.float32] = rows.reshape(channels, height, width, side).sum(axis=3) / side**2
    return means
