"""How strong is the noise? Measured where there is least texture.

Small patches of a noisy picture vary in all directions by the noise, and in few directions by what is in the picture:
the small eigenvalues of their covariance are the variance of the noise. Patches whose gradients are larger than that
noise could explain are left out, and the rest is measured again.

Source: Liu, Tanaka and Okutomi 2013, "Single-image noise level estimation for blind denoising", for the choice of
patches; Chen, Zhu and Heng 2015, "An efficient statistical method for image noise level estimation", for the choice of
eigenvalues.
"""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kakudai.analyse.sample import Area

PATCH = 7
"""Side of a patch in pixels."""

WANTED = 10_000
"""Patches that are looked at, about."""

NEEDED = 1000
"""Patches that are needed, which is all of 38x38 pixels: the few of a clean icon are all edges, and look like noise."""

FEWEST = 100
"""Patches that are chosen of them, at least: fewer have no covariance worth the name."""

CUT_OFF = 5
"""Pixels of a patch that may lie at the ends of the range: noise that was cut off there is no longer what it was."""

GRADIENT = 277.0
"""Sum of squared differences between neighbours in a patch of noise of variance 1 that 99 of 100 stay below."""

ROUNDS = 15
"""Times that patches are chosen and measured, at most."""


def noise_level(areas: Sequence[Area]) -> float | None:
    """Return the standard deviation of the noise in a channel, in levels of 255; None where too little can be seen.

    Convention: the root of the mean over channels of the variance. Noise that is not white (enlarged, or compressed
    since) counts as little as its weakest part.
    """
    channels = areas[0].channels
    step = max(1, int(np.sqrt(sum(area.image.shape[0] * area.image.shape[1] for area in areas) / WANTED)))
    variances = [_variance([_patches(area, channel, step) for area in areas]) for channel in range(channels)]
    known = [variance for variance in variances if variance is not None]
    return float(np.sqrt(np.mean(known))) if known else None


def _patches(area: Area, channel: int, step: int) -> NDArray[np.float32]:
    """Return the patches that are visible and hardly cut off. Shape: (n, 49)."""
    plane = area.image[..., channel]
    if min(plane.shape) < PATCH:
        return np.empty((0, PATCH * PATCH), np.float32)
    lost = (plane < 0.5) | (plane > 254.5)
    if area.visible is not None:
        lost = lost | ~area.visible
    sums = np.pad(lost, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    inside = sums[PATCH:, PATCH:] - sums[:-PATCH, PATCH:] - sums[PATCH:, :-PATCH] + sums[:-PATCH, :-PATCH]
    rows, columns = np.nonzero(inside[::step, ::step] <= CUT_OFF)
    found: NDArray[np.float32] = sliding_window_view(plane, (PATCH, PATCH))[rows * step, columns * step]
    return found.reshape(-1, PATCH * PATCH)


def _variance(parts: list[NDArray[np.float32]]) -> float | None:
    """Return the variance of the noise in patches (n, 49); None where there are too few."""
    patches = np.concatenate(parts)
    if len(patches) < NEEDED:
        return None
    square = patches.reshape(-1, PATCH, PATCH)
    gradient = sum(np.einsum("nyx,nyx->n", change, change) for change in (np.diff(square, axis=1), np.diff(square)))
    chosen = patches
    variance = _floor(chosen)
    for _ in range(ROUNDS):
        smooth = gradient <= GRADIENT * variance
        if smooth.sum() < FEWEST:
            smooth = gradient <= np.partition(gradient, FEWEST - 1)[FEWEST - 1]
        if smooth.sum() == len(chosen):
            break
        chosen = patches[smooth]
        variance = _floor(chosen)
    return variance


def _floor(patches: NDArray[np.float32]) -> float:
    """Return the mean of the eigenvalues of the covariance that only noise accounts for.

    The largest are dropped until the mean of the rest is not above their median, as it is for noise alone.
    """
    centred = patches - patches.mean(axis=0)
    values = np.linalg.eigvalsh((centred.T @ centred).astype(np.float64) / len(patches))
    counts = np.arange(1, len(values) + 1)
    medians = 0.5 * (values[(counts - 1) // 2] + values[counts // 2])
    balanced = np.cumsum(values) <= medians * counts
    return max(0.0, float(medians[np.flatnonzero(balanced)[-1]]))
