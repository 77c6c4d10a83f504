"""Was colour kept at half the resolution, and at which quality? Seen in pixels, where the decoder has doubled it again.

Each possibility is tried: colour is halved the way that undoes the doubling, and of the coefficients of the result it
is asked whether they are multiples of some steps. The possibility that most speaks for is what happened.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from kakudai.analyse.quantisation import BLOCK, tables
from kakudai.analyse.sample import Area
from kakudai.analyse.steps import HIGHEST, ROUNDED, evidence
from kakudai.analyse.transform import Phase, coefficients, squares

NAMES = {(2, 2): "4:2:0", (1, 2): "4:2:2", (2, 1): "4:4:0", (1, 1): "4:4:4"}
"""Rows and columns that share one colour -> what that is called."""

LIVELY_COLOUR = 3.0
"""Least difference of colour in squares that are looked at, in levels."""

SQUARES_PER_PLANE = 1500
"""Squares of each plane of an area."""

COLOUR_EVIDENCE = 60.0
"""Evidence, in natural logarithms, that is needed to tell."""

AHEAD = 1.3
"""How many times as much as for any other possibility."""

UNDO = 3.0 - 2.0 * np.sqrt(2.0)
"""Smooth doubling leaves pairs whose means are 1/8, 6/8, 1/8 of the halved line; its inverse is a sum over all
neighbours that falls off by this factor, with alternating signs."""

REACH = 4
"""Neighbours on either side that are added."""


@dataclass(frozen=True, slots=True)
class Colour:
    """How JPEG kept colour: "4:2:0", "4:2:2", "4:4:0" or "4:4:4", and at which quality, 1 to 100."""

    chroma: str
    quality: int


def colour_of(areas: Sequence[Area], phase: Phase) -> Colour | None:
    """Find how colour was kept; None where there is none, or too little of it to tell.

    Args:
        areas: Parts of the picture.
        phase: Row and column where JPEG's grid begins.
    """
    top, left = phase
    whole = [area for area in areas if area.channels == 3]
    planes = [plane[top:, left:] for area in whole for plane in _chroma_planes(area)]
    lost = [area.lost[top:, left:] for area in whole for _ in range(2)]
    found = []
    for factors, name in NAMES.items():
        halves = [_undoubled(_undoubled(plane, factors[0]).T, factors[1]).T for plane in planes]
        masks = [_any(_any(mask, factors[0]).T, factors[1]).T for mask in lost]
        down, across = ([0, BLOCK // 2] if factor == 2 else [0] for factor in factors)
        found.append(max((*_weigh(halves, masks, start), name) for start in product(down, across)))
    (second, _, _), (weight, quality, name) = sorted(found)[-2:]
    return Colour(name, quality) if weight > max(COLOUR_EVIDENCE, AHEAD * second) else None


def _chroma_planes(area: Area) -> Iterator[NDArray[np.float32]]:
    """Yield Cb and Cr. Shape: (h, w) in levels of 255. Source: ITU-T T.871 (JFIF), section 7."""
    for channel, factor in ((2, 0.5 / 0.886), (0, 0.5 / 0.701)):
        yield (area.image[..., channel] - area.luma) * np.float32(factor) + np.float32(128.0)


def _undoubled(plane: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Halve the number of rows so that smooth doubling would give them back, if the factor is 2."""
    if factor == 1:
        return plane
    pairs = 0.5 * (plane[: len(plane) // 2 * 2 : 2] + plane[1::2])
    padded = np.pad(pairs, ((REACH, REACH), (0, 0)), mode="edge")
    taps = (-UNDO) ** np.abs(np.arange(-REACH, REACH + 1))
    rows = np.zeros_like(pairs)
    for at, tap in enumerate((taps / taps.sum()).astype(np.float32)):
        rows += tap * padded[at : at + len(pairs)]
    return rows


def _any(mask: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    """Halve the number of rows of a mask, if the factor is 2."""
    return mask if factor == 1 else mask[: len(mask) // 2 * 2 : 2] | mask[1::2]


def _weigh(planes: Sequence[NDArray[np.float32]], lost: Sequence[NDArray[np.bool_]], start: Phase) -> tuple[float, int]:
    """Return the evidence that planes were quantised on a grid, and the quality. The mean of squares has no voice."""
    kept = [np.empty((0, BLOCK, BLOCK), np.float32)]
    for plane, mask in zip(planes, lost, strict=True):
        cut = squares(plane, start)
        flat = cut.reshape(-1, BLOCK * BLOCK)
        telling = (flat.max(axis=1) - flat.min(axis=1) > LIVELY_COLOUR) & ~squares(mask, start).any(axis=(1, 2))
        kept.append(cut[telling][:SQUARES_PER_PLANE])
    seen = evidence(coefficients(np.concatenate(kept)), ROUNDED)
    seen[0] = 0.0
    totals = seen[np.arange(BLOCK * BLOCK), tables("chroma").reshape(100, -1)[:HIGHEST] - 1].sum(axis=1)
    return float(totals.max()), int(totals.argmax()) + 1
