"""All that can be said about a picture, in one value, in JSON and in words."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kakudai.analyse.blocking import Grid, find_grid
from kakudai.analyse.drawn import drawn_probability
from kakudai.analyse.enlarged import enlarged_by
from kakudai.analyse.grey import is_grey
from kakudai.analyse.jpeg_file import JpegHistory
from kakudai.analyse.noise import noise_level
from kakudai.analyse.sample import areas
from kakudai.image.picture import Pixels

GRAIN = 1.5
"""Noise below this is not worth a word: rounding and texture come near it."""

SURE = 0.9
"""Probability from which "likely" is left out."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a picture is, and what was done to it.

    Args:
        width: Pixels across.
        height: Pixels down.
        jpeg: What the header of its file says, where that is a JPEG.
        grid: What JPEG has left in its pixels, whatever its file is now; None where nothing was found.
        noise: Standard deviation of the noise of a channel, in levels of 255; None if too little can be seen.
        drawn: How likely it is that it was drawn and not photographed, 0 to 1; None if too little can be seen.
        enlarged: By about how much it was enlarged before; 1.0 not at all; None if it is too small to tell.
        grey: All channels say the same, whether the file has one or three.
    """

    width: int
    height: int
    jpeg: JpegHistory | None
    grid: Grid | None
    noise: float | None
    drawn: float | None
    enlarged: float | None
    grey: bool

    @property
    def quality(self) -> int | None:
        """The lowest JPEG quality that the picture went through, 1 to 100 on libjpeg's scale; None where none shows.

        The header counts where there is one: pixels add only what happened before.
        """
        found = [self.jpeg.quality if self.jpeg else None, self.grid.earlier if self.grid else None]
        if self.grid and not self.jpeg:
            found.append(self.grid.quality)
        return min((quality for quality in found if quality is not None), default=None)

    @property
    def chroma(self) -> str | None:
        """How colour was kept by JPEG: "4:2:0", "4:4:4" ...; None where that is not known or there is no colour."""
        if self.jpeg:
            return None if self.jpeg.chroma == "grey" else self.jpeg.chroma
        return self.grid.chroma if self.grid else None

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold, rounded to what is known."""
        fields = asdict(self)
        for name, digits in (("noise", 2), ("drawn", 4)):
            fields[name] = None if fields[name] is None else round(fields[name], digits)
        return fields | {"quality": self.quality, "chroma": self.chroma}

    def describe(self) -> str:
        """Say it in one line: `photograph, JPEG quality 61, 4:2:0, noise 4.2`."""
        return ", ".join(word for word in (self._kind(), *self._compression(), *self._rest()) if word)

    def _kind(self) -> str:
        if self.drawn is None:
            return "too small to tell"
        kind, sure = ("drawn", self.drawn) if self.drawn > 0.5 else ("photograph", 1.0 - self.drawn)
        return kind if sure >= SURE else f"probably {'a ' if kind == 'photograph' else ''}{kind}"

    def _compression(self) -> list[str]:
        if self.jpeg is None and self.grid is None:
            return []
        words = [f"JPEG quality {self.jpeg.quality if self.jpeg else self.grid.quality if self.grid else 0}"]
        words += [self.chroma] if self.chroma else []
        if self.grid and self.grid.earlier and (not self.jpeg or self.grid.earlier < self.jpeg.quality):
            words.append(f"before that quality {self.grid.earlier}")
        if self.grid and not self.jpeg and (self.grid.x or self.grid.y):
            words.append("cropped since")
        return words

    def _rest(self) -> list[str]:
        return [
            f"noise {self.noise:.1f}" if self.noise is not None and self.noise >= GRAIN else "",
            f"enlarged before, about {self.enlarged:g}x" if self.enlarged is not None and self.enlarged > 1.0 else "",
            "grey" if self.grey else "",
        ]


def analyse_picture(pixels: Pixels, jpeg: JpegHistory | None = None, alpha: Pixels | None = None) -> Analysis:
    """Look at a picture.

    Shape: pixels (H, W, 1 | 3), alpha (H, W, 1) or None; uint8, uint16 or float in [0, 1]; any size from 1x1.

    Args:
        pixels: The colours.
        jpeg: What `read_jpeg_history` found in the bytes of the picture's file.
        alpha: Where it is 0, nothing is looked at.

    Convention: of pictures over a megapixel 16 squares of 256 pixels are looked at, always the same ones.
    """
    parts = areas(pixels, alpha)
    steps = None if jpeg is None or min(jpeg.steps) < 1 else np.array(jpeg.steps)
    grid = find_grid(parts, steps)
    return Analysis(
        width=int(pixels.shape[1]),
        height=int(pixels.shape[0]),
        jpeg=jpeg,
        grid=grid,
        noise=noise_level(parts),
        drawn=drawn_probability(parts),
        enlarged=enlarged_by(parts, None if grid is None else (grid.y, grid.x)),
        grey=is_grey(parts),
    )
