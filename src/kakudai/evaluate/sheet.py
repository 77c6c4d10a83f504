"""A contact sheet: the same places of several pictures, side by side, at exact pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kakudai.image.picture import Pixels
from kakudai.image.resize import eight_bits

GAP = 8
LABEL = 22


@dataclass(frozen=True, slots=True)
class Column:
    """One picture of the sheet and what stands above it. Shape: image (H, W, 1 | 3), all of the same size."""

    title: str
    image: Pixels


def interesting_places(a: Pixels, b: Pixels, side: int, count: int) -> list[tuple[int, int]]:
    """Find where two pictures differ most: (top, left) of up to `count` squares that do not touch, the most
    different first.
    """
    difference = np.abs(as_rgb8(a).astype(np.int32) - as_rgb8(b)).sum(axis=2)
    height, width = difference.shape
    side = min(side, height, width)
    step = max(1, side // 2)
    tops, lefts = range(0, height - side + 1, step), range(0, width - side + 1, step)
    sums = np.array([[difference[y : y + side, x : x + side].sum() for x in lefts] for y in tops], np.int64)
    places: list[tuple[int, int]] = []
    for index in np.argsort(-sums, axis=None, kind="stable"):
        top, left = tops[int(index) // len(lefts)], lefts[int(index) % len(lefts)]
        if all(abs(top - y) >= side or abs(left - x) >= side for y, x in places):
            places.append((top, left))
        if len(places) == count:
            break
    return places


def contact_sheet(columns: Sequence[Column], places: Sequence[tuple[int, int]], *, side: int, zoom: int) -> Image.Image:
    """Draw one row per place and one column per picture; every pixel becomes a square of `zoom` pixels.

    Above each row stands where the place is: the pixel of its top left corner.
    """
    height, width = columns[0].image.shape[:2]
    side = min(side, height, width)
    cell = side * zoom
    size = (GAP + len(columns) * (cell + GAP), LABEL + len(places) * (LABEL + cell) + GAP)
    sheet = Image.new("RGB", size, (245, 245, 245))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for column, entry in enumerate(columns):
        x = GAP + column * (cell + GAP)
        draw.text((x, 3), cut_to_width(entry.title, cell, font), fill=(20, 20, 20), font=font)
        for row, (top, left) in enumerate(places):
            y = LABEL + row * (LABEL + cell)
            if column == 0:
                draw.text(
                    (x, y + 3), cut_to_width(f"at x {left}, y {top}", cell, font), fill=(110, 110, 110), font=font
                )
            crop = as_rgb8(entry.image[top : top + side, left : left + side])
            sheet.paste(Image.fromarray(crop.repeat(zoom, 0).repeat(zoom, 1)), (x, y + LABEL))
    return sheet


def cut_to_width(text: str, width: int, font: Any) -> str:
    """Cut the end off a text that is wider than a number of pixels."""
    if font.getlength(text) <= width:
        return text
    return next((short for end in range(len(text), 0, -1) if font.getlength(short := text[:end] + "…") <= width), "")


def as_rgb8(image: Pixels) -> NDArray[np.uint8]:
    """Convert to (H, W, 3) uint8 for showing."""
    return np.ascontiguousarray(np.broadcast_to(eight_bits(image), (*image.shape[:2], 3)))
