"""Decode BMP by Pillow: the binary wheel of libvips has no decoder for it."""

from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from kakudai.image.picture import Pixels
from kakudai.image.spool import MEMORY, Room, together
from kakudai.image.vips import Broken, Fields

MODES = {"1": "L", "P": "RGB", "L": "L", "RGB": "RGB", "RGBA": "RGBA"}
"""Pillow's mode of the file -> the mode it is decoded to, which has a letter for each channel."""

HELD = 4
"""Bytes of a pixel that Pillow keeps; it decodes all of them before it gives any out."""

ROWS = 256
"""Rows converted at a time."""


def decode(file: BinaryIO, check: Callable[[int, int, float], None], room: Room = MEMORY) -> tuple[Pixels, Fields]:
    """Return pixels and metadata of a BMP file, see `vips.decode`. Shape: (H, W, 1|3|4) uint8.

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
    width, height = image.size
    check(width, height, float(HELD * width * height))
    try:
        mode = MODES[image.mode]
        shape = (height, width, len(mode))
        parts = (
            np.asarray(image.crop((0, top, width, min(height, top + ROWS))).convert(mode)).reshape(-1, *shape[1:])
            for top in range(0, height, ROWS)
        )
        pixels = together(parts, room.array(shape, np.uint8))
    except MemoryError:
        raise
    except Exception as error:
        raise Broken(" ".join(str(error).split())) from None
    dpi = image.info.get("dpi")
    return pixels, Fields(dpi=dpi if dpi and min(dpi) > 0 else None)
