"""One picture on its way: colours and alpha, each by its own plan, come out together from top to bottom."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import repeat
from typing import TypeAlias

import numpy as np

from kakudai.engine.plan import Plan, Size, make_plan
from kakudai.engine.recall import Recall
from kakudai.engine.tools import Tools
from kakudai.engine.work import Work, Workshop
from kakudai.image.alpha import bleed, stay_between_neighbours
from kakudai.image.picture import Picture, Pixels
from kakudai.image.spool import strips, together

Rows: TypeAlias = tuple[Pixels, Pixels | None]
"""Colours (rows, width, 1 | 3) and alpha (rows, width, 1), None where the picture has none."""


class Enlarging:
    """A picture and what is done to it.

    Args:
        picture: What is enlarged. Its arrays may lie in files.
        plan: What is done to its colours.
        tools: The networks it is done with.
        wish: The size that alpha gets, which nobody removes noise from.
        shop: Where it is done.

    Attributes:
        tile: Side of the tiles; 0 where no network has run.
        seconds: Wall time of the networks so far.
    """

    def __init__(self, picture: Picture, plan: Plan, tools: Tools, wish: Size, shop: Workshop) -> None:
        self.plan, self.picture = plan, picture
        self.tile, self.seconds = 0, 0.0
        self._tools, self._wish, self._shop = tools, wish, shop

    @property
    def like(self) -> Picture:
        """A few pixels with the channels, depth and metadata of the result."""
        picture = self.picture.scaled(*self.plan.size)
        alpha = None if picture.alpha is None else picture.alpha[:1, :1].copy()
        return replace(picture, color=picture.color[:1, :1].copy(), alpha=alpha)

    def whole(self, progress: Callable[[int, int], None] | None, recall: Recall | None) -> Picture:
        """Return the result in one piece, in memory; see `rows`."""
        result = self.like
        color = np.empty((*self.plan.size, result.channels), result.color.dtype)
        alpha = None if result.alpha is None else np.empty((*self.plan.size, 1), result.alpha.dtype)

        def colors() -> Iterator[Pixels]:
            top = 0
            for rows, over in self.rows(progress, recall):
                if alpha is not None:
                    alpha[top : top + len(rows)] = over
                top += len(rows)
                yield rows

        return replace(result, color=together(colors(), color), alpha=alpha)

    def rows(self, progress: Callable[[int, int], None] | None = None, recall: Recall | None = None) -> Iterator[Rows]:
        """Yield the result from top to bottom.

        Args:
            progress: Called with (pixels done, pixels in all), counted in input pixels of the passes; from several
                threads, but never by two at once.
            recall: What it shares with the frame before it.
        """
        picture, plan = self.picture, self.plan
        color, alpha, size = one_channel(picture.color), picture.alpha, (picture.height, picture.width)
        if plan == Plan(0, size):
            yield from in_step(strips(picture.color), None if alpha is None else strips(alpha))
            return
        flat = alpha is None or is_flat(alpha)
        plans, separate = [plan], not flat and plan.size != size
        if separate:
            without = replace(self._tools.means, denoises=False, combined=False)
            plans.append(make_plan(*size, self._wish, without))
        if alpha is not None and not flat:
            color = bleed(color, alpha, self._tools.reach, self._shop.room)
        work = Work(self._shop, self._tools, plans, size, progress=progress, recall=recall)
        over: Iterator[Pixels] | None = None
        if alpha is not None:
            over = self._alpha(work, plans[1], alpha) if separate else strips(alpha)
            over = flat_rows(alpha, plan.size) if flat else over
        for rows, more in in_step(work.carry_out(plan, color), over):
            self.tile, self.seconds = work.tile, work.seconds
            yield (rows if rows.shape[2] == picture.channels else rows.repeat(picture.channels, axis=2)), more
        self.tile, self.seconds = work.tile, work.seconds

    def _alpha(self, work: Work, plan: Plan, alpha: Pixels) -> Iterator[Pixels]:
        """Enlarge alpha; what was wholly transparent or opaque stays so."""
        top = 0
        for rows in work.carry_out(plan, alpha, light=False):
            yield stay_between_neighbours(rows, alpha, top=top, height=plan.size[0])
            top += len(rows)


def in_step(colors: Iterator[Pixels], alphas: Iterator[Pixels] | None) -> Iterator[Rows]:
    """Cut two pictures that come from top to bottom into parts of the same rows."""
    if alphas is None:
        yield from zip(colors, repeat(None))
        return
    alpha = next(alphas)
    for color in colors:
        top = 0
        while top < len(color):
            if not len(alpha):
                alpha = next(alphas)
            rows = min(len(color) - top, len(alpha))
            yield color[top : top + rows], alpha[:rows]
            top, alpha = top + rows, alpha[rows:]


def flat_rows(alpha: Pixels, size: tuple[int, int]) -> Iterator[Pixels]:
    """Yield an alpha that has one value everywhere, enlarged."""
    rows = min(256, size[0])
    part = np.full((rows, size[1], 1), alpha.flat[0], alpha.dtype)
    for top in range(0, size[0], rows):
        yield part[: size[0] - top]


def is_flat(plane: Pixels) -> bool:
    """Say whether all pixels have one value."""
    return all(bool((part == plane.flat[0]).all()) for part in strips(plane))


def one_channel(color: Pixels) -> Pixels:
    """Return one channel of a picture whose channels are all alike: a network that sees colours could tint it.

    Shape: (H, W, 1) or (H, W, 3) -> (H, W, 1) where every pixel is grey, else as it was.
    """
    alike = all(bool((part == part[..., :1]).all()) for part in strips(color, 16))  # colour mostly shows in the first
    return color[..., :1] if alike else color
