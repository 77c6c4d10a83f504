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


def anisotropic_blur(image: Pixels, sigma: tuple[float, float], angle: float) -> Pixels:
    """Blur more in one direction than in the other: a Gaussian of two widths, turned.

    Shape: (H, W, C) -> the same; integers are rounded half up.

    Args:
        image: The picture.
        sigma: Standard deviations in pixels, along the direction of `angle` and across it; both above 0.
        angle: Direction in degrees, from the x axis to the y axis, which points down.

    Convention: the kernel ends at 4 times the larger sigma; the picture continues mirrored, the edge pixel repeated
        once. Widths far below a pixel are sampled, not integrated, and act as no blur.
    """
    radius = math.ceil(4.0 * max(sigma))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    along, across = (cosine * x + sine * y) / sigma[0], (cosine * y - sine * x) / sigma[1]
    weight = np.exp(-0.5 * (along**2 + across**2))
    weight /= weight.sum()
    height, width = image.shape[:2]
    padded = image.take(fold(np.arange(-radius, height + radius), height), axis=0)
    padded = padded.take(fold(np.arange(-radius, width + radius), width), axis=1)
    size = padded.shape[:2]
    spectrum = np.fft.rfft2(padded, axes=(0, 1)) * np.fft.rfft2(weight, size)[..., None]
    result = np.fft.irfft2(spectrum, size, axes=(0, 1))[2 * radius :, 2 * radius :]
    return quantise(result, image.dtype) if image.dtype.kind == "u" else result.astype(image.dtype)
