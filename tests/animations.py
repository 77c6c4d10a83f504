"""Small animations for tests."""

from fractions import Fraction

import numpy as np

from kakudai.image.animation import Frame
from kakudai.image.animation_writing import Show, animation_pieces
from kakudai.image.formats import FORMATS
from kakudai.image.picture import Picture


def background(height: int = 40, width: int = 60) -> np.ndarray:
    """A soft picture of few colours."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x // 10 * 40, y // 10 * 50, 200 - x // 20 * 30], axis=2).astype(np.uint8)


def moving_square(count: int) -> list[Picture]:
    """A white square wanders over it."""
    frames = []
    for number in range(count):
        color = background()
        color[10:20, 5 + 4 * number : 15 + 4 * number] = 255
        frames.append(Picture(color))
    return frames


def swing() -> list[Picture]:
    """Nine frames, of which three are different."""
    return [moving_square(3)[at] for at in (0, 1, 2, 1, 0, 0, 1, 2, 2)]


def animated(pictures: list[Picture], name: str, times: list[Fraction], plays: int = 0) -> bytes:
    """Encode an animation."""
    frames = (Frame(picture, seconds) for picture, seconds in zip(pictures, times, strict=True))
    return b"".join(animation_pieces(frames, FORMATS[name], Show(len(pictures), plays), []))
