"""Decode BMP by Pillow: the binary wheel of libvips has no decoder for it."""

from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from kakudai.image.picture import Pixels
from kakudai.image.vips import Broken, Fields

MODES = {"1": "L", "P": "RGB", "L": "L", "RGB": "RGB", "RGBA": "RGBA"}
"""Pillow's mode of the file -> the mode it is decoded to."""


def decode(file: BinaryIO, check: Callable[[int, int], None]) -> tuple[Pixels, Fields]:
    """Return pixels and metadata of a BMP file, after `check(width, height)`. Shape: (H, W, 1|3|4) uint8.

    Raises:
        Broken: Pillow cannot decode it, for whatever reason.
    """
    # The class itself, not Image.open: no other decoder can be reached, and Pillow's limit of pixels, a
    # global that warns, does not stand beside ours.
    from PIL.BmpImagePlugin import BmpImageFile

    try:
        image = BmpImageFile(file)
    except Exception as error:
        raise Broken(" ".join(str(error).split())) from None
    check(*image.size)
    try:
        pixels = np.asarray(image.convert(MODES[image.mode]))
    except MemoryError:
        raise
    except Exception as error:
        raise Broken(" ".join(str(error).split())) from None
    dpi = image.info.get("dpi")
    return pixels.reshape(*pixels.shape[:2], -1), Fields(dpi=dpi if dpi and min(dpi) > 0 else None)
