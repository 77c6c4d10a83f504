"""Was the picture enlarged before, and by how much?

Enlarging by s makes every new pixel a mean of old ones, and how blurred it is depends on where it lies between them:
the mean difference between neighbouring columns goes up and down 1/s times per pixel. That is a sharp line in its
spectrum. 3 and 1.5 have their lines at the same place; the one whose pictures have nothing above 1/2s is told by that.

Source: the idea is Gallagher's, 2005, "Detection of linear and cubic interpolation in JPEG compressed images".
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kakudai.analyse.quantisation import BLOCK
from kakudai.analyse.sample import Area
from kakudai.analyse.transform import Phase

SMALLEST_SIDE = 64
"""Least side of a picture in which a line can be seen."""

BINS = 1024
"""Frequencies per cycle."""

LOWEST_FREQUENCY = 0.18
"""Lowest frequency that is searched, in cycles per pixel: of an enlargement by 5.5, or 1.22."""

STANDS_OUT = 6.0
"""How many times the median of the spectrum the line must be, in the mean of rows and columns."""

AROUND = 6
"""Bins on either side of a line of JPEG that belong to it."""

OF_JPEG = {128: 1e9, 256: 12.0, 384: 1e9, 512: 12.0}
"""Frequency in bins -> how much it must stand out where there is a grid, whose squares of 8 pixels have lines there."""

EDGE = 20.0
"""Differences count no more than this, in levels, so that one edge does not outshine all columns."""

NEIGHBOURS = 4
"""Columns on either side over which the mean is taken that a column is compared with: livelier places do not count."""

TWOFOLD = 0.2
"""How near the two enlargements that share a line must be to be called 2, where both meet."""

FULL, VOID = 0.35, 0.75
"""Frequencies, in cycles per pixel of the picture before, that an enlarged one still has, and that it lacks."""

EMPTY = 13.0
"""Decibels by which power falls from one to the other in a picture that was enlarged so much; in others 4 to 10."""


def enlarged_by(areas: Sequence[Area], grids: Sequence[Phase] = ()) -> float | None:
    """Return by about how much the picture was enlarged; 1.0 where it was not; None where too little is seen.

    Args:
        areas: Parts of the picture.
        grids: Row and column where each grid of JPEG begins that was found: their edges are left out.
    """
    parts = [area for area in areas if min(area.image.shape[:2]) >= SMALLEST_SIDE]
    lumas = [_visible(area) for area in parts if area.visible is None or area.visible.any()]
    if not lumas:
        return None
    across, down = (np.mean([_line_spectrum(luma, axis, grids) for luma in lumas], axis=0) for axis in (1, 0))
    both = np.sqrt(across * down)
    first = int(LOWEST_FREQUENCY * BINS)
    needed = np.full(len(both), STANDS_OUT)
    for place, much in OF_JPEG.items() if grids else ():
        needed[place - AROUND : place + AROUND + 1] = much
    place = first + int((both / needed)[first:].argmax())
    if both[place] < needed[place]:
        return 1.0
    frequency = place / BINS
    large, small = 1.0 / frequency, 1.0 / (1.0 - frequency)
    if large - small < TWOFOLD:
        return 2.0
    return round(large if _fall(lumas, FULL / large, VOID / large) > EMPTY else small, 2)


def _visible(area: Area) -> NDArray[np.float32]:
    """Return luma, but its mean where nothing is to be seen. Shape: (h, w)."""
    luma = area.luma
    if area.visible is None:
        return luma
    return np.where(area.visible, luma, luma[area.visible].mean())


def _line_spectrum(luma: NDArray[np.float32], axis: int, grids: Sequence[Phase]) -> NDArray[np.float64]:
    """Return the spectrum of the mean difference between columns (axis 1) or rows (axis 0), its median being 1.

    Shape: (h, w) -> (513,), from 0 to half a cycle per pixel.
    """
    profile = np.minimum(np.abs(np.diff(luma, axis=axis)), EDGE).mean(axis=1 - axis).astype(np.float64)
    for grid in grids:
        edges = np.arange((grid[axis] - 1) % BLOCK, len(profile) - 1, BLOCK)
        edges = edges[edges > 0]
        profile[edges] = 0.5 * (profile[edges - 1] + profile[edges + 1])
    width = 2 * NEIGHBOURS + 1
    around = np.convolve(np.pad(profile, NEIGHBOURS, mode="reflect"), np.full(width, 1 / width), "valid")
    wave = np.clip(profile / (around + 1e-3) - 1.0, -1.0, 1.0)
    spectrum = np.abs(np.fft.rfft((wave - wave.mean()) * np.hanning(len(wave)), max(BINS, len(wave))))
    spectrum = np.interp(np.arange(BINS // 2 + 1) / BINS, np.linspace(0, 0.5, len(spectrum)), spectrum)
    middle = float(np.median(spectrum[int(LOWEST_FREQUENCY * BINS) :]))
    return spectrum / middle if middle > 1e-9 else np.ones_like(spectrum)


def _fall(lumas: Sequence[NDArray[np.float32]], low: float, high: float) -> float:
    """Return by how many decibels power falls from one frequency to another, along rows."""
    powers = np.zeros(2)
    for luma in lumas:
        window = np.hanning(luma.shape[1])
        power = (np.abs(np.fft.rfft((luma - luma.mean(axis=1, keepdims=True)) * window)) ** 2).mean(axis=0)
        frequencies = np.arange(len(power)) / luma.shape[1]
        powers += [power[np.abs(frequencies - at) < 0.1 * at].mean() / luma.shape[1] for at in (low, high)]
    return float(10.0 * np.log10((powers[0] + 1e-6) / (powers[1] + 1e-6)))
