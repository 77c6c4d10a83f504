"""Decode HEIC by pi-heif, of the extra "formats": libvips' wheel has no decoder for its HEVC."""

from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from kakudai.errors import PictureUnreadable
from kakudai.image.formats import PACKAGES, is_readable
from kakudai.image.picture import Pixels
from kakudai.image.vips import Broken, Fields

BYTES = 8.0
"""What the decoder keeps of each pixel, about."""

Check = Callable[[int, int, float], None]


def decode(file: BinaryIO, check: Check) -> tuple[Pixels, Fields]:
    """Return pixels and metadata of the first picture, turned as it asks for, see `vips.decode`.

    Shape: (H, W, 1 to 4) uint8, or uint16 where it has 10 or 12 bits.

    Raises:
        Broken: It is damaged.
        PictureUnreadable: The package is missing.
    """
    needed("heic")
    import pi_heif

    image: Any = said(lambda: pi_heif.open_heif(file, convert_hdr_to_8bit=False))
    width, height = said(lambda: image.size)
    check(width, height, BYTES * width * height)
    if said(lambda: image.premultiplied_alpha):
        raise Broken("its colours are multiplied by its alpha, which is not supported")
    pixels = said(lambda: np.array(image))  # a copy: what is behind it goes with the image
    if pixels.dtype not in (np.uint8, np.uint16):
        raise Broken(f"samples of type {pixels.dtype} are not supported")
    if pixels.shape[:2] != (height, width):
        raise Broken(f"it has {pixels.shape[1]} x {pixels.shape[0]} pixels and states {width} x {height}")
    info = said(lambda: image.info)
    fields = Fields(info.get("icc_profile"), info.get("exif"), info.get("xmp"), None, 1)
    return pixels.reshape(height, width, -1), fields


def needed(name: str) -> None:
    """Raise PictureUnreadable where the package for a format is missing."""
    if not is_readable(name):
        raise PictureUnreadable(
            f"for such pictures {PACKAGES[name]} is needed, which is not installed", "pip install 'kakudai[formats]'"
        )


def said(read: Callable[[], Any]) -> Any:
    """Call a decoder of Python; whatever it raises becomes `Broken`."""
    try:
        return read()
    except MemoryError:
        raise
    except Exception as error:
        raise Broken(" ".join(str(error).split()) or type(error).__name__) from None
