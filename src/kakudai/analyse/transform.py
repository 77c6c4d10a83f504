"""JPEG's transform, on a grid that may begin anywhere: squares, their coefficients, and how many of those vanish."""

from functools import cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kakudai.analyse.quantisation import BLOCK

SCAN_PIXELS = 1 << 17
"""Pixels in the bands that are looked at for where the grid begins."""

BAND = 2 * BLOCK
"""Rows of a band: a square fits in at each of eight places."""

VANISHED = 0.4
"""A coefficient below this was zero before the decoder rounded pixels, which adds noise of 0.3."""

Phase = tuple[int, int]
"""Row and column, 0 to 7, of the first corner of the grid."""


@cache
def cosines() -> NDArray[np.float32]:
    """Return the orthonormal cosines, not to be written to. Shape: (frequency 8, place 8)."""
    place = np.arange(BLOCK)
    waves = np.cos(np.pi * (2 * place + 1) * place[:, None] / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    waves[0] /= np.sqrt(2)
    result: NDArray[np.float32] = waves.astype(np.float32)
    result.setflags(write=False)
    return result


@cache
def cosines_both_ways() -> NDArray[np.float32]:
    """Return those of rows times those of columns, likewise. Shape: (frequency 64, place 64), row by row."""
    result: NDArray[np.float32] = np.kron(cosines(), cosines())
    result.setflags(write=False)
    return result


def squares(plane: NDArray[Any], phase: Phase) -> NDArray[Any]:
    """Cut a plane into the whole squares of a grid. Shape: (h, w) -> (squares, 8, 8)."""
    top, left = phase
    down, across = (max(0, size - start) // BLOCK for size, start in zip(plane.shape, phase, strict=True))
    grid = plane[top : top + BLOCK * down, left : left + BLOCK * across].reshape(down, BLOCK, across, BLOCK)
    return grid.swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)


def square_ranges(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the difference of the largest and the smallest value of the square that begins at each place.

    Shape: (h, w), at least 8 each -> (h - 7, w - 7).
    """
    highest, lowest = (_square_extremes(plane, extreme) for extreme in (np.maximum, np.minimum))
    return highest - lowest


def _square_extremes(plane: NDArray[np.float32], extreme: np.ufunc) -> NDArray[np.float32]:
    for apart in (1, 2, 4):  # two values, then four, then eight
        plane = extreme(plane[apart:], plane[:-apart])
        plane = extreme(plane[:, apart:], plane[:, :-apart])
    return plane


def coefficients(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform squares. Shape: (n, 8, 8) in levels of 255 -> (n, 64), in the units of quantisation steps.

    Convention: 128 is subtracted first, as JPEG does. Source: ITU-T T.81, A.3.3.
    """
    levels: NDArray[np.float32] = values.reshape(-1, BLOCK * BLOCK) - np.float32(128.0)
    result: NDArray[np.float32] = levels @ cosines_both_ways().T
    return result


def vanished_shares(planes: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return for each phase of the grid the share of coefficients that are zero.

    JPEG sets most of the high frequencies of its squares to zero; squares at any other place have few.

    Shape: planes (h, w) each, NaN where nothing is to be seen -> (8, 8), by row and column of the grid's first corner.
    Source: the idea is that of Fan and de Queiroz 2003, "Identification of bitmap compression history".
    """
    zero, seen = np.zeros((BLOCK, BLOCK)), np.zeros((BLOCK, BLOCK))
    for plane in planes:
        bands = _lively_bands(plane, SCAN_PIXELS // len(planes))
        if not bands.size:
            continue
        across = sliding_window_view(bands, BLOCK, axis=2) @ cosines().T
        for row in range(BLOCK):
            both = np.einsum("vy,byxu->xbvu", cosines(), across[:, row : row + BLOCK], optimize=True)
            small, known = np.abs(both) < VANISHED, np.isfinite(both)
            small[:, :, 0, 0] = known[:, :, 0, 0] = False
            for column in range(BLOCK):
                zero[row, column] += small[column::BLOCK].sum()
                seen[row, column] += known[column::BLOCK].sum()
    return zero / np.maximum(seen, 1.0)


def _lively_bands(plane: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    """Return the bands of rows in which most happens. Shape: (h, w) -> (bands, 16, w)."""
    height, width = plane.shape
    count = (height // BLOCK - 1) if width >= BAND else 0
    if count < 1:
        return np.empty((0, BAND, width), np.float32)
    rows = plane[: height // BLOCK * BLOCK]
    change = np.nan_to_num(np.abs(np.diff(rows, axis=1))).reshape(-1, BLOCK * (width - 1)).sum(axis=1)
    kept = np.argsort(-(change[1:] + change[:-1]), kind="stable")[: max(1, pixels // (BAND * width))]
    return np.stack([rows[BLOCK * index : BLOCK * index + BAND] for index in np.sort(kept)])
