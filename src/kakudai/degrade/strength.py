"""Damage of every strength from 0 to 1, and what the number means: the scale that `--denoise` counts on, in hundredths.

A restoring network is told how strong the damage is that it should undo, as FFDNet is told the noise level. A number
that means JPEG's quality and the noise of a sensor alike lets one file serve every picture.

| strength | 0     | .14 | .20 | .28 | .35 | .40 | .45 | .50 | .58 | .71 | 1  |
|----------|-------|-----|-----|-----|-----|-----|-----|-----|-----|-----|----|
| quality  | clean | 95  | 90  | 80  | 70  | 60  | 50  | 40  | 30  | 20  | 10 |
| sigma    | 0     | 6   | 8   | 11  | 14  | 16  | 18  | 20  | 23  | 28  | 40 |

Sources: Zhang, Zuo, Zhang, "FFDNet", IEEE Transactions on Image Processing 27(9), 2018; the scaling of quantisation
tables by quality is libjpeg's.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakudai.degrade.jpeg import BLOCK, Chroma, jpeg
from kakudai.degrade.noise import gaussian_noise

DamageKind: TypeAlias = Literal["photo", "art"]
"""What pictures of a kind go through: drawings are compressed, and hardly ever noisy."""

LARGEST_SIGMA = 40.0
"""Standard deviation of the noise of strength 1, in levels of 255."""

WORST_STEPS = 5.0
"""How many times coarser than its tables libjpeg quantises at strength 1: that is quality 10."""

KINDS = ("once", "twice", "noise", "noise, once")
RATES: dict[DamageKind, tuple[float, float, float, float]] = {
    "photo": (0.55, 0.15, 0.15, 0.15),
    "art": (0.7, 0.2, 0.05, 0.05),
}
"""How often damage is JPEG once, JPEG twice, noise alone, and noise that was then compressed."""

CLEAN_RATE = 0.12
"""Share of the pictures that stay clean, told so: strength 0 must change nothing."""

SPREAD = (1.2, 2.8)
"""Usual shape of the beta distribution that strengths are drawn from: half of them are below 0.3, JPEG quality 77. What
can be gained at strong damage is gained quickly; most pictures have little, and there the details are."""

JITTER = 0.02
"""Standard deviation of the error of the strength that a network is told: in use it will be estimated."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A damaged picture.

    Shape:
        image: as it was given.

    Args:
        image: The picture.
        strength: Of its damage, 0 to 1.
    """

    image: NDArray[np.uint8]
    strength: float


def strength_of_quality(quality: float) -> float:
    """Return the strength of JPEG damage, 0 to 1.

    Args:
        quality: On libjpeg's scale, 1 to 100; what is below 10 counts as 10.
    """
    steps = 2 - quality / 50 if quality >= 50 else 50 / max(quality, 1)
    return min(1.0, math.sqrt(max(steps, 0.0) / WORST_STEPS))


def quality_of_strength(strength: float) -> int:
    """Return the JPEG quality, 10 to 100, whose damage has a strength: the inverse of `strength_of_quality`."""
    steps = WORST_STEPS * strength**2
    return round(100 - 50 * steps if steps <= 1 else 50 / steps)


def strength_of_noise(sigma: float) -> float:
    """Return the strength of Gaussian noise, 0 to 1.

    Args:
        sigma: Standard deviation in levels of 255.
    """
    return min(1.0, sigma / LARGEST_SIGMA)


def together(*strengths: float) -> float:
    """Return the strength of several kinds of damage at once, which add up as independent errors do."""
    return min(1.0, math.hypot(*strengths))


def add_damage(
    image: NDArray[np.uint8], kind: DamageKind, rng: np.random.Generator, spread: tuple[float, float] = SPREAD
) -> Damaged:
    """Damage a picture by a random amount.

    Shape: (H, W, 3) uint8 -> the same.

    Args:
        image: The picture.
        kind: What it goes through.
        rng: Decides.
        spread: Alpha and beta of the beta distribution that strengths above 0.05 are drawn from.
    """
    if rng.random() < CLEAN_RATE:
        return Damaged(image, 0.0)
    strength = 0.05 + 0.95 * float(rng.beta(*spread))
    way = KINDS[int(rng.choice(len(KINDS), p=RATES[kind]))]
    chroma: Chroma = "4:2:0" if rng.random() < 0.6 else "4:4:4"
    share = float(rng.uniform(0.3, 0.9)) if way == "noise, once" else float(way == "noise")
    if share:
        sigma = LARGEST_SIGMA * strength * share
        image = gaussian_noise(image, sigma, rng, grey=bool(rng.random() < 0.3)).astype(np.uint8)
    if way != "noise":
        quality = quality_of_strength(strength * math.sqrt(1 - share**2))
        if way == "twice":
            row, column = rng.integers(0, BLOCK, 2).tolist()
            image = jpeg(image, int(rng.integers(quality, 100)), chroma=chroma, shift=(row, column))
        image = jpeg(image, quality, chroma=chroma)
    return Damaged(image, strength)


def roughly(strength: float, rng: np.random.Generator) -> float:
    """Return the strength that a network is told while it learns, 0 to 1: nearly the true one, and 0 for 0."""
    return float(np.clip(strength + JITTER * rng.standard_normal(), 0.0, 1.0)) if strength else 0.0
