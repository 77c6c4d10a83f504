"""Which quantisation steps do coefficients speak for?

A coefficient that was divided by a step, rounded and multiplied again lies at a multiple of the step, give or take
the decoder's rounding of pixels. Any other lies anywhere between. The logarithm of how much likelier the first is than
the second, summed over the coefficients that are not zero, is the evidence for a step. Zeros say nothing: they are a
multiple of everything.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kakudai.analyse.quantisation import BLOCK, quality_of, tables

LARGEST = 255
"""Largest step of a file of 8 bits."""

MOST_TELLING = 512
"""Coefficients up to this are asked; the few larger ones would make the tables of evidence twice as large."""

Deviations = tuple[tuple[float, float], ...]
"""Standard deviations of the noise of coefficients, and which share of them has it."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What was added to coefficients since they were quantised, and in how many bins per unit they are counted."""

    deviations: Deviations
    fine: int = 4

    @property
    def bins(self) -> int:
        """Bins of a histogram."""
        return MOST_TELLING * self.fine


ROUNDED = Noise(((0.35, 1.0),))
"""Luma and RGB were rounded."""

CUT_OFF = (
    Noise(((0.35, 0.4), (1.2, 0.3), (4.0, 0.3))),  # here and there
    Noise(((0.35, 0.3), (1.5, 0.3), (6.0, 0.4))),  # nearly everywhere
    Noise(((3.0, 0.5), (10.0, 0.5)), fine=1),  # black ink on white paper
    Noise(((0.35, 0.1), (2.0, 0.2), (8.0, 0.3), (20.0, 0.4))),  # of which little is left
)
"""And pixels were cut off at black and white."""

HIGHEST = 97
"""Quality above which nothing is lost that could be seen, and steps of 1 leave no trace."""

LIKELY = 1.0
"""Evidence per square, in natural logarithms, that is needed for any table, beside a grid that stands out: in AVIF and
WebP there are squares in which much vanishes, too, but their steps are none of JPEG's."""

STRAYS = 0.03
"""Share of coefficients that anything may have happened to."""

TELLING = 8.0
"""Evidence from which a single frequency is believed: a step is 3000 times likelier than none."""

ENOUGH_FREQUENCIES = 6
"""How many must be telling for a table that is none of libjpeg's."""


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A quantisation table that was found in coefficients.

    Args:
        quality: 1 to 100, of the libjpeg table that is most like it.
        table: The steps. Shape: (64,).
        evidence: How much likelier these steps are than none, in natural logarithms.
    """

    quality: int
    table: NDArray[np.int64]
    evidence: float


def likeliest_steps(
    coefficients: NDArray[np.float32], stated: NDArray[np.int64] | None = None, *, cut_off: bool = True
) -> Steps:
    """Find the table that coefficients were quantised with: one of libjpeg's, or if those explain little, any.

    Shape: coefficients (n, 64); stated (64,): the table in the file's header, which is taken if it is likely.

    Args:
        coefficients: Of the squares of a grid.
        stated: What is said of them.
        cut_off: Pixels of these squares may have been cut off at the ends of the range.
    """
    noises = (ROUNDED, *CUT_OFF) if cut_off else (ROUNDED,)
    found = [evidence(coefficients, noise) for noise in noises]
    if stated is not None and stated.max() <= LARGEST:
        weights = [float(one[np.arange(BLOCK * BLOCK), stated - 1].sum()) for one in found]
        if max(weights) > LIKELY * len(coefficients):
            quality, _ = quality_of(stated.reshape(BLOCK, BLOCK), "luma")
            return Steps(quality, stated, max(weights))
    seen = max(found, key=lambda one: for_qualities(one).max())
    totals = for_qualities(seen)
    quality, free = int(totals.argmax()) + 1, seen.max(axis=1)
    telling = free > TELLING
    if totals.max() > 0.5 * free.sum() or telling.sum() < ENOUGH_FREQUENCIES:
        return Steps(quality, tables("luma")[quality - 1].ravel(), float(totals.max()))
    steps = seen.argmax(axis=1) + 1
    distance = np.abs(np.log(tables("luma").reshape(100, -1)[:, telling] / steps[telling])).mean(axis=1)
    quality = 100 - int(distance[::-1].argmin())
    table = np.where(telling, steps, tables("luma")[quality - 1].ravel())
    return Steps(quality, table, float(free[telling].sum()))


@lru_cache(maxsize=8)
def _weights(noise: Noise) -> NDArray[np.float32]:
    """Return the evidence of one coefficient of each size for each step. Shape: (bins, 255), step 1 first."""
    size = np.arange(noise.bins, dtype=np.float32)[:, None] / noise.fine
    weights = np.empty((noise.bins, LARGEST), np.float32)
    for part in np.array_split(np.arange(LARGEST), 8):  # so that the memory this takes is that of the result
        step = np.float32(1.0) + part.astype(np.float32)
        multiple = np.rint(size / step)
        near = np.abs(size - multiple * step)
        density = np.zeros_like(near)
        for deviation, share in noise.deviations:
            peak = np.float32(share / (deviation * np.sqrt(2.0 * np.pi)))
            for distance in (near, step - near):
                density += peak * np.exp(np.float32(-0.5 / deviation**2) * distance * distance)
        weights[:, part] = np.where(multiple == 0, 0.0, np.log((1.0 - STRAYS) * step * density + STRAYS))
    weights.setflags(write=False)
    return weights


def evidence(coefficients: NDArray[np.float32], noise: Noise) -> NDArray[np.float32]:
    """Sum the evidence for each step at each frequency.

    Shape: (n, frequencies) -> (frequencies, 255), in natural logarithms, step 1 first.
    """
    frequencies = coefficients.shape[1]
    bins = (np.abs(coefficients) * np.float32(noise.fine) + np.float32(0.5)).astype(np.intp)
    counted = bins < noise.bins
    used = int(bins.max(where=counted, initial=0)) + 1
    np.copyto(bins, used, where=~counted)
    bins += np.arange(frequencies) * (used + 1)
    counts = np.bincount(bins.ravel(), minlength=frequencies * (used + 1)).reshape(frequencies, -1)
    result: NDArray[np.float32] = counts[:, :used].astype(np.float32) @ _weights(noise)[:used]
    return result


def for_qualities(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add evidence up along the tables of libjpeg. Shape: (64, 255) -> (97,), quality 1 first."""
    steps = tables("luma").reshape(100, -1)[:HIGHEST]
    total: NDArray[np.float32] = found[np.arange(BLOCK * BLOCK), steps - 1].sum(axis=1)
    return total
