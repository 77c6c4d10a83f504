"""Noise of sensors and of film, added to clean pictures.

Strengths are in levels of 255 for every type of picture: `sigma = 25` is 25 grey levels of an 8-bit picture, and
25 / 255 of a float one, which is how the literature of denoising counts. Integers are clipped and rounded half up;
floats are neither, as the protocol of that literature asks.
"""

import numpy as np
from numpy.typing import NDArray

from kakudai.image.color import luma_bt601_full
from kakudai.image.picture import Pixels, full_scale
from kakudai.image.resize import quantise


def gaussian_noise(image: Pixels, sigma: float, rng: np.random.Generator, *, grey: bool = False) -> Pixels:
    """Add independent Gaussian noise of the same strength everywhere.

    Shape: (H, W, C) uint8, uint16 or float in [0, 1] -> the same.

    Args:
        image: The picture.
        sigma: Standard deviation in levels of 255.
        rng: Decides the noise.
        grey: Add the same noise to all channels, so that brightness flickers and colour does not.
    """
    channels = 1 if grey else image.shape[2]
    unit = np.float32(sigma / 255.0 * full_scale(image.dtype))
    return _add(image, unit * rng.standard_normal((*image.shape[:2], channels), np.float32))


def poisson_noise(image: Pixels, photons: float, rng: np.random.Generator, *, grey: bool = False) -> Pixels:
    """Count light instead of measuring it: shot noise, stronger in absolute terms where the picture is brighter.

    Shape: (H, W, C) uint8, uint16 or float in [0, 1] -> the same.

    Args:
        image: The picture; values below 0 count as 0.
        photons: Mean count that white stands for. A value v in [0, 1] gets the variance v / photons; white has a
            standard deviation of 255 / sqrt(photons) levels: 1000 photons 8 levels, 100 photons 25.
        rng: Decides the noise.
        grey: Count luma (BT.601, full range) and add its error to all channels.

    Convention: counted in the picture's own values, not in linear light, as the field's pipelines do.
    """
    unit = full_scale(image.dtype)
    clean = image / unit
    if grey and image.shape[2] == 3:
        clean = luma_bt601_full(clean)
    expected = photons * np.maximum(clean, 0.0)
    return _add(image, (rng.poisson(expected) - expected) * (unit / photons))


def _add(image: Pixels, noise: NDArray[np.floating]) -> Pixels:
    noisy = image + noise
    return quantise(noisy, image.dtype) if image.dtype.kind == "u" else noisy.astype(image.dtype)
