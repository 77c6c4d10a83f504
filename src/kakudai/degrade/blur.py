"""Optical blur."""

import math

import numpy as np

from kakudai.image.picture import Pixels
from kakudai.image.resize import fold, quantise


def gaussian_blur(image: Pixels, sigma: float) -> Pixels:
    """Blur with a Gaussian, as a slightly soft lens would.

    Shape: (H, W, C) -> the same; integers are rounded half up.

    Args:
        sigma: Standard deviation in pixels; 0 returns the picture itself.

    Convention: the kernel ends at 4 sigma; the picture continues mirrored, the edge pixel repeated once.
    """
    if sigma == 0.0:
        return image
    radius = math.ceil(4.0 * sigma)
    weight = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weight = (weight / weight.sum()).astype(np.float32)
    result = image.astype(np.float32)
    for axis in (0, 1):
        size = image.shape[axis]
        padded = result.take(fold(np.arange(-radius, size + radius), size), axis=axis)
        result = np.zeros_like(result)
        for offset, tap in enumerate(weight):
            result += tap * padded.take(range(offset, offset + size), axis=axis)
    return quantise(result, image.dtype) if image.dtype.kind == "u" else result.astype(image.dtype)
