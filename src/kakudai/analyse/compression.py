"""What JPEG did to a picture: what its file says, and what its pixels say of what happened before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kakudai.analyse.blocking import Grid, find_grid
from kakudai.analyse.jpeg_file import JpegHistory
from kakudai.analyse.quantisation import tables
from kakudai.analyse.requantised import STRONGER
from kakudai.analyse.sample import Area

WORSE = 10
"""By how much quality of colour is lower where that is worth a word."""


@dataclass(frozen=True, slots=True)
class Compression:
    """What JPEG did to a picture.

    Args:
        jpeg: What the header of its file says, where that is a JPEG.
        grid: What JPEG has left in its pixels, whatever its file is now; None where nothing was found.
    """

    jpeg: JpegHistory | None = None
    grid: Grid | None = None

    @property
    def last(self) -> int | None:
        """Quality of the last compression, 1 to 100 on libjpeg's scale; None where there is no sign of any."""
        if self.jpeg:
            return self.jpeg.quality
        return self.grid.quality if self.grid else None

    @property
    def earlier(self) -> int | None:
        """Quality of a stronger compression before the last one; None where none was found.

        Behind a header, that is also the grid that was found in the pixels, if it is not that of the header's tables.
        """
        found = [quality for quality in (self.grid.quality, self.grid.earlier) if quality] if self.grid else []
        return min((quality for quality in found if self.last and _stronger(quality, self.last)), default=None)

    @property
    def quality(self) -> int | None:
        """The lowest quality that the picture went through: what its damage is measured by."""
        return self.earlier or self.last

    @property
    def is_stated(self) -> bool:
        """Whether the quality is what the header of the file says; else it was found in the pixels."""
        return self.jpeg is not None and self.earlier is None

    @property
    def chroma_quality(self) -> int | None:
        """Quality of colour, likewise; None where there is none, or no header says it."""
        return self.jpeg.chroma_quality if self.jpeg and self.is_stated else None

    @property
    def chroma(self) -> str | None:
        """How colour was kept: "4:2:0", "4:4:4" ...; None where it is not known, for grey and for CMYK."""
        if self.jpeg:
            return None if self.jpeg.chroma in ("grey", "CMYK") else self.jpeg.chroma
        return self.grid.chroma if self.grid else None

    @property
    def cropped(self) -> bool:
        """Whether the picture was cropped since its last compression."""
        return self.jpeg is None and self.grid is not None and (self.grid.x, self.grid.y) != (0, 0)

    def describe(self) -> str:
        """Say it in a few words: "JPEG quality 95, 4:2:0, before that 30"; "" where there is no sign of any."""
        if self.last is None:
            return ""
        words = [f"JPEG quality {self.last}"]
        if self.chroma_quality is not None and self.chroma_quality < self.last - WORSE:
            words.append(f"{self.chroma_quality} for colour")
        words += [self.chroma] if self.chroma else []
        words += [f"before that {self.earlier}"] if self.earlier else []
        return ", ".join(words)


def find_compression(areas: Sequence[Area], jpeg: JpegHistory | None = None) -> Compression:
    """Look for what JPEG did to a picture.

    Args:
        areas: Parts of the picture.
        jpeg: What `read_jpeg_history` found in the bytes of its file.
    """
    stated = None if jpeg is None or min(jpeg.steps) < 1 else np.array(jpeg.steps)
    return Compression(jpeg, find_grid(areas, stated))


def _stronger(quality: int, last: int) -> bool:
    """Say whether steps of a quality are so much larger that it is not the last one, seen a little wrongly."""
    steps = tables("luma").mean(axis=(1, 2))
    return bool(steps[quality - 1] > STRONGER * steps[last - 1])
