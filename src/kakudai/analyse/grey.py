"""Grey in colour clothes: three channels that all say the same."""

from collections.abc import Sequence

import numpy as np

from kakudai.analyse.quantisation import BLOCK
from kakudai.analyse.sample import Area

TOLERANCE = 3.0
"""Levels by which channels may differ in the mean of a square: rounding, and noise, which the mean makes small."""


def is_grey(areas: Sequence[Area]) -> bool:
    """Say whether there is no colour anywhere: every square of 8x8 pixels has, on average, equal channels.

    A sepia print, or a drawing with one red stroke, is not grey.
    """
    return all(_is_grey(area) for area in areas)


def _is_grey(area: Area) -> bool:
    if area.channels == 1:
        return True
    image = area.image if area.visible is None else np.where(area.visible[..., None], area.image, 0.0)
    rows, columns = (np.arange(0, size, BLOCK) for size in image.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1)
    heights = np.diff(np.append(rows, image.shape[0]))[:, None]
    widths = np.diff(np.append(columns, image.shape[1]))[None]
    return bool((np.ptp(sums, axis=2) <= TOLERANCE * heights * widths).all())
