"""Tiles of a network that looks at the whole picture, laid over each other and faded from one to the next.

Such a network gives every tile another result, and nothing makes that exact. Where tiles overlap, the weight of the
one falls along a straight line as that of the other rises, so that nobody sees where one ends.
"""

from collections.abc import Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kakudai.engine.passes import Pass, Progress, to_pixels
from kakudai.engine.tiles import Tile, cut, rows_of_band
from kakudai.image.picture import Pixels
from kakudai.image.spool import forget

RAMP = 16
"""Input pixels on each side of the line between two tiles over which they are faded."""


@dataclass(frozen=True, slots=True)
class Blend:
    """One network pass over one picture with tiles that overlap.

    Args:
        tiles: Runs single tiles. Its halo is what they see and do not show.
    """

    tiles: Pass

    def bands(
        self, image: Pixels, tile: int, dtype: DTypeLike, progress: Progress, *, start: int = 0
    ) -> Iterator[Pixels]:
        """Enlarge a picture from top to bottom, see `Pass.bands`. The order in which tiles are done changes nothing."""
        top, first = 0, start * self.tiles.scale
        for band in self._bands(image, tile, progress):
            if top + band.shape[1] > first:
                yield to_pixels(band[:, max(0, first - top) :], np.dtype(dtype))
            top += band.shape[1]
            forget(image)

    def _bands(self, image: Pixels, tile: int, progress: Progress) -> Iterator[NDArray[np.float32]]:
        """Yield finished rows from top to bottom: (1 | 3, rows, scale W)."""
        height, width, channels = image.shape
        scale = self.tiles.scale
        tall = rows_of_band(height, width, tile, scale**2 * channels)
        cores = list(cut(height, width, tile, self.tiles.multiple, rows=tall))
        ramp = min(RAMP, *(side // 2 for core in cores for side in (core.height, core.width)))
        behind = np.zeros((channels, 0, width * scale), np.float32)
        for _, row in groupby(cores, key=lambda core: core.top):
            parts = [(core, _grown(core, ramp, height, width)) for core in row]
            strip = np.zeros((channels, parts[0][1].height * scale, width * scale), np.float32)
            strip[:, : behind.shape[1]] += behind
            jobs = [self.tiles.pool.submit(self.tiles.core, image, part) for _, part in parts]
            try:
                for (core, part), job in zip(parts, jobs, strict=True):
                    strip[:, :, part.left * scale : (part.left + part.width) * scale] += (
                        _weights(core, part, ramp, scale) * job.result()[:channels]
                    )
                    progress(core.height * core.width)
            finally:
                _stop(jobs)
            core, part = parts[0]
            below = core.top + core.height
            finished = part.height if below == height else below - ramp - part.top
            yield strip[:, : finished * scale]
            behind = strip[:, finished * scale :]


def _grown(core: Tile, ramp: int, height: int, width: int) -> Tile:
    """Return a core with what fades, inside the picture."""
    top, left = max(0, core.top - ramp), max(0, core.left - ramp)
    bottom, right = min(height, core.top + core.height + ramp), min(width, core.left + core.width + ramp)
    return Tile(top, left, bottom - top, right - left)


def _weights(core: Tile, part: Tile, ramp: int, scale: int) -> NDArray[np.float32]:
    """Return the weight of each output pixel of a tile; those of all tiles add up to 1 everywhere.

    Shape: (scale height, scale width) of `part`.
    """
    rows = _ramps(core.top - part.top, core.height, part.height, ramp, scale=scale)
    columns = _ramps(core.left - part.left, core.width, part.width, ramp, scale=scale)
    return rows[:, None] * columns


def _ramps(before: int, core: int, size: int, ramp: int, *, scale: int) -> NDArray[np.float32]:
    weights = np.ones(size * scale, np.float32)
    rise = ((np.arange(2 * ramp * scale) + 0.5) / max(1, 2 * ramp * scale)).astype(np.float32)
    if before:
        weights[: len(rise)] = rise
    if before + core < size:
        weights[len(weights) - len(rise) :] = 1 - rise
    return weights


def _stop(jobs: list[Future[NDArray[np.float32]]]) -> None:
    """Wait for what runs, and let nothing start: whoever tries again with smaller tiles needs the memory."""
    wait([job for job in jobs if not job.cancel()])
