"""Colour spaces, each function named after its standard."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LUMA_BT601 = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in full-range luma. Source: ITU-R BT.601-7, section 2.5.1."""


def luma_bt601_full(rgb: NDArray[Any]) -> NDArray[Any]:
    """Return full-range luma, 0.299 R + 0.587 G + 0.114 B.

    Shape: (..., 3) -> (..., 1), in the range of the input; integers become float64, floats keep their type.
    Convention: black is 0 and white the input's own white, as in JPEG. Not rounded, R, G, B not linearised.
    Source: ITU-R BT.601-7, section 2.5.1.
    """
    red, green, blue = LUMA_BT601
    return red * rgb[..., :1] + green * rgb[..., 1:2] + blue * rgb[..., 2:3]


def luma_bt601_studio(rgb: NDArray[Any]) -> NDArray[Any]:
    """Return studio-range luma, 16 + (65.481 R + 128.553 G + 24.966 B) / 255: the Y of published PSNR.

    Shape: (..., 3) in 0..255 -> (..., 1) in 16..235; integers become float64, floats keep their type.
    Convention: black is 16 and white 235; not rounded, where MATLAB's `rgb2ycbcr` rounds for integers.
    Source: ITU-R BT.601-7, section 2.5.3, with MATLAB's coefficients.
    """
    return 16.0 + (65.481 * rgb[..., :1] + 128.553 * rgb[..., 1:2] + 24.966 * rgb[..., 2:3]) / 255.0


def srgb_to_linear(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return the light that sRGB values stand for, in float32.

    Shape: any, 1.0 is white. Values below 0 stay on the straight line, those above 1 on the curve.
    Convention: the two-piece curve with the joint at 0.04045, not a power of 2.2.
    Source: IEC 61966-2-1:1999, section 5.2.
    """
    encoded = np.asarray(values, np.float32)
    curve = np.power((np.maximum(encoded, 0) + np.float32(0.055)) / np.float32(1.055), np.float32(2.4))
    return np.where(encoded <= 0.04045, encoded / np.float32(12.92), curve)


def linear_to_srgb(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return the sRGB values for light, in float32: the inverse of `srgb_to_linear`.

    Shape: any, 1.0 is white.
    Convention: the joint is at 0.0031308.
    Source: IEC 61966-2-1:1999, section 5.3.
    """
    light = np.asarray(values, np.float32)
    root = np.power(np.maximum(light, np.float32(0.0031308)), np.float32(1 / 2.4))
    return np.where(light <= 0.0031308, light * np.float32(12.92), np.float32(1.055) * root - np.float32(0.055))
