"""Frames of an animation: what the passes over the last one were given and gave, so that only changes are run again."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from kakudai.engine.loaded import Loaded, Run
from kakudai.engine.passes import Pass
from kakudai.engine.tiles import Tile, cut, extract
from kakudai.image.changes import Box, changed
from kakudai.image.picture import Pixels

GRID = 64
"""Areas that are run again begin and end at multiples of this, in pixels: smaller ones are mostly halo, and runtimes
prepare themselves for each new size."""


@dataclass(frozen=True, slots=True)
class Last:
    """One pass over the last frame: the network, what it was given, and what it gave."""

    loaded: Loaded
    image: Pixels
    output: Pixels


class Recall:
    """Remembers one frame. What it gives is what running the whole frame would give, to the bit."""

    def __init__(self) -> None:
        self._last: dict[int, Last] = {}

    def run(self, number: int, loaded: Loaded, image: Pixels, tile: int, dtype: DTypeLike, *, run: Run) -> Pixels:
        """Do what `Loaded.run` does, only where the frame has changed.

        Args:
            number: Of the pass within the frame.
            loaded: The network. One that sees the whole picture runs again when anything has changed.
            image: The frame, (H, W, 1 | 3). It must not be changed afterwards.
            tile: Side of the tiles, in input pixels.
            dtype: Of the output.
            run: How networks are run.
        """
        last = self._last.get(number)
        output = None
        if last and last.loaded is loaded and last.output.dtype == dtype and _alike(last.image, image):
            box = changed(last.image, image)
            if box is None:
                run.progress(image.shape[0] * image.shape[1])
                output = last.output
            elif loaded.model.halo is not None:
                output = _rerun(loaded.tiled(run), last, image, tile, box, run=run)
        if output is None:
            output = loaded.run(image, tile, dtype, run)
        self._last[number] = Last(loaded, image, output)
        return output


def _alike(first: Pixels, second: Pixels) -> bool:
    return first.shape == second.shape and first.dtype == second.dtype


def _rerun(once: Pass, last: Last, image: Pixels, tile: int, box: Box, *, run: Run) -> Pixels:
    """Run the tiles that see a change, and take all others from the last frame."""
    area = seeing(box, image.shape[0], image.shape[1], once)
    output = last.output.copy()
    parts = [
        Tile(part.top + area.top, part.left + area.left, part.height, part.width)
        for part in cut(area.height, area.width, tile, once.multiple)
    ]
    parts = [part for part in parts if not _sees_the_same(once, last.image, image, part)]
    once.fill(image, parts, output, run.progress)
    run.progress(image.shape[0] * image.shape[1] - sum(part.height * part.width for part in parts))
    return output


def seeing(box: Box, height: int, width: int, once: Pass) -> Tile:
    """Return the area of all pixels whose results depend on a box, out to the grid."""
    grid = math.lcm(GRID, once.multiple)
    edges = []
    for start, length, size in ((box[0], box[2], height), (box[1], box[3], width)):
        first = max(0, start - once.margin) // grid * grid
        edges.append((first, min(size, math.ceil((start + length + once.margin) / grid) * grid) - first))
    return Tile(edges[0][0], edges[1][0], edges[0][1], edges[1][1])


def _sees_the_same(once: Pass, before: Pixels, after: Pixels, tile: Tile) -> bool:
    old, new = (extract(image, tile, once.margin, once.multiple, once.border) for image in (before, after))
    return np.array_equal(old, new)
