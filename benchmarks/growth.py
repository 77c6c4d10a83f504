"""Memory over time: a straight line through it, and what of that line is chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WARM_UP = 0.2
"""Share of the samples that is left out: networks are opened, and allocators find their size."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A straight line through memory.

    Args:
        slope: KB for each unit of what memory was sampled over.
        error: Its standard error, as if samples did not depend on each other.
    """

    slope: float
    error: float

    def is_above(self, most: float) -> bool:
        """Say whether memory grows by more than that, and by more than chance makes it."""
        return self.slope - 2 * self.error > most


def warm_up(count: int) -> int:
    """Return how many samples are left out of so many."""
    return int(WARM_UP * count)


def line_through(places: Sequence[float], kilobytes: Sequence[float]) -> Growth:
    """Lay a straight line by least squares through what comes after the warm-up.

    Args:
        places: When or where each sample was taken, four or more.
        kilobytes: The samples.
    """
    start = warm_up(len(places))
    at, memory = np.array(places[start:], float), np.array(kilobytes[start:], float)
    across = at - at.mean()
    slope = float(across @ memory / (across @ across))
    rest = memory - memory.mean() - slope * across
    variance = float(rest @ rest) / (len(rest) - 2)
    return Growth(slope, (variance / float(across @ across)) ** 0.5)
