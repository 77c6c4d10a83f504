"""Pictures of what is inside a network: numbers as colours, and grids of labelled tiles.

Convention: zero is white, positive numbers are red and negative ones blue, the darker the larger. Nothing that
is drawn from numbers has any other colours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kakudai.evaluate.sheet import cut_to_width
from kakudai.image.picture import Pixels

POSITIVE = np.array([[255, 255, 255], [250, 190, 150], [214, 72, 44], [150, 20, 35], [80, 0, 20]], np.float64)
NEGATIVE = np.array([[255, 255, 255], [160, 205, 240], [40, 120, 200], [20, 70, 150], [5, 25, 80]], np.float64)

PAPER, INK, FAINT = (255, 255, 255), (25, 28, 32), (120, 126, 133)
GAP, LINE, MARGIN = 8, 15, 14
"""Pixels between tiles, of a line of text, and around the sheet."""

WIDTH = 1800
"""Pixels that a sheet should not be wider than."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One small picture of a grid and what stands below it. Shape: image (H, W, 3) uint8, all of one size."""

    image: NDArray[np.uint8]
    label: str
    faint: bool = False


def colors_of(values: NDArray[Any], limit: float) -> NDArray[np.uint8]:
    """Return the colours of numbers; those beyond +limit or -limit have the last colour.

    Shape: (H, W) -> (H, W, 3).
    """
    share = np.clip(values / limit, -1.0, 1.0) if limit > 0 else np.zeros(values.shape)
    steps = np.linspace(0.0, 1.0, len(POSITIVE))
    channels = [
        np.where(share >= 0, np.interp(share, steps, POSITIVE[:, c]), np.interp(-share, steps, NEGATIVE[:, c]))
        for c in range(3)
    ]
    result: NDArray[np.uint8] = (np.stack(channels, axis=-1) + 0.5).astype(np.uint8)
    return result


def fitted(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Bring a map to about a size: repeated pixels where it becomes larger, averaged ones where smaller.

    Shape: (H, W) -> whole multiples of it, or the longer side is `side`.
    """
    longer = max(values.shape)
    if longer <= side:
        zoom = side // longer
        return values.repeat(zoom, 0).repeat(zoom, 1)
    height, width = (max(1, round(n * side / longer)) for n in values.shape)
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BOX))


def columns_for(count: int, height: int, width: int) -> int:
    """Return how many tiles stand side by side so that the grid is about four to three."""
    ideal = math.sqrt(count * height / width * 4 / 3)
    near = range(max(1, math.ceil(ideal * 0.75)), max(1, math.floor(ideal * 1.3)) + 1)
    return min(near or [1], key=lambda columns: (-count % columns / columns, abs(columns - ideal)))


def grid(tiles: Sequence[Tile], columns: int, title: Sequence[str], *, legend: str = "") -> Image.Image:
    """Draw tiles row by row, with lines of text above them and the scale of colours.

    Args:
        title: Lines of text; the first is larger.
        legend: What stands beside the scale of colours; without it there is none.
    """
    height, width = tiles[0].image.shape[:2]
    rows = -(-len(tiles) // columns)
    head = MARGIN + 20 + LINE * (len(title) - 1) + (LINE + 6 if legend else 0) + 8
    fonts = ImageFont.load_default(15), ImageFont.load_default(11)
    words = max(font.getlength(line) for line, font in zip([*title, legend], [fonts[0], *[fonts[1]] * 9], strict=False))
    across = max(columns * (width + GAP) - GAP, int(words) + (130 if legend else 0), 300)
    sheet = Image.new("RGB", (2 * MARGIN + across, head + rows * (height + LINE + GAP) + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(title):
        y = MARGIN + (0 if number == 0 else 20 + LINE * (number - 1))
        draw.text((MARGIN, y), line, INK if number == 0 else FAINT, fonts[number > 0])
    if legend:
        _scale(sheet, draw, head - LINE - 12, legend)
    for number, tile in enumerate(tiles):
        x = MARGIN + number % columns * (width + GAP)
        y = head + number // columns * (height + LINE + GAP)
        sheet.paste(Image.fromarray(tile.image), (x, y))
        draw.rectangle((x - 1, y - 1, x + width, y + height), outline=(214, 219, 224))
        text = cut_to_width(tile.label, width, fonts[1])
        draw.text((x, y + height + 1), text, FAINT if tile.faint else INK, fonts[1])
    return sheet


def _scale(sheet: Image.Image, draw: ImageDraw.ImageDraw, y: int, legend: str) -> None:
    """Draw the scale of colours, from the most negative to the most positive number."""
    ramp = colors_of(np.linspace(-1.0, 1.0, 120)[None].repeat(11, 0), 1.0)
    sheet.paste(Image.fromarray(ramp), (MARGIN, y))
    draw.rectangle((MARGIN - 1, y - 1, MARGIN + 120, y + 11), outline=(214, 219, 224))
    draw.text((MARGIN + 130, y - 2), legend, FAINT, ImageFont.load_default(11))


def maps_sheet(name: str, kind: str, maps: NDArray[np.float32], *, same: bool = False) -> Image.Image:
    """Draw the feature maps of one layer.

    Shape: maps (C, H, W).

    Args:
        same: All maps share one range of colours; else each has its own, so that faint ones are seen too.
    """
    count, height, width = maps.shape
    columns = columns_for(count, height, width)
    side = int(np.clip(WIDTH // columns - GAP, 40, 360))
    if side < max(height, width) <= 1.6 * side:
        side = max(height, width)  # pixel for pixel is worth a wider sheet
    common = _limit(maps)
    dead = dead_maps(maps)
    tiles = []
    for number in range(count):
        shown = fitted(maps[number], side)
        limit = common if same else _limit(maps[number])
        label = f"{number}: {'dead' if dead[number] else _range(maps[number])}"
        tiles.append(Tile(colors_of(shown, limit), label, bool(dead[number])))
    zoom = tiles[0].image.shape[1] / width
    size = "shown pixel for pixel" if zoom == 1 else f"shown {zoom:.3g} times as large"
    words = f"{count} maps of {width}x{height}, {size}; values {_range(maps)}"
    title = [name, kind, f"{words}; {int(dead.sum())} dead" if dead.any() else words]
    whose = "of the layer" if same else "of the map"
    legend = f"colours: minus the largest value {whose}, zero (white), the largest; below a map: its range"
    return grid(tiles, columns, title, legend=legend)


def filters_sheet(name: str, kind: str, weight: NDArray[np.float32]) -> Image.Image:
    """Draw the kernels of a first layer: of grey as numbers, of RGB as colours around grey.

    Shape: weight (out, 1 | 3, height, width).
    """
    count, channels, height, width = weight.shape
    columns = columns_for(count, height, width)
    side = int(np.clip(WIDTH // columns - GAP, 40, 96))
    zoom = max(1, side // max(height, width))
    tiles = []
    for number, kernel in enumerate(weight):
        limit = float(np.abs(kernel).max())
        if channels == 1:
            image = colors_of(kernel[0], limit)
        else:
            image = (127.5 * (1 + kernel.transpose(1, 2, 0) / (limit or 1.0)) + 0.5).astype(np.uint8)
        tiles.append(Tile(image.repeat(zoom, 0).repeat(zoom, 1), f"{number}: {limit:.2g}"))
    if channels == 1:
        legend = "colours: minus the largest weight of the filter, zero (white), the largest; below: that weight"
        return grid(tiles, columns, [f"filters of {name}", kind], legend=legend)
    note = "red, green and blue of a pixel are its weights for them; grey is zero; below: the largest weight"
    return grid(tiles, columns, [f"filters of {name}", kind, note])


def dead_maps(maps: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which maps are the same everywhere, to a millionth of the largest value of the layer; a map of one pixel is
    dead where that is zero.

    Shape: (C, H, W) -> (C,).
    """
    low = maps.min(axis=(1, 2)) if maps[0].size > 1 else 0.0
    spread = np.abs(maps.max(axis=(1, 2)) - low)
    result: NDArray[np.bool_] = spread <= 1e-6 * max(float(np.abs(maps).max()), 1e-30)
    return result


def _limit(values: NDArray[Any]) -> float:
    """Return the size of all but the few largest values, so that one bright pixel does not make the rest white."""
    return float(np.quantile(np.abs(values), 0.998)) or float(np.abs(values).max())


def _range(values: NDArray[Any]) -> str:
    return f"{float(values.min()):.2g} to {float(values.max()):.2g}"


def enlarged(image: Pixels, zoom: int) -> NDArray[np.uint8]:
    """Repeat the pixels of an (H, W, 3) uint8 picture."""
    return np.asarray(image, np.uint8).repeat(zoom, 0).repeat(zoom, 1)
