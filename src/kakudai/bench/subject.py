"""Which networks are measured, and on which pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from kakudai.data.drawn import draw_picture
from kakudai.engine.loading import load_model
from kakudai.engine.machine import Numbers, adds_exactly, has_matrix_unit
from kakudai.engine.runtimes import RuntimeName
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
        numbers: What it computes with.
    """

    source: str
    model: Model
    numbers: Numbers = "float32"

    @property
    def name(self) -> str:
        """What to call it: a network of 8-bit numbers as the one that it does the work of."""
        return self.model.name.removesuffix(shipped.INT8)

    def runs_in(self, runtime: RuntimeName) -> bool:
        """Say whether a runtime has such numbers at all."""
        return self.numbers != "bfloat16" or runtime == "openvino"

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
    """Open the networks of some names: each as it is, in bfloat16 where the processor is made for that, and the one
    that does the same in int8.

    Raises:
        ModelError: One cannot be found or used.
    """
    found: list[list[Subject]] = []
    for name in dict.fromkeys(names):
        source = name if is_path(name) or is_folder(name) else shipped.file_of(name)
        short = None if Path(source).suffix else shipped.in_int8(source)
        model = load_model(source)
        group = [Subject(source, model, cast(Numbers, model.precision))]
        if has_matrix_unit() and model.precision == "float32":
            group.append(Subject(source, model, "bfloat16"))
        if short and adds_exactly():
            group.append(Subject(short, load_model(short), "int8"))
        found.append(group)
    return found


def photograph(width: int, height: int) -> Pixels:
    """Draw a picture of that size. Shape: (height, width, 3) uint8."""
    drawn = draw_picture("photo", 0, 0, DRAWN)
    more = [(0, max(0, height - DRAWN)), (0, max(0, width - DRAWN)), (0, 0)]
    return np.pad(drawn, more, mode="symmetric")[:height, :width]
