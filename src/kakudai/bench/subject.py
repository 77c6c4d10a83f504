"""Which networks are measured, and on which pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kakudai.data.drawn import draw_picture
from kakudai.engine.loading import load_model
from kakudai.engine.machine import adds_exactly
from kakudai.image.picture import Pixels
from kakudai.models import Model, shipped
from kakudai.models.catalogue import is_folder, is_path

MIDDLING = 50
"""The strength, 0 to 100, that networks are told that take one; their time does not depend on it."""

DRAWN = 512
"""Side of the picture that all sizes are made of, by mirror images: its texture at every place."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A network to be measured.

    Args:
        source: What -m takes.
        model: The network itself.
    """

    source: str
    model: Model

    @property
    def name(self) -> str:
        """What to call it: a network of 8-bit numbers as the one that it does the work of."""
        return self.model.name.removesuffix(shipped.INT8)

    def megapixels(self, image: Pixels) -> float:
        """Count the pixels of the result, in millions."""
        height, width = map(int, image.shape[:2])
        return height * width * self.model.scale * self.model.scale / 1e6

    def macs(self, image: Pixels) -> float:
        """Count the multiply-adds for a picture; 0 where the network's card does not say."""
        per_pixel = float(self.model.card.get("macs_per_output_pixel", 0))
        return per_pixel * self.megapixels(image) * 1e6


def usual_names(*, full: bool) -> list[str]:
    """Name the networks that people get who name none, or all that words of the family stand for; if they are shipped.

    Args:
        full: All: also the fast ones and the best, which alone would take most of the time.
    """
    files = dict.fromkeys(map(shipped.file_of, shipped.WORDS if full else shipped.STYLES))
    return [name for name in files if shipped.is_shipped(name)]


def find_subjects(names: Sequence[str]) -> list[list[Subject]]:
    """Open the networks of some names: for each, the one that was named, and the one that does the same in int8.

    Raises:
        ModelError: One cannot be found or used.
    """
    found: list[list[Subject]] = []
    for name in dict.fromkeys(names):
        source = name if is_path(name) or is_folder(name) else shipped.file_of(name)
        short = None if Path(source).suffix else shipped.in_int8(source)
        sources = [source, short] if short and adds_exactly() else [source]
        found.append([Subject(source, load_model(source)) for source in sources])
    return found


def photograph(width: int, height: int) -> Pixels:
    """Draw a picture of that size. Shape: (height, width, 3) uint8."""
    drawn = draw_picture("photo", 0, 0, DRAWN)
    more = [(0, max(0, height - DRAWN)), (0, max(0, width - DRAWN)), (0, 0)]
    return np.pad(drawn, more, mode="symmetric")[:height, :width]
