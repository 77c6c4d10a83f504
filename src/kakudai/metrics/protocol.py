"""What is compared before any formula is applied: which channel, which border, which rounding.

Published tables differ by up to 2 dB for the same pictures because these choices are left unsaid. Here they are one
value, an argument of every metric, and stored beside every figure as text.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakudai.image.color import luma_bt601_studio
from kakudai.image.picture import Pixels, full_scale

Channel: TypeAlias = Literal["luma_bt601_studio", "rgb"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to compare two pictures of the same size.

    Args:
        channel: "luma_bt601_studio" compares Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255, kept as a float, of
            pictures that were rounded to 8 bits; "rgb" compares all channels. A picture of one channel is compared as
            it is in both.
        shave: Pixels cut off each side first. Published tables cut `scale` pixels.

    Convention: values are in 0..255 with a peak of 255, also for luma, whose range is 16..235.
    Source: the evaluation scripts of EDSR and RCAN (MATLAB `rgb2ycbcr` on doubles), used by the field since 2017.
    """

    channel: Channel = "luma_bt601_studio"
    shave: int = 0

    @classmethod
    def published(cls, scale: int) -> "Protocol":
        """Return the protocol of the tables in the literature for one enlargement factor."""
        return cls("luma_bt601_studio", scale)

    def __str__(self) -> str:
        return f"{self.channel}, shave {self.shave}, 8-bit"

    def prepare(self, image: Pixels) -> NDArray[np.float64]:
        """Take from a picture what is compared.

        Shape: (H, W, 1 | 3) uint8, uint16 or float32 -> (H - 2 shave, W - 2 shave, 1 | 3) float64 in 0..255.
        """
        height, width = image.shape[:2]
        if min(height, width) <= 2 * self.shave:
            raise ValueError(f"a picture of {width}x{height} has nothing left after shaving {self.shave} pixels a side")
        kept = image[self.shave : height - self.shave, self.shave : width - self.shave]
        rounded = np.floor(np.clip(kept.astype(np.float64) * (255.0 / full_scale(image.dtype)), 0, 255) + 0.5)
        if self.channel == "luma_bt601_studio" and image.shape[2] == 3:
            return luma_bt601_studio(rounded)
        return rounded


def prepare_both(a: Pixels, b: Pixels, protocol: Protocol) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Prepare two pictures for comparison.

    Raises:
        ValueError: The pictures differ in size or channels, or are smaller than the shaved border.
    """
    if a.ndim != 3 or a.shape != b.shape:
        raise ValueError(f"pictures to compare must have the same (H, W, C), got {a.shape} and {b.shape}")
    return protocol.prepare(a), protocol.prepare(b)
