"""Which pixels of the input one pixel of the output was computed from, and how much each of them matters."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from kakudai.evaluate.gradient import input_gradient
from kakudai.evaluate.layers import Graph
from kakudai.evaluate.maps import Tile, colors_of, enlarged, grid

LUMA = (0.299, 0.587, 0.114)
SHARES = (0.5, 0.9, 0.99)
FLOOR = 1e-6
"""Influences below this share of the largest are rounding, and not counted."""

PANEL = 420
"""Side of a panel of the picture, in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class ReceptiveField:
    """What one output pixel used.

    Args:
        scale: Enlargement factor.
        pixel: (x, y) of the output pixel.
        centre: (x, y) of the input pixel in which it lies.
        box: (left, top, right, bottom) of the input pixels that matter at all, the last two behind them.
        squares: Share of the influence -> side of the smallest square around the centre that has it.
        influence: By how much the output's luma grows when an input pixel becomes brighter by 1. Shape: (H, W).
    """

    scale: int
    pixel: tuple[int, int]
    centre: tuple[int, int]
    box: tuple[int, int, int, int]
    squares: dict[float, int]
    influence: NDArray[np.float64]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the box."""
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def as_json(self, margin: int = 0) -> dict[str, Any]:
        """Return everything but the influences as plain values.

        Args:
            margin: Input pixels around the part that is looked at; places are counted from that part.
        """
        return {
            "output_pixel": [n - margin * self.scale for n in self.pixel],
            "input_pixel": [n - margin for n in self.centre],
            "box": [n - margin for n in self.box],
            "size": list(self.size),
            "squares": {f"{share:g}": side for share, side in self.squares.items()},
        }


def measure_field(
    graph: Graph,
    x: NDArray[np.float32],
    output: tuple[int, ...],
    pixel: tuple[int, int],
    *,
    halo: int | None,
    multiple: int,
) -> ReceptiveField:
    """Differentiate one output pixel by the whole input.

    Shape: x (1, 1 | 3, H, W).

    Args:
        output: Shape of the output for this input, (1, channels, scale H, scale W).
        pixel: (x, y) in the output.
        halo: Input pixels around a tile that matter, if that is known: the rest need not be computed then.
        multiple: Sides of what the network takes divide by this.

    Raises:
        ModelInvalid: The network has an operator without a derivative.
    """
    height, width = x.shape[2:]
    scale, channels = output[2] // height, output[1]
    column, row = pixel[0] // scale, pixel[1] // scale
    top, bottom = _window(row, height, halo, multiple)
    left, right = _window(column, width, halo, multiple)
    seed = np.zeros((1, channels, (bottom - top) * scale, (right - left) * scale))
    seed[0, :, pixel[1] - top * scale, pixel[0] - left * scale] = LUMA if channels == 3 else 1.0
    influence = np.zeros((height, width))
    gradient = input_gradient(graph, np.ascontiguousarray(x[:, :, top:bottom, left:right]), seed)
    influence[top:bottom, left:right] = gradient[0].sum(axis=0)
    size = np.abs(gradient[0]).max(axis=0)
    ys, xs = np.nonzero(size > FLOOR * size.max())
    box = (
        (left + int(xs.min()), top + int(ys.min()), left + int(xs.max()) + 1, top + int(ys.max()) + 1)
        if len(xs)
        else (column, row, column + 1, row + 1)
    )
    return ReceptiveField(scale, pixel, (column, row), box, _squares(influence, column, row), influence)


def _window(centre: int, size: int, halo: int | None, multiple: int) -> tuple[int, int]:
    """Return the part of a line that can matter, aligned to `multiple` and with room for a halo that is too small."""
    if halo is None:
        return 0, size
    reach = halo + 2
    start = max(0, centre - reach) // multiple * multiple
    return start, min(size, start + -(-(centre + reach + 1 - start) // multiple) * multiple)


def _squares(influence: NDArray[np.float64], column: int, row: int) -> dict[float, int]:
    total, found = np.abs(influence).sum(), {}
    for share in SHARES:
        reach = 0
        while reach < max(influence.shape):
            part = influence[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
            if np.abs(part).sum() >= share * total:
                break
            reach += 1
        found[share] = 2 * reach + 1
    return found


def field_sheet(field: ReceptiveField, image: NDArray[np.uint8], title: str) -> Image.Image:
    """Draw the input around one pixel, its influence with signs, and its influence in powers of ten.

    Shape: image (H, W, 3), the network's input.
    """
    height, width = field.influence.shape
    side = min(max(max(field.size) + 6, 15), height, width)
    middle = (field.box[0] + field.box[2]) // 2, (field.box[1] + field.box[3]) // 2
    left = int(np.clip(middle[0] - side // 2, 0, width - side))
    top = int(np.clip(middle[1] - side // 2, 0, height - side))
    zoom = max(1, PANEL // side)
    part = np.s_[top : top + side, left : left + side]
    influence = field.influence[part]
    largest = float(np.abs(influence).max()) or 1.0
    powers = np.log10(np.maximum(np.abs(influence) / largest, 1e-5)) / 5 + 1  # 1 for the largest, 0 for 1e-5 of it
    where = (field.box[0] - left, field.box[1] - top, field.box[2] - left, field.box[3] - top)
    centre = (field.centre[0] - left, field.centre[1] - top)
    panels = [
        (image[part], f"input, {side}x{side} pixels; frame: what was used"),
        (colors_of(influence, largest), f"influence, {-largest:.2g} to {largest:.2g}"),
        (colors_of(powers, 1.0), "influence by powers of ten, dark: largest, white: 1e-5 of it"),
    ]
    tiles = [Tile(_framed(enlarged(shown, zoom), where, centre, zoom), label) for shown, label in panels]
    shares = ", ".join(f"{share:.0%} of it in {n}x{n}" for share, n in field.squares.items())
    words = f"{field.size[0]}x{field.size[1]} input pixels have an influence; {shares}"
    legend = "influence: darker output for a brighter input pixel, none (white), brighter output"
    return grid(tiles, 3, [title, words], legend=legend)


def _framed(
    image: NDArray[np.uint8], box: tuple[int, int, int, int], centre: tuple[int, int], zoom: int
) -> NDArray[np.uint8]:
    """Draw a frame around the pixels that matter, and one around the middle."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    draw.rectangle([n * zoom - (k > 1) for k, n in enumerate(box)], outline=(20, 160, 70))
    x, y = centre
    draw.rectangle((x * zoom, y * zoom, (x + 1) * zoom - 1, (y + 1) * zoom - 1), outline=(20, 160, 70))
    return np.asarray(picture)
