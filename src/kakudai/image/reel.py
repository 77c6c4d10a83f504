"""An opened animation, as its decoder gives it."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from kakudai.image.picture import Pixels
from kakudai.image.vips import Fields


@dataclass(frozen=True, slots=True)
class Reel:
    """Frames that are decoded one after the other, once.

    Args:
        width: Of the canvas, in pixels, as the file lies.
        height: Likewise.
        count: Frames that the file states.
        plays: How often it is shown; 0 is for ever.
        fields: Metadata blocks.
        frames: Whole frames, (H, W, 1 to 4) with alpha last, and for how many seconds each is shown.
        turn: The EXIF orientation to be applied, where the decoder knows better than the EXIF block; else 0.
    """

    width: int
    height: int
    count: int
    plays: int
    fields: Fields
    frames: Iterator[tuple[Pixels, Fraction]]
    turn: int = 0
