"""JPEG compression, once or several times, in memory."""

from collections.abc import Sequence
from io import BytesIO
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Chroma: TypeAlias = Literal["4:2:0", "4:4:4"]
"""Whether colour is kept at half the resolution or at the full one."""

BLOCK = 8
"""Side of the squares that JPEG transforms."""


def jpeg(
    image: NDArray[np.uint8],
    quality: int,
    *,
    chroma: Chroma = "4:2:0",
    shift: tuple[int, int] = (0, 0),
) -> NDArray[np.uint8]:
    """Compress a picture as JPEG and decode it again.

    Shape: (H, W, 1) grey or (H, W, 3) RGB, uint8 -> the same.

    Args:
        image: The picture.
        quality: 1 to 100 on libjpeg's scale, with its standard tables.
        chroma: "4:2:0" halves the resolution of colour; it means nothing for a grey picture.
        shift: Rows and columns, 0 to 7, that the grid of 8x8 squares is moved up and left by, as happens to a picture
            that was cropped between two compressions: squares end at y where (y + shift) divides by 8.

    Convention: a moved grid is made by repeating the first row and column in front of the picture; the decoder blends
        halved colour smoothly (libjpeg's "fancy upsampling"). Pixels do not move.
    """
    from PIL import Image  # here, because whoever asks only what a quality means needs no codec

    down, right = shift
    padded = np.pad(image, ((down, 0), (right, 0), (0, 0)), mode="edge") if down or right else image
    source = Image.fromarray(padded[..., 0] if image.shape[2] == 1 else np.ascontiguousarray(padded))
    file = BytesIO()
    source.save(file, "JPEG", quality=quality, subsampling=0 if chroma == "4:4:4" else 2)
    decoded = np.asarray(Image.open(file)).reshape(padded.shape)
    return np.ascontiguousarray(decoded[down:, right:])


def jpeg_chain(
    image: NDArray[np.uint8],
    qualities: Sequence[int],
    *,
    chroma: Chroma = "4:2:0",
    shifts: Sequence[tuple[int, int]] = (),
) -> NDArray[np.uint8]:
    """Compress a picture several times, one after the other, as pictures that are passed on are.

    Args:
        image: The picture, as for `jpeg`.
        qualities: One per pass, the first pass first; none returns the picture itself.
        chroma: The same for all passes.
        shifts: Where the grid of each pass lies, as for `jpeg`; passes without one have it at the corner.
    """
    for number, quality in enumerate(qualities):
        image = jpeg(image, quality, chroma=chroma, shift=shifts[number] if number < len(shifts) else (0, 0))
    return image
