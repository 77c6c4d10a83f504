"""JPEG's grid in pixels: a picture that was a JPEG once, whatever file it is in now, cropped or not.

First where the grid lies: the place whose squares have the most coefficients that vanished. Then which quality: the
libjpeg table whose steps the coefficients are multiples of. Squares with pixels at the ends of the range, where the
decoder cut off what went beyond, are used only where there are not enough others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kakudai.analyse.halving import colour_of
from kakudai.analyse.quantisation import BLOCK, quality_of
from kakudai.analyse.requantised import STRONGER, earlier_quality, earlier_quality_elsewhere
from kakudai.analyse.sample import AREA_SIDE, Area
from kakudai.analyse.steps import LIKELY, Steps, likeliest_steps
from kakudai.analyse.transform import Phase, coefficients, squares, vanished_shares

CONTRAST = 0.01
"""By how much more of the coefficients must vanish at the grid than at any other place; clean pictures reach 0.006,
pictures of quality 95 have 0.02 and more."""

FLAT = 0.2
"""Squares whose neighbouring pixels differ by less, in levels on average, say nothing."""

TONES = 5
"""Different levels that a square needs: with fewer, as pixel art and dots of print have them, its coefficients are
multiples of something whatever was done to them; transforms leave more."""

ENOUGH = 600
"""Squares that are wanted, even if pixels in them are cut off."""

FEWEST_SQUARES = 4
"""Squares that are needed."""

MOST_SQUARES = 6000
"""Squares that are looked at."""

LOWEST_QUALITY = 5
"""Quality below which pixels alone are not believed: nearly all steps are 255 there, few coefficients reach one, and a
soft dot on black looks like that."""

CERTAIN = 4.0
"""Evidence per square from which the grid is believed although little vanished, if no pixel was cut off: pictures of
nothing but black and white look like multiples of anything."""


@dataclass(frozen=True, slots=True)
class Grid:
    """What JPEG has left in pixels.

    Args:
        x: Columns before the first whole square, 0 to 7: 0 where the picture was not cropped.
        y: Rows before the first whole square.
        quality: 1 to 100 on libjpeg's scale, of the compression that this grid belongs to, which is the last one.
        chroma: "4:2:0", "4:2:2", "4:4:0" or "4:4:4"; None where colour has too little detail to tell, or is none.
        chroma_quality: Quality of colour, likewise.
        earlier: Quality of a stronger compression before that one; None where none was found.
        earlier_x: Columns before the first whole square of the earlier grid, if that is another one.
        earlier_y: Rows likewise.
    """

    x: int
    y: int
    quality: int
    chroma: str | None = None
    chroma_quality: int | None = None
    earlier: int | None = None
    earlier_x: int | None = None
    earlier_y: int | None = None

    @property
    def phases(self) -> list[Phase]:
        """Row and column where each of the grids begins that were found."""
        other = [] if self.earlier_y is None or self.earlier_x is None else [(self.earlier_y, self.earlier_x)]
        return [(self.y, self.x), *other]


def find_grid(areas: Sequence[Area], stated: NDArray[np.int64] | None = None) -> Grid | None:
    """Find the grid of the last JPEG compression, or None where there is none, or the picture is too small to tell.

    Args:
        areas: Parts of the picture.
        stated: The 64 steps of luma in the header of its file, row by row, where that is a JPEG. They are those of the
            grid that begins in the picture's corner; and that colour is not looked for, the header knows it.

    Convention: all areas begin at multiples of 16 pixels of the picture.
    """
    lumas = [_hidden_as_nan(area) for area in areas]
    shares = vanished_shares(lumas)
    order = np.argsort(-shares.ravel(), kind="stable")
    top, left = divmod(int(order[0]), BLOCK)
    contrast = float(shares.ravel()[order[0]] - shares.ravel()[order[1]])
    grid = _grid_at((top, left), areas, lumas, stated, stands_out=contrast > CONTRAST)
    if grid is None and (top, left) != (0, 0):
        grid = _grid_at((0, 0), areas, lumas, stated, stands_out=False)
    return grid


def _grid_at(
    phase: Phase,
    areas: Sequence[Area],
    lumas: Sequence[NDArray[np.float32]],
    stated: NDArray[np.int64] | None,
    *,
    stands_out: bool,
) -> Grid | None:
    """Return the grid that begins at a row and a column, or None where the coefficients do not speak for one."""
    cut, lost = _telling_squares(areas, lumas, phase)
    if len(cut) < FEWEST_SQUARES or (lost and not stands_out):
        return None
    found = coefficients(cut)
    own = stated if phase == (0, 0) else None
    steps = likeliest_steps(found, own, cut_off=lost)
    if stated is None and steps.quality < LOWEST_QUALITY:
        return None
    if steps.evidence <= (LIKELY if stands_out else CERTAIN) * len(found):
        return None
    if own is not None and steps.table.mean() <= STRONGER * own.mean():  # the file's own, seen a little wrongly
        steps = Steps(quality_of(own.reshape(BLOCK, BLOCK), "luma")[0], own, steps.evidence)
    colour = colour_of(areas, phase) if stated is None else None
    grid = Grid(phase[1], phase[0], steps.quality, *((colour.chroma, colour.quality) if colour else ()))
    return _with_earlier(grid, found, steps, lumas)


def _with_earlier(grid: Grid, found: NDArray[np.float32], steps: Steps, lumas: Sequence[NDArray[np.float32]]) -> Grid:
    """Add what can be said of a stronger compression before that of the grid."""
    same = earlier_quality(found, steps.table)
    if same is not None:
        return replace(grid, earlier=same)
    other = earlier_quality_elsewhere(_liveliest(lumas), (grid.y, grid.x), steps.table)
    if other is None:
        return grid
    quality, (y, x) = other
    return replace(grid, earlier=quality, earlier_x=x, earlier_y=y)


def _hidden_as_nan(area: Area) -> NDArray[np.float32]:
    """Return luma as a decoder made it, whole levels, but NaN where alpha is 0."""
    luma = np.rint(area.luma)
    return luma if area.visible is None else np.where(area.visible, luma, np.float32(np.nan))


def _telling_squares(
    areas: Sequence[Area], lumas: Sequence[NDArray[np.float32]], phase: Phase
) -> tuple[NDArray[np.float32], bool]:
    """Return the squares of a grid that say something, and whether pixels were cut off in any of them.

    Shape: (n, 8, 8). Those with cut-off pixels are taken only where there are not enough others.
    """
    cut = np.concatenate([squares(luma, phase) for luma in lumas])
    clipped = np.concatenate([squares(area.lost, phase) for area in areas]).reshape(-1, BLOCK * BLOCK).sum(axis=1)
    telling = np.flatnonzero(_change(cut) > FLAT)
    telling = telling[_tones(cut[telling]) >= TONES]
    telling = telling[np.argsort(clipped[telling], kind="stable")]
    whole = int((clipped[telling] == 0).sum())
    if whole > MOST_SQUARES:
        return cut[telling[np.linspace(0, whole - 1, MOST_SQUARES).astype(np.intp)]], False
    return cut[telling[: max(whole, ENOUGH)]], whole < min(ENOUGH, len(telling))


def _tones(cut: NDArray[np.float32]) -> NDArray[np.intp]:
    """Count the levels in each square. Shape: (n, 8, 8) -> (n,)."""
    ordered = np.sort(cut.reshape(-1, BLOCK * BLOCK), axis=1)
    result: NDArray[np.intp] = 1 + np.count_nonzero(np.diff(ordered, axis=1), axis=1)
    return result


def _change(cut: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean difference of neighbours, down and across added. Shape: (n, 8, 8) -> (n,)."""
    down, across = np.abs(np.diff(cut, axis=1)), np.abs(np.diff(cut, axis=2))
    pairs = BLOCK * (BLOCK - 1)
    result: NDArray[np.float32] = down.reshape(-1, pairs).mean(axis=1) + across.reshape(-1, pairs).mean(axis=1)
    return result


def _liveliest(lumas: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the square part in which most happens, from a multiple of 8 pixels on. Shape: (256, 256) or less."""
    parts = [
        luma[top : top + AREA_SIDE, left : left + AREA_SIDE]
        for luma in lumas
        for top in range(0, max(1, luma.shape[0] - AREA_SIDE // 2), AREA_SIDE)
        for left in range(0, max(1, luma.shape[1] - AREA_SIDE // 2), AREA_SIDE)
    ]
    return max(parts, key=lambda part: float(np.abs(np.diff(np.nan_to_num(part), axis=1)).sum()))
