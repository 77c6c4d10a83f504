"""Drawn or photographed? A few measures of the picture, weighed by a logistic model of our own.

Drawings have areas of one colour, few colours, and edges with two tones and quiet on both sides; photographs vary a
little everywhere. Damage blurs the difference at full size, so all is measured again at half and at a quarter of it.
The weights in drawn.toml were found by training/drawn_or_photo.py from pictures of which half were damaged.
"""

import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from kakudai.analyse.sample import Area
from kakudai.analyse.transform import squares

SIZES = (1, 2, 4)
"""Pixels, on a side, of which the mean is taken first."""

SMALLEST = 400
"""Visible pixels that are needed at the full size."""

SQUARE = 8
"""Side of the squares whose contrast and edges are measured, in pixels."""

LIVELY = 24.0
"""Levels between the darkest and the lightest pixel of a square in which there is an edge."""


def drawn_probability(areas: Sequence[Area]) -> float | None:
    """Return how likely it is that the picture was drawn, 0 to 1; None where there is too little of it to tell."""
    measures = drawn_measures(areas)
    if measures is None:
        return None
    model = _model()
    score = model["bias"]["weight"]
    for name, value in measures.items():
        entry = model[name]
        score += entry["weight"] * float(np.clip((value - entry["mean"]) / entry["spread"], -3.0, 3.0))
    return float(1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0))))


@cache
def _model() -> dict[str, dict[str, float]]:
    model: dict[str, dict[str, float]] = tomllib.loads(files("kakudai.analyse").joinpath("drawn.toml").read_text())
    return model


def drawn_measures(areas: Sequence[Area]) -> dict[str, float] | None:
    """Measure what tells drawings from photographs; None where too little is visible."""
    if sum(_visible(area).sum() for area in areas) < SMALLEST:
        return None
    found: dict[str, float] = {}
    for size in SIZES:
        parts = [part for area in areas if (part := _shrunk(area, size)) is not None]
        if not parts:
            return None
        found |= {f"{name}_{size}": value for name, value in _measures(parts)}
    return found


def _visible(area: Area) -> NDArray[np.bool_]:
    return np.ones(area.image.shape[:2], np.bool_) if area.visible is None else area.visible


Part = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""Colours (3, h, w) in levels of 255, and where they are visible (h, w)."""


def _shrunk(area: Area, size: int) -> Part | None:
    """Take the mean of squares of pixels; None where nothing is left. Grey becomes three equal channels."""
    height, width = (length // size for length in area.image.shape[:2])
    if min(height, width) < SQUARE:
        return None
    rows, columns = slice(0, height * size), slice(0, width * size)
    shape = (height, size, width, size)
    planes = [area.image[rows, columns, channel].reshape(shape).mean(axis=(1, 3)) for channel in range(area.channels)]
    visible = np.asarray(_visible(area)[rows, columns].reshape(shape).all(axis=(1, 3)))
    return np.stack(planes * (3 // area.channels)), visible


def _measures(parts: Sequence[Part]) -> Iterator[tuple[str, float]]:
    """Yield the measures of one size, by name."""
    colours = np.concatenate([planes[:, visible] for planes, visible in parts], axis=1)
    steps = np.concatenate([_steps(*part) for part in parts])
    cut = np.concatenate([_squares(*part) for part in parts])
    yield "colours", _entropy(colours)
    yield "steps_none", _share(steps < 0.5)
    yield "steps_tail", float(np.log((np.square(steps).sum() + 1.0) * len(steps) / (steps.sum() ** 2 + 1.0) + 1.0))
    yield from _percentiles("steps", steps, (25, 50, 75, 90))
    yield from _percentiles("contrast", cut.std(axis=(1, 2)), (10, 25, 50, 75))
    reach = np.ptp(cut, axis=(1, 2))
    yield "lively", _share(reach > LIVELY)
    yield from _edges(cut[reach > LIVELY], reach[reach > LIVELY][:, None, None])


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean()) if which.size else 0.0


def _percentiles(name: str, values: NDArray[np.float32], shares: tuple[int, ...]) -> Iterator[tuple[str, float]]:
    """Yield percentiles of levels, as logarithms."""
    found = np.percentile(values, shares) if values.size else np.zeros(len(shares))
    for share, value in zip(shares, found, strict=True):
        yield f"{name}_{share}", float(np.log2(1.0 + value))


def _edges(cut: NDArray[np.float32], reach: NDArray[np.float32]) -> Iterator[tuple[str, float]]:
    """Yield what edges look like: squares (n, 8, 8) in which there are some, and their ranges (n, 1, 1)."""
    if not len(cut):
        cut, reach = np.zeros((1, SQUARE, SQUARE), np.float32), np.ones((1, 1, 1), np.float32)
    down, across = np.diff(cut, axis=1)[:, :, :-1] / reach, np.diff(cut, axis=2)[:, :-1] / reach
    yield "quiet", _share(np.maximum(np.abs(down), np.abs(across)) < 0.03)
    xx, yy, xy = (a.mean(axis=(1, 2)) for a in (across * across, down * down, across * down))
    yield "straight", float((np.hypot(xx - yy, 2.0 * xy) / (xx + yy + 1e-6)).mean())
    unit = (cut - cut.min(axis=(1, 2), keepdims=True)) / reach
    light = unit > 0.5
    share = light.mean(axis=(1, 2))
    apart = (unit * light).mean(axis=(1, 2)) / np.maximum(share, 1e-3) - (unit * ~light).mean(axis=(1, 2)) / np.maximum(
        1.0 - share, 1e-3
    )
    two = share * (1.0 - share) * apart**2 / (unit.var(axis=(1, 2)) + 1e-6)
    yield "two_tones", float(two.mean())
    yield "only_two_tones", _share(two > 0.9)


def _steps(planes: NDArray[np.float32], visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the largest difference of a channel between each pixel and its right, and its lower neighbour."""
    down = np.abs(np.diff(planes, axis=1)).max(axis=0)[visible[1:] & visible[:-1]]
    across = np.abs(np.diff(planes, axis=2)).max(axis=0)[visible[:, 1:] & visible[:, :-1]]
    return np.concatenate([down, across])


def _squares(planes: NDArray[np.float32], visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return luma in the squares that are wholly visible. Shape: (n, 8, 8)."""
    luma = np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), planes, 1)
    found: NDArray[np.float32] = squares(luma, (0, 0))[squares(visible, (0, 0)).all(axis=(1, 2))]
    return found


def _entropy(colours: NDArray[np.float32]) -> float:
    """Return the entropy of colours (3, n) rounded to 16 levels per channel, in bits."""
    level = (colours * np.float32(16.0 / 256.0)).astype(np.int64)
    counts = np.bincount(256 * level[0] + 16 * level[1] + level[2], minlength=1)
    share = counts[counts > 0] / max(1, counts.sum())
    return float(-(share * np.log2(share)).sum())
