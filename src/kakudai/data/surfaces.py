"""Surfaces for drawn pictures: noise, stripes, stones, weave and foliage as tiles that repeat without a seam.

A shape looks its surface up in a tile, turned, stretched and moved at random, and mixes two colours by what it finds.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE = 512
"""Rows and columns of a tile; a power of two, so that a coordinate wraps around by `& (SIDE - 1)`."""

PERIOD = 64
"""Pixels after which the regular tiles (stripes, bricks, dots and the like) repeat."""

Tile = NDArray[np.uint8]


@lru_cache(maxsize=2)
def texture_bank(seed: int) -> tuple[NDArray[np.uint8], int]:
    """Make all tiles of a seed.

    Shape: (tiles, SIDE, SIDE) uint8, 0 is the first colour and 255 the second; and how many of them, the first ones,
    are irregular. The regular ones repeat after `PERIOD` pixels.
    """
    rng = np.random.default_rng([seed, 0x7E47])
    tiles = [_stretched(_noise(rng, slope)) for slope in np.linspace(0.7, 1.7, 11)]
    tiles += [_stretched(np.tanh(5.0 * _noise(rng, slope))) for slope in (1.3, 1.6, 1.9)]
    tiles += [_stretched(-np.sqrt(np.abs(_noise(rng, slope)))) for slope in (1.2, 1.6)]
    tiles += [_stones(rng, count) for count in (60, 220)]
    tiles += [_foliage(rng, smallest) for smallest in (2.0, 4.0)]
    regular = [_regular(pattern) for pattern in PATTERNS]
    return np.stack([*tiles, *regular]), len(tiles)


def _stretched(values: NDArray[np.float64]) -> Tile:
    """Put values with mean 0 into 0..255, so that two standard deviations on each side fit."""
    return np.asarray(np.floor((values - values.mean()) / values.std() * 58.0 + 128.0).clip(0, 255), np.uint8)


def _noise(rng: np.random.Generator, slope: float) -> NDArray[np.float64]:
    """Make noise whose amplitude falls with frequency ** slope, of mean 0 and deviation 1; natural surfaces have 1."""
    spectrum = np.fft.rfft2(rng.standard_normal((SIDE, SIDE)))
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    frequency[0, 0] = np.inf
    values = np.fft.irfft2(spectrum / np.maximum(frequency, 2.0 / SIDE) ** slope)
    return np.asarray(values / values.std())


def _stones(rng: np.random.Generator, count: int) -> Tile:
    """Draw cells around random points, each with its own grey and dark where two meet."""
    points = rng.random((count, 2)) * SIDE
    grey = rng.random(count)
    axis = np.arange(SIDE)
    wrapped = [(d := np.abs(axis[:, None] - points[None, :, k])) - np.maximum(0, 2 * d - SIDE) for k in (0, 1)]
    nearest, second = (np.full((SIDE, SIDE), np.inf) for _ in range(2))
    value = np.zeros((SIDE, SIDE))
    for index in range(count):
        distance = np.sqrt(wrapped[0][:, None, index] ** 2 + wrapped[1][None, :, index] ** 2)
        second = np.minimum(second, np.maximum(distance, nearest))
        value = np.where(distance < nearest, grey[index], value)
        nearest = np.minimum(nearest, distance)
    gap = np.minimum((second - nearest) / 8.0, 1.0)
    return np.asarray(np.floor(255.0 * gap * (0.4 + 0.6 * value)), np.uint8)


def _foliage(rng: np.random.Generator, smallest: float) -> Tile:
    """Draw many small lens shapes of power-law size over each other, each of its own grey."""
    image = Image.new("L", (SIDE, SIDE), 60)
    draw = ImageDraw.Draw(image)
    for _ in range(2500):
        length = smallest / np.sqrt(1.0 - 0.995 * rng.random())
        x, y, angle, grey = *(rng.random(2) * SIDE), rng.random() * 2 * np.pi, int(rng.integers(0, 256))
        along, across = length * np.array([np.cos(angle), np.sin(angle)]), length * rng.uniform(0.3, 0.8)
        side = across * np.array([-np.sin(angle), np.cos(angle)])
        corners = np.stack([along, 0.5 * along + side, -0.5 * along + side, -along, -0.5 * along - side, side * -1])
        for shift_x in (-SIDE, 0, SIDE):
            for shift_y in (-SIDE, 0, SIDE):
                if abs(x + shift_x - SIDE / 2) < SIDE / 2 + length and abs(y + shift_y - SIDE / 2) < SIDE / 2 + length:
                    draw.polygon([(x + shift_x + dx, y + shift_y + dy) for dx, dy in corners], fill=grey)
    return np.asarray(image)


Pattern = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[Any]]

PATTERNS: tuple[Pattern, ...] = (
    lambda u, v: 0.5 + 0.5 * np.sin(2 * np.pi * u) + 0.0 * v,  # waves
    lambda u, v: (u < 0.5) + 0.0 * v,  # stripes
    lambda u, v: (u < 0.15) + 0.0 * v,  # lines
    lambda u, v: ((u < 0.5) ^ (v < 0.5)) + 0.0,  # chessboard
    lambda u, v: (np.minimum(u, v) < 0.14) + 0.0,  # grid
    lambda u, v: (np.hypot(u - 0.5, v - 0.5) < 0.3) + 0.0,  # dots
    lambda u, v: (np.abs(u - 0.5) < 0.3) * (np.abs(v - 0.5) < 0.36) * (0.75 + 0.25 * (v < 0.5)),  # windows
    lambda u, v: 1.0 - ((v * 2 % 1 < 0.12) | ((u + 0.5 * (v < 0.5)) % 1 < 0.06)),  # bricks
    lambda u, v: np.where((u < 0.5) ^ (v < 0.5), np.sin(2 * np.pi * u) ** 2, np.sin(2 * np.pi * v) ** 2),  # weave
    lambda u, v: np.hypot((u + 0.5 * (v < 0.5)) % 1 - 0.5, (2 * v) % 1) % 0.5 * 2,  # scales
    lambda u, v: (np.abs(v - 0.5 - 0.25 * np.sin(2 * np.pi * u)) < 0.15) + 0.0,  # waved lines
    lambda u, v: 0.6 * (u < 0.3) + 0.4 * (v < 0.3),  # tartan
)


def _regular(pattern: Pattern) -> Tile:
    axis = (np.arange(PERIOD) + 0.5) / PERIOD
    v, u = np.meshgrid(axis, axis, indexing="ij")
    values = np.floor(255.0 * pattern(u, v).clip(0.0, 1.0)).astype(np.uint8)
    return np.tile(values, (SIDE // PERIOD, SIDE // PERIOD))
