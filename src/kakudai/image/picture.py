"""A decoded still picture with everything its file carried."""

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Metadata:
    r"""What a file says about its pixels.

    Args:
        icc: The colour profile the pixels are encoded in, or None (sRGB is assumed).
        exif: The raw TIFF-structured EXIF block, without the `Exif\0\0` prefix. Its orientation tag is
            always 1: the reader turns the pixels instead.
        xmp: The raw XMP packet.
        resolution: Horizontal and vertical pixels per inch, or None where the file states none.
        format: Lower-case name of the format that was read: "png", "jpeg", ... ; "" for pixels from memory.
        notes: What reading could not keep of the picture, one sentence each, such as "only the first of 12 frames was
            read".
        dropped: What it could not keep beside the picture, likewise. It is lost when the picture is written.
        jpeg: Quantisation tables and frame header of the JPEG file that was read, for `kakudai.analyse`; else None.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    resolution: tuple[float, float] | None = None
    format: str = ""
    notes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    jpeg: bytes | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels in the depth of their file, alpha apart, and the file's metadata.

    Shape:
        color: (H, W, 1) grey or (H, W, 3) RGB; uint8, uint16 or float32 in [0, 1]; straight, never
            premultiplied.
        alpha: (H, W, 1) of the same dtype, or None where every pixel is opaque by format.
    """

    color: Pixels
    alpha: Pixels | None = None
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.color.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.color.shape[1])

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB; alpha is not counted."""
        return int(self.color.shape[2])

    def with_pixels(self, color: Pixels, alpha: Pixels | None) -> "Picture":
        """Return the same picture with other pixels: resolution is scaled so that the printed size stays."""
        return replace(self.scaled(*color.shape[:2]), color=color, alpha=alpha)

    def scaled(self, height: int, width: int) -> "Picture":
        """Return the same pixels with the metadata of the picture when it has that size."""
        resolution = self.metadata.resolution
        if resolution is not None:
            resolution = (resolution[0] * width / self.width, resolution[1] * height / self.height)
        return replace(self, metadata=replace(self.metadata, resolution=resolution, jpeg=None))


def full_scale(dtype: np.dtype[Any]) -> float:
    """Return the value that stands for 1.0: 255 for uint8, 65535 for uint16, 1 for float32."""
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0
