"""Choose the few colours of a GIF, and paint with them."""

import heapq
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakudai.image.picture import Pixels

MOST = 255
"""Colours of a palette; the 256th entry stands for transparent."""
ROUNDS = 6
"""Of k-means after the median cut; more change the error by less than a hundredth."""
VISIBLE = 3.0
"""Mean squared error, in levels of 255, from which on a palette is dithered: below it nothing is seen as a band."""

Points: TypeAlias = NDArray[np.float64]


class Colors:
    """Counts colours: exactly up to `MOST`, beyond that in cubes of 4 levels a side, of which it knows the mean."""

    def __init__(self) -> None:
        self._seen = np.zeros(1 << 24, bool)
        self._sums = np.zeros((4, 1 << 18))

    def add(self, pixels: Pixels) -> None:
        """Count pixels. Shape: (N, 3) uint8."""
        self._seen[packed(pixels)] = True
        at = cubes(pixels)
        self._sums[0] += np.bincount(at, minlength=1 << 18)
        for channel in range(3):
            self._sums[channel + 1] += np.bincount(at, weights=pixels[:, channel], minlength=1 << 18)

    def palette(self) -> Pixels:
        """Return the palette: all colours where they are few, else those that differ least from all. Shape: (K, 3)."""
        if self.are_few:
            every = np.flatnonzero(self._seen)
            return np.stack([every >> 16, every >> 8 & 255, every & 255], axis=1).astype(np.uint8)
        return few(*self.means)

    @property
    def are_few(self) -> bool:
        """Whether a palette has room for all of them."""
        return int(np.count_nonzero(self._seen)) <= MOST

    @property
    def means(self) -> tuple[Points, Points]:
        """The mean colour in each cube that has any, (N, 3), and how many pixels there are, (N,)."""
        used = self._sums[0] > 0
        return (self._sums[1:, used] / self._sums[0, used]).T, self._sums[0, used]


def packed(pixels: Pixels) -> NDArray[np.int32]:
    """Return colours as numbers. Shape: (..., 3) uint8 -> (...)."""
    wide = pixels.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def cubes(pixels: Pixels) -> NDArray[np.int32]:
    """Return the upper six bits of each channel as one number. Shape: (..., 3) uint8 -> (...)."""
    small = (pixels >> 2).astype(np.int32)
    return small[..., 0] << 12 | small[..., 1] << 6 | small[..., 2]


def few(points: Points, weights: Points) -> Pixels:
    """Return the 255 colours that differ least from given ones: cut boxes where they vary most, then k-means.

    Shape: (N, 3), (N,) -> (K, 3) uint8.
    """
    boxes = [(-_spread(points, weights)[0], 0, np.arange(len(points)))]
    while len(boxes) < MOST and boxes[0][0] < 0:
        _, _, inside = heapq.heappop(boxes)
        _, axis = _spread(points[inside], weights[inside])
        along = points[inside] @ axis
        low = along <= np.average(along, weights=weights[inside])
        for half in (inside[low], inside[~low]):
            heapq.heappush(boxes, (-_spread(points[half], weights[half])[0], int(half[0]), half))
    colors = np.stack([np.average(points[inside], axis=0, weights=weights[inside]) for _, _, inside in boxes])
    for _ in range(ROUNDS):
        owner = nearest(points, colors)
        share = np.bincount(owner, weights, len(colors))
        for channel in range(3):
            total = np.bincount(owner, weights * points[:, channel], len(colors))
            np.divide(total, share, out=colors[:, channel], where=share > 0)
    return np.unique(np.floor(colors + 0.5).astype(np.uint8), axis=0)


def error(points: Points, weights: Points, colors: Pixels) -> float:
    """Return the mean squared error per channel of colours, each painted with the nearest of a palette."""
    distance = ((points - colors[nearest(points, colors)]) ** 2).mean(axis=1)
    return float(np.average(distance, weights=weights)) if len(points) else 0.0


def _spread(points: Points, weights: Points) -> tuple[float, Points]:
    """Return by how much colours differ, summed up, and along which axis they differ most."""
    if len(points) < 2:
        return 0.0, np.zeros(3)
    around = points - np.average(points, axis=0, weights=weights)
    values, vectors = np.linalg.eigh((around * weights[:, None]).T @ around)
    return float(values[-1]), vectors[:, -1]


def nearest(points: NDArray[Any], colors: NDArray[Any]) -> NDArray[np.intp]:
    """Return for each point which colour is nearest. Shape: (N, 3), (K, 3) -> (N,)."""
    colors = colors.astype(np.float64)
    half = (colors**2).sum(axis=1) / 2
    parts = [np.argmax(points[start : start + 4096] @ colors.T - half, axis=1) for start in range(0, len(points), 4096)]
    return np.concatenate(parts) if parts else np.zeros(0, np.intp)


class Painter:
    """Paints pictures with a palette.

    Args:
        colors: The palette, (K, 3) uint8.
        dither: Colours in between become a pattern of those around.
    """

    def __init__(self, colors: Pixels, *, dither: bool) -> None:
        self.colors, self._dither = colors, dither
        self._table = np.full(1 << 18, -1, np.int16)
        numbers = packed(colors)
        self._order = np.argsort(numbers)
        self._numbers = numbers[self._order]

    def paint(self, pixels: Pixels, drawn: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Return the number of a colour for each pixel that is drawn; others get any.

        Shape: (H, W, 3) uint8, (H, W) -> (H, W).
        """
        numbers = packed(pixels)
        at = np.minimum(np.searchsorted(self._numbers, numbers), len(self._numbers) - 1)
        if ((self._numbers[at] == numbers) | ~drawn).all():
            return self._order[at].astype(np.uint8)
        plain = self._nearest(pixels)
        return self._dithered(np.where(drawn[..., None], pixels, self.colors[plain])) if self._dither else plain

    def _nearest(self, pixels: Pixels) -> NDArray[np.uint8]:
        """Look colours up by six bits of each channel; the table is filled where it is first needed."""
        at = cubes(pixels)
        missing = np.unique(at[self._table[at] < 0])
        centres = np.stack([missing >> 12, missing >> 6 & 63, missing & 63], axis=1) * 4 + 1.5
        self._table[missing] = nearest(centres, self.colors)
        return self._table[at].astype(np.uint8)

    def _dithered(self, pixels: Pixels) -> NDArray[np.uint8]:
        from PIL import Image

        few_colors = Image.new("P", (1, 1))
        few_colors.putpalette(self.colors.tobytes())
        image = Image.fromarray(pixels).quantize(palette=few_colors, dither=Image.Dither.FLOYDSTEINBERG)
        numbers: NDArray[np.uint8] = np.minimum(np.asarray(image), np.uint8(len(self.colors) - 1))
        return numbers
