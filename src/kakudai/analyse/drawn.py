"""Drawn or photographed? A few measures of the picture, weighed by a logistic model of our own.

Drawings have areas of one colour, few colours, dark lines, and edges with two tones and quiet on both sides;
photographs vary a little everywhere. Damage blurs the difference at full size, so all is measured again at half and at
a quarter of it. What has transparent parts is nearly always drawn. The weights in drawn.toml were found by
training/drawn_or_photo.py from pictures most of which were damaged. What cannot be measured has no voice: the mean over
all pictures stands in for it.
"""

import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from kakudai.analyse.sample import SIDE, Area, thinned
from kakudai.analyse.transform import squares

SIZES = {1: SIDE // 2, 2: SIDE, 4: SIDE}
"""Pixels, on a side, of which the mean is taken first -> side of the squares that are looked at in large pictures."""

SMALLEST = 128
"""Visible pixels that are needed: a round icon of 16 pixels has 161."""

SQUARE = 8
"""Side of the squares whose contrast and edges are measured, in pixels."""

LIVELY = 24.0
"""Levels between the darkest and the lightest pixel of a square in which there is an edge."""

LINE = 2
"""Lines of up to twice as many pixels across are seen as ink."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


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
    """Measure what tells drawings from photographs, as far as the picture is large enough; None if it is too small."""
    visible = [1.0 if area.visible is None else float(area.visible.mean()) for area in areas]
    if sum(share * area.image[..., 0].size for share, area in zip(visible, areas, strict=True)) < SMALLEST:
        return None
    found = {"transparent": float(np.mean(visible) < 0.99)}
    for size, side in SIZES.items():
        planes, seen = _shrunk(thinned(areas, side), size)
        if min(planes.shape[2:]) >= SQUARE and seen.any():
            found |= {f"{name}_{size}": value for name, value in _measures(planes, seen)}
    return found


def _shrunk(areas: Sequence[Area], size: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Take the mean of squares of pixels, and lay them on white where any is hidden.

    Shape: colours (3, n, h, w) in levels of 255, grey as three equal channels; where they are visible (n, h, w).
    """
    planes = np.stack([np.moveaxis(area.image, 2, 0) for area in areas], axis=1)
    if any(area.visible is not None for area in areas):
        seen = np.stack([np.ones(planes.shape[2:], bool) if area.visible is None else area.visible for area in areas])
    else:
        seen = np.ones(planes.shape[1:], np.bool_)
    while size > 1:
        height, width = (length // 2 * 2 for length in seen.shape[1:])
        planes, seen = planes[..., :height, :width], seen[..., :height, :width]
        rows = planes[..., ::2, :] + planes[..., 1::2, :]
        planes = (rows[..., ::2] + rows[..., 1::2]) * np.float32(0.25)
        seen = seen[..., ::2, ::2] & seen[..., 1::2, ::2] & seen[..., ::2, 1::2] & seen[..., 1::2, 1::2]
        size //= 2
    return np.where(seen, np.repeat(planes, 3 // len(planes), axis=0), np.float32(255.0)), seen


def _measures(planes: NDArray[np.float32], seen: NDArray[np.bool_]) -> Iterator[tuple[str, float]]:
    """Yield the measures of one size, by name. Shape: planes (3, n, h, w), seen (n, h, w)."""
    luma = np.tensordot(LUMA, planes, 1)
    steps = _steps(planes, seen)
    yield from _colours(planes[:, seen])
    yield "steps_none", _share(steps < 0.5)
    yield "steps_tail", float(np.log((np.square(steps).sum() + 1.0) * len(steps) / (steps.sum() ** 2 + 1.0) + 1.0))
    yield from _percentiles("steps", steps[::4], (25, 50, 75, 90))
    yield from _ink(luma, seen)
    cut = np.concatenate([squares(plane, (0, 0)) for plane in luma]).reshape(-1, SQUARE * SQUARE)
    whole = np.concatenate([squares(plane, (0, 0)) for plane in seen]).reshape(len(cut), -1).all(axis=1)
    cut = cut[whole]
    yield from _percentiles("contrast", cut.std(axis=1), (10, 25, 50, 75))
    reach = cut.max(axis=1) - cut.min(axis=1) if len(cut) else np.zeros(0, np.float32)
    yield "lively", _share(reach > LIVELY)
    yield from _edges(cut[reach > LIVELY], reach[reach > LIVELY, None])


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean()) if which.size else 0.0


def _percentiles(name: str, values: NDArray[np.float32], shares: tuple[int, ...]) -> Iterator[tuple[str, float]]:
    """Yield percentiles of levels, as logarithms."""
    found = np.percentile(values, shares) if values.size else np.zeros(len(shares))
    for share, value in zip(shares, found, strict=True):
        yield f"{name}_{share}", float(np.log2(1.0 + value))


def _colours(colours: NDArray[np.float32]) -> Iterator[tuple[str, float]]:
    """Yield how many colours (3, n) there are, how much the most frequent one covers, and how strong they are."""
    level = (colours * np.float32(16.0 / 256.0)).astype(np.intp)
    counts = np.bincount(256 * level[0] + 16 * level[1] + level[2], minlength=1)
    share = counts[counts > 0] / max(1, counts.sum())
    yield "colours", float(-(share * np.log2(share)).sum())
    yield "paper", float(share.max(initial=0.0))
    most, least = (extreme(extreme(colours[0], colours[1]), colours[2]) for extreme in (np.maximum, np.minimum))
    yield "grey", _share(most - least < 8.0)
    yield from _percentiles("strong", (most - least)[::5], (50, 90))


def _steps(planes: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the largest difference of a channel between each pixel and its right, and its lower neighbour."""
    down = np.abs(np.diff(planes, axis=2)).max(axis=0)[seen[:, 1:] & seen[:, :-1]]
    across = np.abs(np.diff(planes, axis=3)).max(axis=0)[seen[..., 1:] & seen[..., :-1]]
    return np.concatenate([down, across])


def _ink(luma: NDArray[np.float32], seen: NDArray[np.bool_]) -> Iterator[tuple[str, float]]:
    """Yield how much there is of thin dark, and of thin light, on what is wider: closings and openings."""
    if min(luma.shape[1:]) <= 4 * LINE:
        return
    inner = luma[:, 2 * LINE : -2 * LINE, 2 * LINE : -2 * LINE]
    known = seen[:, 2 * LINE : -2 * LINE, 2 * LINE : -2 * LINE]
    dark = (_around(_around(luma, np.maximum), np.minimum) - inner)[known]
    light = (inner - _around(_around(luma, np.minimum), np.maximum))[known]
    yield "dark", float(np.log2(1.0 + (dark.mean() if dark.size else 0.0)))
    yield "light", float(np.log2(1.0 + (light.mean() if light.size else 0.0)))
    yield "darker", float((dark.sum() + 1.0) / (dark.sum() + light.sum() + 2.0))
    yield "dark_lines", _share(dark > LIVELY)


def _around(luma: NDArray[np.float32], extreme: np.ufunc) -> NDArray[np.float32]:
    """Return the largest, or smallest, value of the 5x5 around each pixel. Shape: (n, h, w) -> (n, h - 4, w - 4)."""
    count = luma.shape[1] - 2 * LINE
    rows = extreme.reduce([luma[:, start : start + count] for start in range(2 * LINE + 1)])
    count = luma.shape[2] - 2 * LINE
    found: NDArray[np.float32] = extreme.reduce([rows[..., start : start + count] for start in range(2 * LINE + 1)])
    return found


def _edges(cut: NDArray[np.float32], reach: NDArray[np.float32]) -> Iterator[tuple[str, float]]:
    """Yield what edges look like: squares (n, 64) in which there are some, and their ranges (n, 1)."""
    if not len(cut):
        cut, reach = np.zeros((1, SQUARE * SQUARE), np.float32), np.ones((1, 1), np.float32)
    unit = (cut - cut.min(axis=1, keepdims=True)) / reach
    grid = unit.reshape(-1, SQUARE, SQUARE)
    down, across = np.diff(grid, axis=1)[:, :, :-1], np.diff(grid, axis=2)[:, :-1]
    yield "quiet", _share(np.maximum(np.abs(down), np.abs(across)) < 0.03)
    xx, yy, xy = (a.reshape(len(cut), -1).mean(axis=1) for a in (across * across, down * down, across * down))
    yield "straight", float((np.hypot(xx - yy, 2.0 * xy) / (xx + yy + 1e-6)).mean())
    light = unit > 0.5
    share = light.mean(axis=1)
    above, below = (unit * light).mean(axis=1), (unit * ~light).mean(axis=1)
    apart = above / np.maximum(share, 1e-3) - below / np.maximum(1.0 - share, 1e-3)
    two = share * (1.0 - share) * apart**2 / (unit.var(axis=1) + 1e-6)
    yield "two_tones", float(two.mean())
    yield "only_two_tones", _share(two > 0.9)
