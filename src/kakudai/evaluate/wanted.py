"""What to compare, as the user writes it: models with strengths, and a region of a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kakudai.errors import UsageError
from kakudai.image.picture import Pixels

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
