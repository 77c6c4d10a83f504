"""One result of a lineup: what made it, its pixels and its figures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.degrade.blur import gaussian_blur
from kakudai.evaluate.wanted import Wanted
from kakudai.image.picture import Pixels, full_scale
from kakudai.metrics import Consistency

CONSISTENT = ", consistent"
"""What stands behind the title of a result that was projected."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One result.

    Args:
        title: What made it.
        image: (H, W, 1 | 3), the region of the result.
        wanted: The model as the user named it; None for bicubic and the original.
        model: What to call the networks, as `kakudai upscale` does; None for bicubic and the original.
        strength: Of denoising, 0 to 100, as it was asked for or chosen; None for bicubic and the original.
        reason: Why these networks and that strength, where the picture decided; else empty.
        parameters: Weights and biases of the networks that ran; None where none ran.
        seconds: Wall time of the networks; None where none ran.
        megapixels: Output that they took that time for: more than is shown, and not the same for all networks.
        psnr: Luma PSNR of the region against the original, in decibels.
        back: How near the whole result is to the input when it is shrunk.
        added: (H, W) RMS difference to bicubic around each pixel, in levels of 255.
        consistent: It was projected.
    """

    title: str
    image: Pixels
    wanted: Wanted | None = None
    model: str | None = None
    strength: int | None = None
    reason: str = ""
    parameters: int | None = None
    seconds: float | None = None
    megapixels: float | None = None
    psnr: float | None = None
    back: Consistency | None = None
    added: NDArray[np.float32] | None = None
    consistent: bool = False

    @property
    def added_rms(self) -> float | None:
        """The root of the mean square of what was added; None where it was not mapped."""
        return None if self.added is None else float(np.sqrt(np.square(self.added, dtype=np.float64).mean()))

    def as_json(self) -> dict[str, Any]:
        """Return all but the pixels as plain values; infinity, which JSON does not know, as None."""
        back = self.back
        return {
            "title": self.title,
            "asked": str(self.wanted) if self.wanted else None,
            "model": self.model,
            "strength": self.strength,
            "reason": self.reason,
            "consistent": self.consistent,
            "parameters": self.parameters,
            "seconds": self.seconds,
            "megapixels": self.megapixels,
            "luma_psnr": _finite(self.psnr),
            "shrinks_back_psnr": _finite(back.psnr) if back else None,
            "shrinks_back_largest": back.largest if back else None,
            "added_rms": self.added_rms,
        }


def difference_map(a: Pixels, b: Pixels, sigma: float) -> NDArray[np.float32]:
    """Return how much two pictures differ around each pixel: RMS over channels and a Gaussian, in levels of 255.

    Shape: two (H, W, C) -> (H, W).

    Args:
        sigma: Standard deviation of the Gaussian, in pixels.
    """
    first, second = (image.astype(np.float32) * np.float32(255.0 / full_scale(image.dtype)) for image in (a, b))
    energy = np.square(first - second).mean(axis=2, keepdims=True)
    result: NDArray[np.float32] = np.sqrt(gaussian_blur(energy, sigma))[..., 0]
    return result


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
