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

from kakudai.analyse.quantisation import SIDE, quality_of, tables

LARGEST = 255
"""Largest step of a file of 8 bits."""

FINE = 4
"""Bins of the histograms per unit."""

BINS = 8 * 128 * FINE + 1
"""Bins up to the largest coefficient there is."""

Noise = tuple[tuple[float, float], ...]
"""Standard deviations of the noise of coefficients, and which share of them has it."""

NOISES: tuple[Noise, ...] = (
    ((0.35, 1.0),),  # luma and RGB were rounded
    ((0.35, 0.4), (1.2, 0.3), (4.0, 0.3)),  # and here and there cut off at black and white
    ((0.35, 0.3), (1.5, 0.3), (6.0, 0.4)),  # and nearly everywhere
    ((3.0, 0.5), (10.0, 0.5)),  # black ink on white paper
    ((0.35, 0.1), (2.0, 0.2), (8.0, 0.3), (20.0, 0.4)),  # of which little is left
)

CUT_OFF = 2
"""Which of these is believed where nothing speaks for any table."""

HIGHEST = 97
"""Quality above which nothing is lost that could be seen, and steps of 1 leave no trace."""

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
        clear: Seen in coefficients that were only rounded: hardly a pixel was cut off.
    """

    quality: int
    table: NDArray[np.int64]
    evidence: float
    clear: bool


def likeliest_steps(coefficients: NDArray[np.float32], stated: NDArray[np.int64] | None = None) -> Steps:
    """Find the table that coefficients were quantised with: one of libjpeg's, or if those explain little, any.

    Shape: coefficients (n, 64); stated (64,): the table in the file's header, which is taken if anything speaks for it.
    """
    found = [evidence(coefficients, noise) for noise in NOISES]
    seen = max(found, key=lambda one: for_qualities(one).max())
    if for_qualities(seen).max() <= 0.0:
        seen = found[CUT_OFF]
    if stated is not None and stated.max() <= LARGEST:
        weights = [float(one[np.arange(SIDE * SIDE), stated - 1].sum()) for one in found]
        if max(weights) > 0.0:
            quality, _ = quality_of(stated.reshape(SIDE, SIDE), "luma")
            return Steps(quality, stated, max(weights), weights[0] > 0.0)
    totals = for_qualities(seen)
    quality, free = int(totals.argmax()) + 1, seen.max(axis=1)
    telling = free > TELLING
    if totals.max() > 0.5 * free.sum() or telling.sum() < ENOUGH_FREQUENCIES:
        return Steps(quality, tables("luma")[quality - 1].ravel(), float(totals.max()), seen is found[0])
    steps = seen.argmax(axis=1) + 1
    distance = np.abs(np.log(tables("luma").reshape(100, -1)[:, telling] / steps[telling])).mean(axis=1)
    quality = 100 - int(distance[::-1].argmin())
    table = np.where(telling, steps, tables("luma")[quality - 1].ravel())
    return Steps(quality, table, float(free[telling].sum()), seen is found[0])


@lru_cache(maxsize=8)
def _weights(noise: Noise) -> NDArray[np.float32]:
    """Return the evidence of one coefficient of each size for each step. Shape: (BINS, 255), step 1 first."""
    size = np.arange(BINS, dtype=np.float32)[:, None] / FINE
    step = np.arange(1, LARGEST + 1, dtype=np.float32)
    multiple = np.rint(size / step)
    near = np.abs(size - multiple * step)
    density = np.zeros_like(near)
    for deviation, share in noise:
        peak = share / (deviation * np.sqrt(2.0 * np.pi))
        for distance in (near, step - near):
            density += np.float32(peak) * np.exp(-0.5 * (distance / np.float32(deviation)) ** 2)
    weights: NDArray[np.float32] = np.log((1.0 - STRAYS) * step * density + STRAYS).astype(np.float32)
    weights[multiple == 0] = 0.0
    return weights


def evidence(coefficients: NDArray[np.float32], noise: Noise) -> NDArray[np.float32]:
    """Sum the evidence for each step at each frequency.

    Shape: (n, frequencies) -> (frequencies, 255), in natural logarithms, step 1 first.
    """
    frequencies = coefficients.shape[1]
    bins = np.minimum(np.rint(np.abs(coefficients) * FINE).astype(np.intp), BINS - 1)
    bins += np.arange(frequencies) * BINS
    counts = np.bincount(bins.ravel(), minlength=frequencies * BINS).reshape(-1, BINS)
    used = int(np.flatnonzero(counts.any(axis=0)).max(initial=0)) + 1
    result: NDArray[np.float32] = counts[:, :used].astype(np.float32) @ _weights(noise)[:used]
    return result


def for_qualities(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add evidence up along the tables of libjpeg. Shape: (64, 255) -> (97,), quality 1 first."""
    steps = tables("luma").reshape(100, -1)[:HIGHEST]
    total: NDArray[np.float32] = found[np.arange(SIDE * SIDE), steps - 1].sum(axis=1)
    return total
