"""What to compare, and as the user writes it: models with strengths, a region of a picture, and how to show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from kakudai.engine.plan import MAX_SCALE
from kakudai.errors import UsageError
from kakudai.image.picture import Pixels

Filter: TypeAlias = Literal["bicubic", "lanczos3", "box", "triangle"]
"""What results may be shrunk with: the kernels of `resize` that pictures are made small with."""

REGION = (96, 72)
"""Width and height of the region where none is named, in pixels."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model as the user names it.

    Args:
        model: Name, path or folder.
        strength: Of denoising, 0 to 100; None where none was given.
    """

    model: str
    strength: int | None = None

    def __str__(self) -> str:
        return self.model if self.strength is None else f"{self.model}@{self.strength}"


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int

    def cut(self, image: Pixels) -> Pixels:
        """Return the part of an (H, W, C) picture."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be shown.

    Args:
        scale: Enlargement, 1 to 16.
        models: At least one.
        region: In input pixels.
        reference: The true large picture, of the size of the results or up to a scale larger, or None.
        fidelity: Enlarge all of the picture, shrink it back, and map what was added to bicubic.
        consistent: Show each result once more, projected so that it shrinks back to the input.
        kernel: Filter that results are shrunk with.
        shave: Pixels cut off each side of the enlarged region before PSNR is measured.

    Raises:
        UsageError: The scale is out of range, or is 1 where results are to be consistent.
    """

    scale: float
    models: Sequence[Wanted]
    region: Region
    reference: Pixels | None = None
    fidelity: bool = False
    consistent: bool = False
    kernel: Filter = "bicubic"
    shave: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.scale <= MAX_SCALE:
            raise UsageError(f"the scale is {self.scale:g}", f"models are compared at scales from 1 to {MAX_SCALE:g}")
        if self.consistent and self.scale == 1:
            raise UsageError("at scale 1 nothing but the input shrinks back to it", "leave --consistent out")

    @property
    def whole_scale(self) -> int | None:
        """The scale where it is a whole number: parts of a picture are then enlarged as the whole is."""
        return int(self.scale) if self.scale == int(self.scale) else None

    @property
    def plain_title(self) -> str:
        """What everything is compared with."""
        return "bicubic" if self.scale > 1 else "input"

    @property
    def cards(self) -> int:
        """How many results there will be: bicubic, those of the models, and the original."""
        return 1 + len(self.models) * (1 + self.consistent) + (self.reference is not None)


def parse_models(words: Sequence[str]) -> list[Wanted]:
    """Read "photo,art@40,models/cunet@50"; a path that exists is taken as it is, with its commas and @.

    Raises:
        UsageError: There is none, or a strength is none.
    """
    parts = [part for word in words for part in ([word] if _exists(word) else word.split(","))]
    wanted = [_parse_model(part.strip()) for part in parts if part.strip()]
    if not wanted:
        raise UsageError("no model is named", "for example: --models photo,photo@40")
    return list(dict.fromkeys(wanted))


def _parse_model(text: str) -> Wanted:
    model, at, strength = text.rpartition("@")
    if not at or _exists(text):
        return Wanted(text)
    accepted = "accepted is MODEL@0 to MODEL@100, for example photo@40"
    if not model:
        raise UsageError(f"no model is named before {text!r}", accepted)
    if not (strength.isdecimal() and strength.isascii()) or len(strength) > 3 or int(strength) > 100:
        raise UsageError(f"the strength of {model} is {strength!r}", accepted)
    return Wanted(model, int(strength))


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def parse_region(text: str | None, height: int, width: int) -> Region:
    """Read "X,Y,W,H" for a picture of some size; None is the middle.

    Raises:
        UsageError: It is something else, or not inside the picture.
    """
    if text is None:
        across, down = min(REGION[0], width), min(REGION[1], height)
        return Region((width - across) // 2, (height - down) // 2, across, down)
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(part.isdecimal() and part.isascii() and len(part) < 10 for part in parts):
        raise UsageError(f"the region is {text!r}", "accepted is X,Y,W,H in pixels of the input, such as 120,80,96,72")
    region = Region(*map(int, parts))
    if not (region.width and region.height):
        raise UsageError(f"the region {text} is empty", "width and height are at least 1")
    if region.left + region.width > width or region.top + region.height > height:
        raise UsageError(
            f"the region {text} ends outside the picture, which is {width}x{height}",
            "accepted is X,Y,W,H in pixels of the input",
        )
    return region
