"""JPEG's transform, on a grid that may begin anywhere: squares, their coefficients, and how many of those vanish."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kakudai.analyse.quantisation import SIDE

SCAN_PIXELS = 1 << 17
"""Pixels in the bands that are looked at for where the grid begins."""

BAND = 2 * SIDE
"""Rows of a band: a square fits in at each of eight places."""

VANISHED = 0.4
"""A coefficient below this was zero before the decoder rounded pixels, which adds noise of 0.3."""

Phase = tuple[int, int]
"""Row and column, 0 to 7, of the first corner of the grid."""


def _basis() -> NDArray[np.float32]:
    """Return the orthonormal cosines. Shape: (frequency 8, place 8)."""
    place = np.arange(SIDE)
    waves = np.cos(np.pi * (2 * place + 1) * place[:, None] / (2 * SIDE)) * np.sqrt(2 / SIDE)
    waves[0] /= np.sqrt(2)
    basis: NDArray[np.float32] = waves.astype(np.float32)
    return basis


BASIS = _basis()

BOTH = np.kron(BASIS, BASIS)
"""The cosines of both directions. Shape: (frequency 64, place 64), row by row."""


def squares(plane: NDArray[Any], phase: Phase) -> NDArray[Any]:
    """Cut a plane into the whole squares of a grid. Shape: (h, w) -> (squares, 8, 8)."""
    top, left = phase
    down, across = (max(0, size - start) // SIDE for size, start in zip(plane.shape, phase, strict=True))
    grid = plane[top : top + SIDE * down, left : left + SIDE * across].reshape(down, SIDE, across, SIDE)
    return grid.swapaxes(1, 2).reshape(-1, SIDE, SIDE)


def coefficients(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform squares. Shape: (n, 8, 8) in levels of 255 -> (n, 64), in the units of quantisation steps.

    Convention: 128 is subtracted first, as JPEG does. Source: ITU-T T.81, A.3.3.
    """
    result: NDArray[np.float32] = (values.reshape(-1, SIDE * SIDE) - np.float32(128.0)) @ BOTH.T
    return result


def vanished_shares(planes: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return for each phase of the grid the share of coefficients that are zero.

    JPEG sets most of the high frequencies of its squares to zero; squares at any other place have few.

    Shape: planes (h, w) each, NaN where nothing is to be seen -> (8, 8), by row and column of the grid's first corner.
    Source: the idea is that of Fan and de Queiroz 2003, "Identification of bitmap compression history".
    """
    zero, seen = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    for plane in planes:
        bands = _lively_bands(plane, SCAN_PIXELS // len(planes))
        if not bands.size:
            continue
        across = sliding_window_view(bands, SIDE, axis=2) @ BASIS.T
        for row in range(SIDE):
            both = np.einsum("vy,byxu->xbvu", BASIS, across[:, row : row + SIDE], optimize=True)
            small, known = np.abs(both) < VANISHED, np.isfinite(both)
            small[:, :, 0, 0] = known[:, :, 0, 0] = False
            for column in range(SIDE):
                zero[row, column] += small[column::SIDE].sum()
                seen[row, column] += known[column::SIDE].sum()
    return zero / np.maximum(seen, 1.0)


def _lively_bands(plane: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    """Return the bands of rows in which most happens. Shape: (h, w) -> (bands, 16, w)."""
    height, width = plane.shape
    count = (height // SIDE - 1) if width >= BAND else 0
    if count < 1:
        return np.empty((0, BAND, width), np.float32)
    rows = plane[: height // SIDE * SIDE]
    change = np.nan_to_num(np.abs(np.diff(rows, axis=1))).reshape(-1, SIDE * (width - 1)).sum(axis=1)
    kept = np.argsort(-(change[1:] + change[:-1]), kind="stable")[: max(1, pixels // (BAND * width))]
    return np.stack([rows[SIDE * index : SIDE * index + BAND] for index in np.sort(kept)])
