"""Structural similarity, as in the tables of the super-resolution literature."""

import numpy as np
from numpy.typing import NDArray

from kakudai.image.picture import Pixels
from kakudai.metrics.protocol import Protocol, prepare_both

WINDOW = 11
SIGMA = 1.5
C1 = (0.01 * 255.0) ** 2
C2 = (0.03 * 255.0) ** 2


def ssim(a: Pixels, b: Pixels, protocol: Protocol) -> float:
    """Return the mean structural similarity, 1 for equal pictures; channels are averaged.

    Shape: two (H, W, 1 | 3) pictures of the same size, at least 11 pixels on each side after shaving.

    Convention: Gaussian window of 11x11 and sigma 1.5, only windows that lie wholly inside the picture, population
        variances, K1 = 0.01, K2 = 0.03, peak 255.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004.
    """
    first, second = prepare_both(a, b, protocol)
    if min(first.shape[:2]) < WINDOW:
        raise ValueError(f"SSIM needs at least {WINDOW} pixels a side after shaving, got {first.shape[:2]}")
    return float(np.mean([_ssim_channel(first[..., c], second[..., c]) for c in range(first.shape[2])]))


def _ssim_channel(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a = _blur(a * a) - mean_a**2
    variance_b = _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    structure = (2 * covariance + C2) / (variance_a + variance_b + C2)
    return float(np.mean(luminance * structure))


def _blur(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter with the Gaussian window, (H, W) -> (H - 10, W - 10)."""
    offset = np.arange(WINDOW) - WINDOW // 2
    weight = np.exp(-(offset**2) / (2 * SIGMA**2))
    weight /= weight.sum()
    height, width = (size - WINDOW + 1 for size in plane.shape)
    rows = np.zeros((height, plane.shape[1]))
    for k, w in enumerate(weight):
        rows += w * plane[k : k + height]
    result = np.zeros((height, width))
    for k, w in enumerate(weight):
        result += w * rows[:, k : k + width]
    return result
