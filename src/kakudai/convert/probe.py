"""Finding out what a network does by showing it pictures.

Nothing here knows what runs the network: it is a function of an array. The pictures are drawn from a fixed seed:
soft shades, hard edges, fine texture, and more red than blue, so that every measurement can be repeated.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Run: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
"""(N, 3, H, W) RGB in [0, 1] -> (N, 3, scale H, scale W)."""

OpenNetwork: TypeAlias = Callable[[bytes], Callable[[NDArray[Any]], NDArray[Any]]]
"""Loads an ONNX file of one input and gives back what runs it: array -> its first output."""

UNSEEN = 2e-6
"""Differences below this are rounding: it is a 2000th of a step of 8 bits."""

SAME = 1e-4

MARGIN = 1.25
"""A reach that was measured on a few pictures is taken that much larger."""

WIDTHS = (256, 512, 1024)
HEIGHT = 16


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Draw a picture: (3, height, width) RGB in [0, 1]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    image = np.empty((3, height, width), np.float32)
    for channel, level in enumerate((0.6, 0.5, 0.35)):
        angle = rng.uniform(0, 2 * np.pi)
        image[channel] = level + 0.2 * np.sin((np.cos(angle) * x + np.sin(angle) * y) / 23 + channel)
    for _ in range(max(8, height * width // 400)):
        center, radius = rng.uniform((0, 0), (height, width)), rng.uniform(1.5, 14)
        inside = (y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2
        if rng.random() < 0.3:
            inside = np.abs(y - center[0]) + np.abs(x - center[1]) < radius
        image[:, inside] = (rng.uniform(0.05, 0.95, 3) * (1.0, 0.9, 0.75))[:, None]
    for _ in range(max(2, width // 40)):
        position, slope = rng.uniform(-height, width), rng.uniform(-1.5, 1.5)
        image[:, np.abs(x - position - slope * y) < rng.uniform(0.6, 1.4)] = rng.uniform(0, 1)
    noisy: NDArray[np.float32] = (image + rng.normal(0, 0.01, image.shape)).clip(0, 1).astype(np.float32)
    return noisy


def shrunk(image: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Average squares of pixels: (C, factor H, factor W) -> (C, H, W)."""
    channels, height, width = image.shape
    blocks = image.reshape(channels, height // factor, factor, width // factor, factor)
    mean: NDArray[np.float32] = blocks.mean(axis=(2, 4), dtype=np.float64).astype(np.float32)
    return mean


def measure_halo(run: Run, *, scale: int, multiple: int) -> int | None:
    """Measure how far a network looks.

    The ends of a long strip are changed, and where its middle changes too is compared, along both axes. What changes by
    less than rounding does not count, and the result is a quarter larger than what was seen.

    Returns:
        Input pixels; None where the whole strip always changes.
    """
    found = 0
    for axis in (2, 3):
        reach = next(
            (far for width in WIDTHS if (far := _reach(run, axis, width, (scale, multiple))) is not None), None
        )
        if reach is None:
            return None
        found = max(found, reach)
    return int(np.ceil(MARGIN * found)) + 1 if found else 0


def is_the_same_everywhere(run: Run, *, scale: int, multiple: int) -> bool:
    """Say whether a network treats a thing in the same way wherever in the picture it lies.

    A picture is shown twice, the second time without its first rows and columns; far from the border the results must
    agree. Networks with windows of attention fail, and so do those that add something to places.
    """
    side, step = -(-192 // multiple) * multiple, multiple
    image = picture(side + step, side + step)
    first = run(image[None, :, :side, :side])[0]
    second = run(np.ascontiguousarray(image[None, :, step:, step:]))[0]
    edge, moved = scale * (side // 3), scale * step
    here = first[:, edge : scale * side - edge, edge : scale * side - edge]
    there = second[:, edge - moved :, edge - moved :][:, : here.shape[1], : here.shape[2]]
    return float(np.abs(here - there).max()) < SAME


def _reach(run: Run, axis: int, length: int, geometry: tuple[int, int]) -> int | None:
    """Measure along one axis; None where the middle of the strip is reached."""
    scale, multiple = geometry
    length, height = (-(-side // multiple) * multiple for side in (length, max(HEIGHT, 2 * multiple)))
    ends = length // 4
    strip = picture(height, length)
    others = [picture(height, length, seed) for seed in (1, 2)] + [1 - strip]
    before = _along(run, strip, axis)
    farthest = 0
    for other in others:
        changed = other.copy()
        changed[..., ends : length - ends] = strip[..., ends : length - ends]
        difference = np.abs(_along(run, changed, axis) - before).max(axis=(0, 1))  # (scale length,)
        seen = np.flatnonzero(difference > UNSEEN) // scale
        inside = seen[(seen >= ends) & (seen < length - ends)]
        if inside.size:
            distance = np.minimum(inside - ends + 1, length - ends - inside)
            farthest = max(farthest, int(distance.max()))
    return farthest if farthest < (length - 2 * ends) // 2 - 1 else None


def _along(run: Run, strip: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Run a strip that lies along an axis; return the result as if it lay along the last."""
    given = strip if axis == 3 else strip.transpose(0, 2, 1)
    y: NDArray[np.float32] = run(np.ascontiguousarray(given[None]))[0]
    return y if axis == 3 else y.transpose(0, 2, 1)
