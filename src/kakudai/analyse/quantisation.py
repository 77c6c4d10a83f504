"""The quantisation tables of libjpeg, which nearly all JPEG files have, and the quality that a table stands for.

Quality is a number of libjpeg: it scales two tables from the standard's annex. The same number means something else
in Photoshop and in cameras; their tables get the quality of the libjpeg table that is most like them.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

BLOCK = 8
"""Rows and columns of the squares that JPEG transforms."""

STANDARD = {
    "luma": """
16 11 10 16  24  40  51  61
12 12 14 19  26  58  60  55
14 13 16 24  40  57  69  56
14 17 22 29  51  87  80  62
18 22 37 56  68 109 103  77
24 35 55 64  81 104 113  92
49 64 78 87 103 121 120 101
72 92 95 98 112 100 103  99
""",
    "chroma": """
17 18 24 47 99 99 99 99
18 21 26 66 99 99 99 99
24 26 56 99 99 99 99 99
47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99
99 99 99 99 99 99 99 99
99 99 99 99 99 99 99 99
99 99 99 99 99 99 99 99
""",
}
"""Steps at quality 50. Source: ITU-T T.81 (JPEG), annex K, tables K.1 and K.2."""


def zigzag() -> NDArray[np.int64]:
    """Return for each place in a file's table which of the 64 steps, counted row by row, stands there."""
    rows, columns = np.divmod(np.arange(BLOCK * BLOCK), BLOCK)
    diagonal = rows + columns
    return np.lexsort((np.where(diagonal % 2, rows, columns), diagonal))


@cache
def tables(kind: str) -> NDArray[np.int64]:
    """Return libjpeg's tables of all qualities. Shape: (100, 8, 8), quality 1 first; kind is "luma" or "chroma".

    Convention: every call returns the same array, which cannot be written to.
    Source: `jpeg_quality_scaling` of libjpeg, in whole numbers, with steps limited to 1..255.
    """
    quality = np.arange(1, 101)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    steps = np.array(STANDARD[kind].split(), np.int64).reshape(BLOCK, BLOCK)
    result = np.clip((steps * percent[:, None, None] + 50) // 100, 1, 255)
    result.setflags(write=False)
    return result


def quality_of(table: NDArray[np.int64], kind: str) -> tuple[int, bool]:
    """Return the quality whose table is most like this one, by the mean ratio of the steps, and whether it is the same.

    Shape: table (8, 8), steps of 1 and more.
    """
    distance = np.abs(np.log(tables(kind) / np.maximum(table, 1))).mean(axis=(1, 2))
    best = int(distance[::-1].argmin())  # equal tables: the higher quality
    return 100 - best, bool(distance[99 - best] == 0.0)
