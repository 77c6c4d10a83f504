"""Drawn or photographed? A few measures of the picture, weighed by a logistic model of our own.

Drawings have areas of one colour, strong colours, dark lines, and edges with two tones and quiet on both sides;
photographs vary a little everywhere. Damage blurs the difference at full size, so all is measured again at half and at
a quarter of it. What has transparent parts is nearly always drawn. The weights in drawn.toml were found by
training/drawn_or_photo.py from pictures most of which were damaged.
"""

import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from kakudai.analyse.quantisation import BLOCK
from kakudai.analyse.sample import AREA_SIDE, Area, thinned
from kakudai.analyse.transform import squares
from kakudai.image.color import LUMA_BT601

SIZES = {1: AREA_SIDE // 2, 2: AREA_SIDE, 4: AREA_SIDE}
"""Pixels, on a side, of which the mean is taken first -> side of the squares that are looked at in large pictures."""

FEWEST_PIXELS = 128
"""Visible pixels that are needed."""

TINY = 1024
"""Visible pixels below which there are too few edges and squares for statistics; there only colours are counted."""

OWN_COLOUR = 0.6
"""Share of the pixels of a tiny picture that there are colours for: of vector icons of 12 to 31 pixels 95 to 100 % have
less, of photographs shrunk to that size 1 or 2 %. What has more may be anything."""

ICON = 0.95
"""Probability that is told of a tiny picture with few colours, or with transparent parts."""

EDGE_LEVELS = 24.0
"""Levels between the darkest and the lightest pixel of a square in which there is an edge."""

LINE = 2
"""Lines of up to twice as many pixels across are seen as ink."""

BY_CAMERA = 3.0
"""What counts for a photograph where a camera has written the file, as a logarithm of odds: twenty to one. It decides
where the pixels leave doubt; a page of a comic that was photographed stays drawn."""


def drawn_probability(areas: Sequence[Area], *, by_camera: bool = False) -> float | None:
    """Return how likely it is that the picture was drawn, 0 to 1; None where there is too little of it to tell.

    Args:
        areas: What is looked at.
        by_camera: A camera has written the file, see `is_by_camera`.
    """
    visible = visible_pixels(areas)
    if visible < FEWEST_PIXELS:
        return None
    if visible < TINY:
        return ICON if _is_icon(areas) else None
    measures = drawn_measures(areas)
    if measures is None:
        return None
    model = _model()
    score = model["bias"]["weight"] - BY_CAMERA * by_camera
    for name, value in measures.items():
        entry = model[name]
        score += entry["weight"] * float(np.clip((value - entry["mean"]) / entry["spread"], -3.0, 3.0))
    return float(1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0))))


def _seen(area: Area) -> NDArray[np.bool_]:
    return np.ones(area.image.shape[:2], np.bool_) if area.visible is None else area.visible


def visible_pixels(areas: Sequence[Area]) -> int:
    """Count the pixels that are not hidden."""
    return sum(int(_seen(area).sum()) for area in areas)


def _is_transparent(areas: Sequence[Area]) -> bool:
    """Say whether more than a hundredth is hidden."""
    return visible_pixels(areas) < 0.99 * sum(area.image[..., 0].size for area in areas)


def _is_icon(areas: Sequence[Area]) -> bool:
    """Say whether a tiny picture has few colours, or transparent parts."""
    if _is_transparent(areas):
        return True
    colours = np.concatenate([np.rint(area.image).reshape(-1, area.channels) for area in areas])
    return len(np.unique(colours, axis=0)) < OWN_COLOUR * len(colours)


@cache
def _model() -> dict[str, dict[str, float]]:
    model: dict[str, dict[str, float]] = tomllib.loads(files("kakudai.analyse").joinpath("drawn.toml").read_text())
    return model


def drawn_measures(areas: Sequence[Area]) -> dict[str, float] | None:
    """Measure what tells drawings from photographs; None if the picture is narrower than a square.

    A size that the picture is too small for has the measures of the one before.
    """
    found = {"transparent": float(_is_transparent(areas))}
    measures: dict[str, float] = {}
    for size, side in SIZES.items():
        planes, seen = _shrunk(thinned(areas, side), size)
        if min(planes.shape[2:]) >= BLOCK and seen.any():
            measures = dict(_measures(planes, seen))
        found |= {f"{name}_{size}": value for name, value in measures.items()}
    return found if measures else None


def _shrunk(areas: Sequence[Area], size: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Take the mean of squares of pixels, and lay them on white where any is hidden.

    Shape: colours (3, n, h, w) in levels of 255, grey as three equal channels; where they are visible (n, h, w).
    """
    planes = np.stack([np.moveaxis(area.image, 2, 0) for area in areas], axis=1)
    seen = np.stack([_seen(area) for area in areas])
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
    luma = np.tensordot(np.array(LUMA_BT601, np.float32), planes, 1)
    steps = _steps(planes, seen)
    yield from _percentiles("strong", np.ptp(planes[:, seen][:, ::5], axis=0), (50, 90))
    yield "steps_none", _share(steps < 0.5)
    yield from _percentiles("steps", steps[::4], (25, 50, 75, 90))
    yield from _ink(luma, seen)
    cut = np.concatenate([squares(plane, (0, 0)) for plane in luma]).reshape(-1, BLOCK * BLOCK)
    whole = np.concatenate([squares(plane, (0, 0)) for plane in seen]).reshape(len(cut), -1).all(axis=1)
    cut = cut[whole]
    yield from _percentiles("contrast", cut.std(axis=1), (10, 25, 50, 75))
    reach = cut.max(axis=1) - cut.min(axis=1) if len(cut) else np.zeros(0, np.float32)
    yield "lively", _share(reach > EDGE_LEVELS)
    yield from _edges(cut[reach > EDGE_LEVELS], reach[reach > EDGE_LEVELS, None])


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean()) if which.size else 0.0


def _percentiles(name: str, values: NDArray[np.float32], shares: tuple[int, ...]) -> Iterator[tuple[str, float]]:
    """Yield percentiles of levels, as logarithms."""
    found = np.percentile(values, shares) if values.size else np.zeros(len(shares))
    for share, value in zip(shares, found, strict=True):
        yield f"{name}_{share}", float(np.log2(1.0 + value))


def _steps(planes: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the largest difference of a channel between each pixel and its right, and its lower neighbour."""
    down = np.abs(np.diff(planes, axis=2)).max(axis=0)[seen[:, 1:] & seen[:, :-1]]
    across = np.abs(np.diff(planes, axis=3)).max(axis=0)[seen[..., 1:] & seen[..., :-1]]
    return np.concatenate([down, across])


def _ink(luma: NDArray[np.float32], seen: NDArray[np.bool_]) -> Iterator[tuple[str, float]]:
    """Yield how much there is of thin dark lines on what is wider: what a closing of 5x5 pixels fills."""
    inside = slice(2 * LINE, -2 * LINE)
    dark = np.zeros(0, np.float32)
    if min(luma.shape[1:]) > 4 * LINE:
        filled = _around(_around(luma, np.maximum), np.minimum)
        dark = (filled - luma[:, inside, inside])[seen[:, inside, inside]]
    yield "dark", float(np.log2(1.0 + (dark.mean() if dark.size else 0.0)))
    yield "dark_lines", _share(dark > EDGE_LEVELS)


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
        cut, reach = np.zeros((1, BLOCK * BLOCK), np.float32), np.ones((1, 1), np.float32)
    unit = (cut - cut.min(axis=1, keepdims=True)) / reach
    grid = unit.reshape(-1, BLOCK, BLOCK)
    down, across = np.abs(np.diff(grid, axis=1)[:, :, :-1]), np.abs(np.diff(grid, axis=2)[:, :-1])
    yield "quiet", _share(np.maximum(down, across) < 0.03)
    light = unit > 0.5
    share = light.mean(axis=1)
    above, below = (unit * light).mean(axis=1), (unit * ~light).mean(axis=1)
    apart = above / np.maximum(share, 1e-3) - below / np.maximum(1.0 - share, 1e-3)
    two = share * (1.0 - share) * apart**2 / (unit.var(axis=1) + 1e-6)
    yield "two_tones", float(two.mean())
    yield "only_two_tones", _share(two > 0.9)
