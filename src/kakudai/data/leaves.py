"""Pictures that resemble photographs in what matters to a small network: dead leaves with textured shapes.

Shapes of all sizes (their number falls with the third power of the radius, as in nature) fall on each other at random.
Each has its own surface, colours and light. Rules that decided the outcome where this was tried: textures inside the
shapes, power-law sizes, drawn several times larger and shrunk, then blurred a little, as by a lens.

Source: Lee, Mumford, Huang, "Occlusion models for natural images", IJCV 2001; Achddou, Gousseau, Ladjal, "Synthetic
images as a regularity prior for image restoration neural networks", SSVM 2021.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from kakudai.data.surfaces import PERIOD, SIDE, texture_bank
from kakudai.degrade.blur import gaussian_blur

SUPERSAMPLING = 3
CORNERS = 20
SWARMS = 8
"""Places in a picture where shapes of one colour gather, as leaves, stones and windows do."""
Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Leaves:
    """What is known of every shape of a picture; the first one is the ground below all others.

    Shape:
        corners: (N, CORNERS, 2) x, y in drawn pixels.
        surface: (N, 6) the affine map from drawn pixels to a tile's: u = ax + by + c, v = dx + ey + f.
        tile: (N,) which tile.
        light: (N, 3) brightness factor at (x, y): ax + by + c.
        first, second: (N, 3) RGB colours, in [0, 1] or a little outside.
    """

    corners: Values
    surface: Values
    tile: NDArray[np.int64]
    light: Values
    first: Values
    second: Values


def draw_photo(seed: int, index: int, size: int) -> NDArray[np.uint8]:
    """Draw picture number `index` of a seed.

    Shape: (size, size, 3) uint8 RGB.
    """
    rng = np.random.default_rng([seed, index, 0x1EAF])
    bank, irregular = texture_bank(seed)
    side = size * SUPERSAMPLING
    leaves = _leaves(rng, side, len(bank), irregular)
    canvas = Image.new("I", (side, side), 0)
    draw = ImageDraw.Draw(canvas)
    for number, corners in enumerate(leaves.corners.reshape(len(leaves.corners), -1).tolist()):
        draw.polygon(corners, fill=number)
    image = _paint(np.asarray(canvas), leaves, bank)
    blurred = gaussian_blur(image, float(rng.uniform(0.35, 1.0)))
    return np.asarray(np.floor(blurred.clip(0.0, 1.0) * np.float32(255.0) + np.float32(0.5)), np.uint8)


def _leaves(rng: np.random.Generator, side: int, tiles: int, irregular: int) -> Leaves:
    """Choose all shapes of a picture, from the lowest to the topmost."""
    smallest = SUPERSAMPLING * float(np.exp(rng.uniform(np.log(1.5), np.log(10.0))))
    largest = max(side * rng.uniform(0.25, 0.7), 2.0 * smallest)
    area = np.pi * 2.0 * np.log(largest / smallest) * smallest**2  # the mean area of a shape
    count = int(rng.uniform(2.5, 4.5) * side**2 / area) + 1
    radius = smallest / np.sqrt(1.0 - (1.0 - (smallest / largest) ** 2) * rng.random(count))
    centre = rng.random((count, 2)) * (side + 2 * smallest) - smallest
    swarm = np.where(rng.random(count) < rng.uniform(0.0, 0.6), rng.integers(0, SWARMS, count), -1)
    spread = side * rng.uniform(0.03, 0.2, SWARMS)
    gathered = (rng.random((SWARMS, 2)) * side)[swarm] + rng.standard_normal((count, 2)) * spread[swarm, None]
    centre = np.where(swarm[:, None] >= 0, gathered, centre)
    radius = np.where(swarm >= 0, np.minimum(radius, 0.4 * spread[swarm]), radius)
    centre[0], radius[0] = side / 2, side
    first, second = _colours(rng, swarm)
    return Leaves(
        _outlines(rng, centre, radius).astype(np.float32),
        *_surfaces(rng, centre, radius, tiles, irregular),
        _light(rng, centre, radius),
        first,
        second,
    )


def _outlines(
    rng: np.random.Generator, centre: NDArray[np.float64], radius: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give every shape its corners: ellipses, blobs, rectangles, other polygons and bent strokes."""
    count = len(radius)
    turn = np.linspace(0.0, 2 * np.pi, CORNERS, endpoint=False)[None] + rng.random((count, 1)) * 2 * np.pi
    stretch = np.exp(rng.normal(0.0, 0.35, (count, 1)))
    ellipse = np.stack([np.cos(turn) * stretch, np.sin(turn) / stretch], -1)
    waves = sum(
        rng.normal(0.0, 0.5 / order, (count, 1)) * np.sin(order * turn + rng.random((count, 1)) * 6.3)
        for order in range(2, 6)
    )
    blob = ellipse * np.maximum(1.0 + 0.6 * waves, 0.15)[..., None]
    sides = rng.integers(3, 8, (count, 1))
    corner = np.floor(np.arange(CORNERS)[None] * sides / CORNERS) * 2 * np.pi / sides
    reach = np.take_along_axis(
        rng.uniform(0.6, 1.2, (count, 8)), (corner * sides / (2 * np.pi) + 0.5).astype(int), axis=1
    )
    polygon = np.stack([np.cos(corner) * stretch, np.sin(corner) / stretch], -1) * reach[..., None]
    square = np.pi / 4 + np.floor(np.arange(CORNERS) * 4 / CORNERS) * np.pi / 2
    rectangle = np.stack([np.cos(square) * stretch, np.sin(square) / stretch], -1) * np.sqrt(2.0) * 0.8
    shape = np.select(
        [kind[:, None, None] for kind in _one_of(rng, count, (0.25, 0.25, 0.2, 0.15))],
        [ellipse, blob, polygon, rectangle],
        _strokes(rng, radius),
    )
    shape[0] = rectangle[0] / stretch[0]
    angle = rng.random(count) * 2 * np.pi * (rng.random(count) < 0.8)  # some stand upright, as houses do
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    turned = np.stack(
        [cosine * shape[..., 0] - sine * shape[..., 1], sine * shape[..., 0] + cosine * shape[..., 1]], -1
    )
    return np.asarray(centre[:, None] + turned * radius[:, None, None])


def _one_of(rng: np.random.Generator, count: int, shares: tuple[float, ...]) -> list[NDArray[np.bool_]]:
    """Say for each of `count` things which one of several kinds it is; what the shares leave over is none of them."""
    draw = rng.random(count)
    ends = np.cumsum(shares)
    return [(draw >= end - share) & (draw < end) for end, share in zip(ends, shares, strict=True)]


def _strokes(rng: np.random.Generator, radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make bent strokes, a twig or a wire: there along one side and back along the other."""
    count, half = len(radius), CORNERS // 2
    along = np.linspace(-1.5, 1.5, half)[None]
    middle = rng.normal(0.0, 0.35, (count, 1)) * (along**2 - 0.75) + rng.normal(0.0, 0.2, (count, 1)) * along**3
    thick = np.maximum(
        rng.uniform(0.4, 1.2, (count, 1)) * SUPERSAMPLING / radius[:, None], rng.uniform(0, 0.12, (count, 1))
    )
    thick = thick * (1.0 - rng.uniform(0.0, 0.9, (count, 1)) * (along + 1.5) / 3.0)
    x = np.concatenate([along, along[:, ::-1]], 1).repeat(count, 0)
    y = np.concatenate([middle - thick, (middle + thick)[:, ::-1]], 1)
    return np.stack([x, y], -1)


def _surfaces(
    rng: np.random.Generator, centre: NDArray[np.float64], radius: NDArray[np.float64], tiles: int, irregular: int
) -> tuple[Values, NDArray[np.int64]]:
    """Choose the tile of every shape, and how it lies on it."""
    count = len(radius)
    regular = rng.random(count) < 0.3
    tile = np.where(regular, rng.integers(irregular, tiles, count), rng.integers(0, irregular, count))
    period = np.exp(rng.uniform(np.log(2.2), np.log(24.0), count)) * SUPERSAMPLING
    zoom = np.where(regular, PERIOD / period, np.exp(rng.uniform(np.log(0.4), np.log(2.5), count)))
    angle = rng.random(count) * 2 * np.pi
    stretch = np.exp(np.abs(rng.normal(0.0, 0.4, count)))
    across, down = zoom * stretch**0.5, zoom / stretch**0.5
    a, b, d, e = across * np.cos(angle), across * np.sin(angle), -down * np.sin(angle), down * np.cos(angle)
    start = rng.random((count, 2)) * SIDE
    x, y = centre.T
    return np.stack([a, b, start[:, 0] - a * x - b * y, d, e, start[:, 1] - d * x - e * y], -1).astype(np.float32), tile


def _light(rng: np.random.Generator, centre: NDArray[np.float64], radius: NDArray[np.float64]) -> Values:
    """Let light fall on every shape from one side; nearly all get a little, some so much that they look round."""
    count = len(radius)
    angle = rng.uniform(0, 2 * np.pi) + rng.normal(0.0, 0.7, count)
    slope = np.minimum(np.abs(rng.normal(0.0, 0.2, count)), 0.6) / radius
    a, b = slope * np.cos(angle), slope * np.sin(angle)
    return np.stack([a, b, 1.0 - a * centre[:, 0] - b * centre[:, 1]], -1).astype(np.float32)


def _colours(rng: np.random.Generator, swarm: NDArray[np.int64]) -> tuple[Values, Values]:
    """Choose two colours for every shape: a picture has a few hues, mostly dull; shapes differ most in brightness."""
    count, together = len(swarm), swarm >= 0
    hues = rng.choice(np.array([0.3, 0.6, 0.9, 1.2, 2.0, 3.6, 4.0, 4.3]), 4) + rng.normal(0.0, 0.25, 4)
    hue = hues[np.where(together, swarm % 4, rng.integers(0, 4, count))] + rng.normal(0.0, 0.2, count)
    strength = rng.beta(1.3, 4.0, count) * rng.uniform(0.2, 0.8)
    apart = rng.standard_normal(count)
    tone = np.where(together, rng.standard_normal(SWARMS)[swarm] + rng.uniform(0.1, 0.5) * apart, apart)
    tone = rng.uniform(-0.5, 0.4) + rng.uniform(0.3, 0.8) * tone
    contrast = rng.exponential(rng.uniform(0.2, 0.8), count) * rng.choice([-1.0, 1.0], count)
    contrast = np.where(rng.random(count) < 0.15, 0.0, contrast)  # plain
    shift = hue + rng.normal(0.0, 0.4, count)
    first, second = (0.5 + 0.49 * np.tanh(value) for value in (tone - 0.5 * contrast, tone + 0.5 * contrast))
    return _rgb(first, strength, hue), _rgb(second, strength, shift)


def _rgb(luma: NDArray[np.float64], strength: NDArray[np.float64], hue: NDArray[np.float64]) -> Values:
    """Turn brightness, strength of colour and hue (radians, 0 is red) into RGB, paler where it is dark or bright."""
    room = strength * (1.0 - np.abs(2.0 * luma - 1.0) ** 2)
    red, blue = room * np.cos(hue), room * -np.cos(hue + np.pi / 6) * 0.9
    green = -(0.299 * red + 0.114 * blue) / 0.587
    return np.stack([luma + red, luma + green, luma + blue], -1).astype(np.float32)


def _paint(numbers: NDArray[np.int32], leaves: Leaves, bank: NDArray[np.uint8]) -> Values:
    """Colour every drawn pixel by the shape that lies on top there, and shrink by `SUPERSAMPLING`.

    Shape: (S H, S W) -> (H, W, 3), in [0, 1] or a little outside.
    """
    side = len(numbers)
    x = np.arange(side, dtype=np.float32)[None]
    y = x.T
    a, b, c, d, e, f = (np.take(column, numbers) for column in np.ascontiguousarray(leaves.surface.T))
    u, v = ((p * x + q * y + r).astype(np.int32) & (SIDE - 1) for p, q, r in ((a, b, c), (d, e, f)))
    tile = np.take((leaves.tile * SIDE * SIDE).astype(np.int32), numbers)
    mix = np.take(bank.reshape(-1), tile + v * SIDE + u).astype(np.float32) * np.float32(1 / 255)
    a, b, c = (np.take(column, numbers) for column in np.ascontiguousarray(leaves.light.T))
    light = a * x + b * y + c
    planes = []
    for channel in range(3):
        first = np.ascontiguousarray(leaves.first[:, channel])
        difference = leaves.second[:, channel] - first
        plane = (np.take(first, numbers) + np.take(difference, numbers) * mix) * light
        planes.append(_shrink_box(plane.clip(0.0, 1.0)))
    return np.stack(planes, -1)


def _shrink_box(plane: Values) -> Values:
    """Average squares of `SUPERSAMPLING` pixels."""
    s = SUPERSAMPLING
    rows = np.add.reduce([plane[k::s] for k in range(s)])
    return np.asarray(np.add.reduce([rows[:, k::s] for k in range(s)]) * np.float32(1 / s**2))
