"""Colour spaces, each function named after its standard."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def luma_bt601_full(rgb: NDArray[Any]) -> NDArray[Any]:
    """Return Y = 0.299 R + 0.587 G + 0.114 B, in the range of the input. Shape: (..., 3) -> (..., 1)."""
    return 0.299 * rgb[..., :1] + 0.587 * rgb[..., 1:2] + 0.114 * rgb[..., 2:3]


def luma_bt601_studio(rgb: NDArray[Any]) -> NDArray[Any]:
    """Return Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255, not rounded. Shape: (..., 3) in 0..255 -> (..., 1)."""
    return 16.0 + (65.481 * rgb[..., :1] + 128.553 * rgb[..., 1:2] + 24.966 * rgb[..., 2:3]) / 255.0


def srgb_to_linear(encoded: NDArray[Any]) -> NDArray[np.float32]:
    """Decode sRGB values in [0, 1] to linear light in [0, 1], any shape. Source: IEC 61966-2-1."""
    x = np.asarray(encoded, np.float32)
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).astype(np.float32)


def linear_to_srgb(light: NDArray[Any]) -> NDArray[np.float32]:
    """Encode linear light as sRGB values; clipped to [0, 1] first, any shape. Source: IEC 61966-2-1."""
    x = np.clip(np.asarray(light, np.float32), 0.0, 1.0)
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055).astype(np.float32)
