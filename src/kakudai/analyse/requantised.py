"""Was a JPEG compressed more strongly before? What the first quantisation took away stays away.

On the same grid, coefficients are then multiples of the last step that lie nearest to multiples of the first: the
others hardly occur. On another grid, because the picture was cropped in between, the last quantisation is noise, and
the first is found as the last one is.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kakudai.analyse.quantisation import BLOCK, tables, zigzag
from kakudai.analyse.steps import STRAYS, Noise, evidence
from kakudai.analyse.transform import Phase, coefficients, square_ranges, squares

FREQUENCIES = 16
"""How many are asked: the lowest ones, which are seldom zero."""

STRONGER = 1.6
"""An earlier step must be so many times the last one: nearer ones cannot be told apart, and hardly matter."""

ROUNDING = 0.5
"""Standard deviation of a coefficient that went through whole levels of luma and of RGB between compressions."""

CONVINCING = 0.02
"""Evidence per coefficient, in natural logarithms; where there was one compression it is negative."""

EARLIER_EVIDENCE = 40.0
"""Evidence in all."""

LIVELY_LUMA = 8.0
"""Least difference of luma in squares that are looked at for another grid, in levels."""

MILD = 16
"""Largest last step of the mean, quality 50, beyond which nothing earlier is left that can be seen on another grid."""

SQUARES_PER_PLACE = 500
"""How many at most, at each place."""

BLURRED = Noise(((1.0, 0.3), (2.0, 0.4), (4.0, 0.3)), fine=1)
"""Noise that the last quantisation may have added to the coefficients of another grid."""


def earlier_quality(found: NDArray[np.float32], last: NDArray[np.int64]) -> int | None:
    """Return the quality of a stronger compression on the same grid before the last one, or None.

    Shape: found (n, 64) coefficients, last (64,) steps.
    """
    evidence_for = np.zeros(100)
    seen = 0
    for frequency in _lowest():
        step = int(last[frequency])
        counts = np.bincount(np.rint(np.abs(found[:, frequency]) / step).astype(np.intp))
        earlier = tables("luma").reshape(100, -1)[:, frequency].astype(np.float64)
        seen += int(counts[1:].sum())
        evidence_for += _fits(len(counts), step, earlier) @ counts
    best = int(evidence_for.argmax())
    return best + 1 if evidence_for[best] > max(EARLIER_EVIDENCE, CONVINCING * seen) else None


def _lowest() -> NDArray[np.int64]:
    """Return the places of the frequencies that are asked, in a table read row by row."""
    return zigzag()[:FREQUENCIES]


def _fits(count: int, step: int, earlier: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how well the multiples 0, 1, ... count - 1 of a step come from each earlier step. Shape: (100, count)."""
    size = step * np.arange(count)
    multiple = np.rint(size / earlier[:, None])
    away = np.abs(size - multiple * earlier[:, None])
    share = _normal((step / 2 - away) / ROUNDING) + _normal((step / 2 + away) / ROUNDING) - 1.0
    fits = np.log((1.0 - STRAYS) * earlier[:, None] / step * share + STRAYS)
    fits[(multiple == 0) | (earlier[:, None] < STRONGER * step)] = 0.0
    return fits


@cache
def _normal_table() -> NDArray[np.float64]:
    table = np.array([0.5 * (1.0 + math.erf(x / 8.0 / math.sqrt(2.0))) for x in range(-40, 41)])
    table.setflags(write=False)
    return table


def _normal(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of a normal distribution below x, to three digits."""
    return np.interp(x, np.arange(-40, 41) / 8.0, _normal_table())


def earlier_quality_elsewhere(
    luma: NDArray[np.float32], phase: Phase, last: NDArray[np.int64]
) -> tuple[int, Phase] | None:
    """Return the quality of a stronger compression before the last one, and its grid, if that is another; or None.

    Shape: luma (h, w), a lively part of the picture; last (64,) steps.
    """
    if last[0] > MILD:
        return None
    asked = _lowest()
    steps = tables("luma").reshape(100, -1)[:, asked]
    stronger = (steps >= 2.0 * STRONGER * last[asked]).mean(axis=1) > 0.5
    lively = square_ranges(luma) > LIVELY_LUMA
    best, earlier = 0.0, None
    for place in np.ndindex(BLOCK, BLOCK):
        cut = squares(luma, place)[lively[place[0] :: BLOCK, place[1] :: BLOCK].ravel()][:SQUARES_PER_PLACE]
        if place == phase or not len(cut):
            continue
        found = coefficients(cut)[:, asked]
        totals = evidence(found, BLURRED)[np.arange(FREQUENCIES), steps - 1].sum(axis=1) * stronger
        if totals.max() > max(best, EARLIER_EVIDENCE, CONVINCING * found.size):
            best, earlier = float(totals.max()), (int(totals.argmax()) + 1, place)
    return earlier
