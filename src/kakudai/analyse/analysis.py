"""All that can be said about a picture, in one value, in JSON and in words."""

from dataclasses import asdict, dataclass
from typing import Any

from kakudai.analyse.compression import Compression, find_compression
from kakudai.analyse.drawn import TINY, drawn_probability, visible_pixels
from kakudai.analyse.enlarged import enlarged_by
from kakudai.analyse.grey import is_grey
from kakudai.analyse.jpeg_file import JpegHistory
from kakudai.analyse.noise import noise_level
from kakudai.analyse.quantisation import BLOCK
from kakudai.analyse.sample import areas
from kakudai.image.picture import Pixels

WORTH_SAYING = 1.5
"""Noise from which it is worth a word, in levels of 255: rounding and texture come near it."""

SURE = 0.9
"""Probability from which "likely" is left out."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a picture is, and what was done to it.

    Args:
        width: Pixels across.
        height: Pixels down.
        compression: What JPEG did to it.
        noise: Standard deviation of the noise of a channel, in levels of 255; None if too little can be seen.
        drawn: How likely it is that it was drawn and not photographed, 0 to 1; None if too little can be seen.
        enlarged: By about how much it was enlarged before; 1.0 not at all; None if too little can be seen.
        grey: All channels say the same, whether the file has one or three; None if nothing can be seen.
        visible: Something can be seen: alpha is not 0 everywhere.
    """

    width: int
    height: int
    compression: Compression
    noise: float | None
    drawn: float | None
    enlarged: float | None
    grey: bool | None
    visible: bool = True

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold, rounded to what is known; what JPEG did stands beside the rest."""
        fields = asdict(self)
        fields |= fields.pop("compression")
        for name, digits in (("noise", 2), ("drawn", 4)):
            fields[name] = None if fields[name] is None else round(fields[name], digits)
        found = self.compression
        return fields | {"quality": found.quality, "earlier": found.earlier, "chroma": found.chroma}

    def describe(self) -> str:
        """Say it in one line: `photograph, JPEG quality 61, 4:2:0, noise 4.2`."""
        compression = [self.compression.describe(), "cropped since" if self.compression.cropped else ""]
        return ", ".join(word for word in (self._kind(), *compression, *self._rest()) if word)

    def _kind(self) -> str:
        return describe_kind(self.drawn, self.width, self.height, visible=self.visible)

    def _rest(self) -> list[str]:
        return [
            f"noise {self.noise:.1f}" if self.noise is not None and self.noise >= WORTH_SAYING else "",
            f"enlarged before, about {self.enlarged:g}x" if self.enlarged is not None and self.enlarged > 1.0 else "",
            "grey" if self.grey else "",
        ]


def describe_kind(drawn: float | None, width: int, height: int, *, visible: bool) -> str:
    """Say what a picture of that size is, by the probability that it was drawn: `photograph`, `probably drawn`."""
    if not visible:
        return "nothing visible"
    if drawn is None:
        narrow = min(width, height) < BLOCK and width * height >= TINY
        return "too narrow to tell" if narrow else "too small to tell"
    kind, sure = ("drawn", drawn) if drawn > 0.5 else ("photograph", 1.0 - drawn)
    return kind if sure >= SURE else f"probably {'a ' if kind == 'photograph' else ''}{kind}"


def analyse_picture(
    pixels: Pixels, jpeg: JpegHistory | None = None, alpha: Pixels | None = None, *, by_camera: bool = False
) -> Analysis:
    """Look at a picture.

    Shape: pixels (H, W, 1 | 3), alpha (H, W, 1) or None; uint8, uint16 or float in [0, 1]; any size from 1x1.

    Args:
        pixels: The colours.
        jpeg: What `read_jpeg_history` found in the bytes of the picture's file.
        alpha: Where it is 0, nothing is looked at.
        by_camera: A camera has written the file, see `is_by_camera`.

    Convention: of pictures over a megapixel 16 squares of 256 pixels are looked at, always the same ones.
    """
    parts = areas(pixels, alpha)
    compression = find_compression(parts, jpeg)
    return Analysis(
        width=int(pixels.shape[1]),
        height=int(pixels.shape[0]),
        compression=compression,
        noise=noise_level(parts),
        drawn=drawn_probability(parts, by_camera=by_camera),
        enlarged=enlarged_by(parts, compression.grid.phases if compression.grid else ()),
        grey=is_grey(parts) if visible_pixels(parts) else None,
        visible=is_visible(alpha),
    )


def is_visible(alpha: Pixels | None) -> bool:
    """Say whether anything can be seen of a picture with that alpha."""
    return alpha is None or bool(alpha.any())
