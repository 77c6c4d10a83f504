"""Peak signal-to-noise ratio."""

import math

import numpy as np

from kakudai.image.picture import Pixels
from kakudai.metrics.protocol import Protocol, prepare_both


def psnr(a: Pixels, b: Pixels, protocol: Protocol) -> float:
    """Return 10 log10(255^2 / mean squared difference) in decibels; infinity for equal pictures.

    Shape: two (H, W, 1 | 3) pictures of the same size, uint8, uint16 or float32 in [0, 1].

    Convention: a set's figure is the mean of its pictures' figures, never the figure of the mean error.
    """
    first, second = prepare_both(a, b, protocol)
    error = float(np.mean((first - second) ** 2))
    return 10.0 * math.log10(255.0**2 / error) if error > 0.0 else math.inf
