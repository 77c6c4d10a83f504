"""From a wish (a scale, a width, a box to fit into) to what is done: so many network passes, then one exact resize."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kakudai.errors import UsageError

MIN_SCALE, MAX_SCALE = 0.1, 16.0

Denoising: TypeAlias = Literal["no", "before", "within"]
"""Noise is not removed; by a network of its own before all else; or by the first pass, which enlarges as well."""


@dataclass(frozen=True, slots=True)
class Size:
    """What the user asked for. At most one of scale, (width, height) and fit is given; nothing means twice.

    Args:
        scale: Output pixels per input pixel, 0.1 to 16.
        width: Width of the output; the height follows unless it is given too.
        height: Height of the output; the width follows unless it is given too.
        fit: Width and height of a box that the output fills as far as its shape allows.

    Raises:
        UsageError: A value is out of range or is no number, or two wishes contradict each other.
    """

    scale: float | None = None
    width: int | None = None
    height: int | None = None
    fit: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and not MIN_SCALE <= self.scale <= MAX_SCALE:
            raise UsageError(
                f"the scale is {self.scale:g}",
                f"accepted are {MIN_SCALE:g} to {MAX_SCALE:g}, for example --scale 2",
            )
        wishes = [
            self.scale is not None,
            self.width is not None or self.height is not None,
            self.fit is not None,
        ]
        if sum(wishes) > 1:
            raise UsageError("scale, width/height and fit exclude each other", "give one of them")
        for name, value in zip(
            ("width", "height", "fit", "fit"), (self.width, self.height, *(self.fit or ())), strict=False
        ):
            if value is not None and (int(value) != value or value < 1):
                raise UsageError(f"the {name} is {value}", "accepted are whole numbers of pixels from 1")

    def of(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) of the output for an input of that size, rounded half up, at least 1.

        Raises:
            UsageError: The output would be more than 16 times larger than the input. A thumbnail may be as small as
                anybody likes.
        """
        scale = self.scale if self.scale is not None else 2.0
        wanted_height, wanted_width = self.height, self.width
        if self.fit is not None:
            scale = min(self.fit[0] / width, self.fit[1] / height)
        elif wanted_width is not None:
            scale = wanted_width / width
        elif wanted_height is not None:
            scale = wanted_height / height
        size = (wanted_height or _round(scale * height), wanted_width or _round(scale * width))
        ratio = max(size[0] / height, size[1] / width)
        if ratio > MAX_SCALE:
            raise UsageError(
                f"{width}x{height} to {size[1]}x{size[0]} is {ratio:.3g} times larger",
                f"accepted are up to {MAX_SCALE:g} times",
            )
        return size


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to one picture.

    Args:
        passes: How often a network enlarges, each time the result of the last.
        size: (height, width) of the output; where the passes do not end there, an exact resize follows.
        denoising: Whether noise is removed, and when; never more than once.
    """

    passes: int
    size: tuple[int, int]
    denoising: Denoising = "no"

    @property
    def runs(self) -> int:
        """How often a network runs."""
        return self.passes + (self.denoising == "before")


@dataclass(frozen=True, slots=True)
class Means:
    """Which networks there are for one wish.

    Args:
        scale: Enlargement factor of those that enlarge; 1 where none does.
        enlarges: There is a network that only enlarges.
        denoises: There is a network that removes noise, and it is wanted.
        combined: There is a network that does both, and it is wanted.
    """

    scale: int
    enlarges: bool = True
    denoises: bool = False
    combined: bool = False


def make_plan(height: int, width: int, wish: Size, means: Means) -> Plan:
    """Decide how to reach a size with networks of a fixed scale: as few passes as reach it, then shrink.

    Noise is removed once: by the first pass where a network does both, else before it. To keep the size, the network
    that removes noise is run alone; where there is none, the combined one, and its result is shrunk.
    """
    size = wish.of(height, width)
    ratio = max(size[0] / height, size[1] / width)
    passes = 0
    if means.scale > 1 and ratio > 1:
        passes = max(1, math.ceil(math.log(ratio) / math.log(means.scale) - 1e-9))
        passes -= _is_reached(height, width, size, means.scale ** (passes - 1))
    if means.combined and (passes or not means.denoises):
        return Plan(max(1, passes if means.enlarges else 1), size, "within")
    return Plan(passes if means.enlarges else 0, size, "before" if means.denoises else "no")


def _is_reached(height: int, width: int, size: tuple[int, int], scale: int) -> bool:
    """Say whether a scale already gives the size: 2.001 times 10 pixels is 20, and no reason for a second pass."""
    return scale > 1 and height * scale >= size[0] and width * scale >= size[1]


def _round(value: float) -> int:
    return max(1, math.floor(value + 0.5))
