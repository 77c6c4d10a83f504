"""Does an enlarged picture shrink back to the picture it was made from?"""

import math
from dataclasses import dataclass

import numpy as np

from kakudai.image.picture import Pixels, full_scale
from kakudai.image.resize import Kernel, eight_bits, imresize_matlab, quantise, resize
from kakudai.metrics.protocol import Protocol
from kakudai.metrics.psnr import psnr


@dataclass(frozen=True, slots=True)
class Consistency:
    """How near a shrunk result is to the input.

    Args:
        psnr: Over all channels in decibels, of 8-bit pictures; infinity where they are equal.
        largest: Largest difference, in levels of 255, after clipping and before rounding; rounding takes away what is
            below 0.5.
    """

    psnr: float
    largest: float


def consistency(large: Pixels, small: Pixels, kernel: Kernel = "bicubic") -> Consistency:
    """Shrink an enlarged picture and compare it with the picture it was made from.

    A network that invents much has a low figure; one that is right about all that the input shows has one above 45,
    whatever else it draws. Says nothing where the input was not made by the filter, or is damaged.

    Shape: large (H, W, C), small (h, w, C), uint8, uint16 or float32 in [0, 1], the same channels.

    Args:
        kernel: Filter of the shrink. Bicubic is the one of the published protocol, to the bit where both sizes have
            one whole ratio.

    Convention: no border is cut. The PSNR is of all channels, as LR-PSNR is, not of luma.
    Source: Lugmayr et al., "NTIRE 2021 learning the super-resolution space challenge", section 2.2, which asks for 45.
    """
    unit = 255.0 / full_scale(large.dtype)
    shrunk = resize(large.astype(np.float32) * np.float32(unit), small.shape[:2], kernel=kernel)
    np.clip(shrunk, 0.0, 255.0, out=shrunk)
    largest = float(np.abs(shrunk - small.astype(np.float32) * np.float32(255.0 / full_scale(small.dtype))).max())
    if kernel == "bicubic" and (ratio := whole_ratio(large, small)):
        seen = imresize_matlab(eight_bits(large), 1.0 / ratio)
    else:
        seen = quantise(shrunk, np.dtype(np.uint8))
    return Consistency(psnr(seen, eight_bits(small), Protocol("rgb")), largest)


def whole_ratio(large: Pixels, small: Pixels) -> int:
    """Return how many times larger a picture is, or 0 where that is no whole number for both sides."""
    ratio = math.ceil(large.shape[0] / small.shape[0])
    return ratio if large.shape[:2] == (ratio * small.shape[0], ratio * small.shape[1]) else 0
