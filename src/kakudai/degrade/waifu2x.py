"""waifu2x's noise levels 0 to 3, for art and for photographs: JPEG of random quality, up to three times.

A level has a name in recipes: "art-1", "photo-3". Not every crop of a training set gets the noise: with the probability
1 - `noise_rate(name)` it stays clean, so that the network learns to leave clean pictures alone.

| style | level | passes                                                                                 | rate |
|-------|-------|----------------------------------------------------------------------------------------|------|
| art   | 0     | one of quality 85-95                                                                   | 0.65 |
| art   | 1     | one of 65-85                                                                           | 0.65 |
| art   | 2, 3  | 60 %: one of 27-70; 30 %: 37-70, then 5-10 less; 10 %: 52-70, 5-15 less, 15-25 less    | 0.65, 1 |
| photo | 0     | one of 85-95                                                                           | 0.3  |
| photo | 1 - 3 | one of 37-70                                                                           | 0.3, 0.6, 1 |

Half of the pictures lose half of their colour's resolution (4:2:0), in all their passes.

Source: nagadomi/waifu2x, the settings and the noise model of its training (2015 to 2018).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from kakudai.degrade.jpeg import Chroma, jpeg_chain
from kakudai.errors import RecipeError

Style: TypeAlias = Literal["art", "photo"]

NOISE_RATE: dict[Style, tuple[float, float, float, float]] = {
    "art": (0.65, 0.65, 0.65, 1.0),
    "photo": (0.3, 0.3, 0.6, 1.0),
}
"""Share of the training crops that get the noise, by style and level."""

CHROMA_SUBSAMPLING_RATE = 0.5
"""Share of the pictures that are compressed with colour at half resolution."""


@dataclass(frozen=True, slots=True)
class Compression:
    """How one picture is compressed.

    Args:
        qualities: One per pass, the first pass first.
        chroma: The same for all passes.
    """

    qualities: tuple[int, ...]
    chroma: Chroma


def draw_compression(style: Style, level: int, rng: np.random.Generator) -> Compression:
    """Choose the qualities and the colour resolution of one picture, as the table above says.

    Args:
        style: "art" or "photo".
        level: 0 to 3.
        rng: Decides.
    """
    chroma: Chroma = "4:2:0" if rng.random() < CHROMA_SUBSAMPLING_RATE else "4:4:4"
    if level == 0:
        return Compression((_between(85, 95, rng),), chroma)
    if style == "photo":
        return Compression((_between(37, 70, rng),), chroma)
    if level == 1:
        return Compression((_between(65, 85, rng),), chroma)
    choice = rng.random()
    if choice < 0.6:
        return Compression((_between(27, 70, rng),), chroma)
    if choice < 0.9:
        first = _between(37, 70, rng)
        return Compression((first, first - _between(5, 10, rng)), chroma)
    first = _between(52, 70, rng)
    return Compression((first, first - _between(5, 15, rng), first - _between(15, 25, rng)), chroma)


def waifu2x_noise(
    image: NDArray[np.uint8],
    style: Style,
    level: int,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Compress a picture as waifu2x does for one of its noise levels. Always: the rate is the caller's business.

    Shape: (H, W, 1) or (H, W, 3) uint8 -> the same.

    Convention: the grid of 8x8 squares starts at the top left corner of `image`. waifu2x compresses whole pictures and
        crops afterwards; who passes a crop should cut it with a random margin of 0 to 7 pixels and take that off again.
    """
    compression = draw_compression(style, level, rng)
    return jpeg_chain(image, compression.qualities, chroma=compression.chroma)


def noise_named(image: NDArray[np.uint8], name: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Compress a picture as `waifu2x_noise` does for a level by its name in a recipe: "art-1".

    Raises:
        RecipeError: There is no such style or level.
    """
    style, level = parse_noise(name)
    return waifu2x_noise(image, style, level, rng)


def noise_rate(name: str) -> float:
    """Return the share of crops that waifu2x itself gives this noise to.

    Raises:
        RecipeError: There is no such style or level.
    """
    style, level = parse_noise(name)
    return NOISE_RATE[style][level]


def parse_noise(name: str) -> tuple[Style, int]:
    """Split "photo-2" into its style and its level.

    Raises:
        RecipeError: There is no such style or level.
    """
    known: dict[str, tuple[Style, int]] = {
        f"{style}-{level}": (style, level) for style in get_args(Style) for level in range(4)
    }
    if name not in known:
        raise RecipeError(f"no noise is called {name!r}", f"the noises are {', '.join(known)}")
    return known[name]


def _between(low: int, high: int, rng: np.random.Generator) -> int:
    """Draw a whole number, both ends included."""
    return int(rng.integers(low, high, endpoint=True))
