"""Networks that average features over the whole picture, run on tiles with the same result as on the whole.

The network runs on all tiles up to the first average. Of every tile the features are averaged that belong to its core;
their mean over all tiles is that of the picture. It is given to the network, which runs up to the next average, and at
last to the end. The four averages of cunet cost three times the work of a run on the whole picture, and the halos of
the tiles come on top; memory is what one tile needs. A network that continues the picture before all else is told not
to, for a tile brings real pixels there: else it would carry both.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.engine.ensemble import Given, Turn
from kakudai.engine.passes import Progress, to_planes
from kakudai.engine.runtimes import StagedSession
from kakudai.engine.tiles import Tile, cut, extract
from kakudai.errors import WrongResult
from kakudai.image.picture import Pixels
from kakudai.image.resize import Border
from kakudai.image.spool import forget
from kakudai.models.pools import END, MEAN, SEEN, START, Average, Pools

NOTHING = np.zeros((), np.float32)
"""The mean where no features of an average belong to a tile."""


@dataclass(frozen=True, slots=True)
class Window:
    """The features of one average that belong to a tile.

    Shape: start, end (2,) int64, row and column, counted in what the tile's window gives.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of features, per channel."""
        return int(np.prod(self.end - self.start))


@dataclass(frozen=True, slots=True)
class Statistics:
    """Finds the averages of one picture.

    Args:
        session: Runs the network up to an average.
        pools: What is averaged.
        multiple: Tiles begin at multiples of this, and the picture is continued to one.
        border: What continues outside the picture.
        turns: How the picture is laid; each has its own averages.
    """

    session: StagedSession
    pools: Pools
    multiple: int
    border: Border
    turns: tuple[Turn, ...]

    @property
    def margin(self) -> int:
        """Pixels around a tile that the network is given."""
        return self.multiple * math.ceil(self.pools.halo / self.multiple)

    def of_whole(self, height: int, width: int) -> list[Given]:
        """Return what the network is given, for each turn, where the whole picture is one tile."""
        size = self._size(height, width)
        whole = Tile(0, 0, *size)
        return [
            self._bare()
            | {
                name: value
                for average in self.pools.averages
                for name, value in _ask(average, self._window(average, turn, whole, size)).items()
            }
            for turn in self.turns
        ]

    def of_tiles(self, image: Pixels, tile: int, pool: ThreadPoolExecutor, progress: Progress) -> list[Given]:
        """Return what the network is given, for each turn: the averages, found from tiles.

        Shape: image (H, W, 1 | 3).

        Args:
            progress: Called with the share of a tile's pixels that one level stands for.

        Raises:
            MemoryError: The tiles are too large.
            WrongResult: An average is no number.
        """
        height, width = image.shape[:2]
        tiles = list(cut(height, width, tile, self.multiple))
        means: list[dict[str, NDArray[Any]]] = [self._bare() for _ in self.turns]
        for level, averages in enumerate(self.pools.levels):
            jobs = [pool.submit(self._seen, image, part, averages, means) for part in tiles]
            try:
                seen = []
                for part, job in zip(tiles, jobs, strict=True):
                    seen.append(job.result())
                    progress(share(part.height * part.width, level, len(self.pools.levels) + 1))
                    forget(image)
            finally:
                wait([job for job in jobs if not job.cancel()])
            for index in range(len(self.turns)):
                for number, average in enumerate(averages):
                    mean = _mean([tile[index][number] for tile in seen])
                    # No number would stand for a mean that is not known: each tile would use its own instead.
                    if not np.isfinite(mean).all():
                        raise WrongResult(
                            "an average over the picture inside the network is no number",
                            "the picture was not written; try another --model",
                        )
                    means[index][f"{average.name}.{MEAN}"] = mean
        return list(means)

    def _seen(
        self, image: Pixels, tile: Tile, averages: Sequence[Average], means: Sequence[Given]
    ) -> list[list[tuple[int, NDArray[np.float32]]]]:
        """Run one tile up to some averages; return, for each turn and each of them, how many features were averaged
        and their mean.
        """
        x = to_planes(extract(image, tile, self.margin, self.multiple, self.border))
        size = self._size(*image.shape[:2])
        last = Tile(tile.top, tile.left, *(x.shape[axis] - 2 * self.margin for axis in (2, 3)))
        results = []
        for turn, given in zip(self.turns, means, strict=True):
            windows = [self._window(average, turn, last, size) for average in averages]
            wanted = [index for index, window in enumerate(windows) if window.count]
            asked = dict(given)
            for index in wanted:
                asked.update(_ask(averages[index], windows[index]))
            names = tuple(f"{averages[index].name}.{SEEN}" for index in wanted)
            seen = self.session.run_stage(np.ascontiguousarray(turn.apply(x)), asked, names) if wanted else []
            found = dict(zip(wanted, seen, strict=True))
            results.append([(windows[i].count, found.get(i, NOTHING)) for i in range(len(averages))])
        return results

    def _bare(self) -> dict[str, NDArray[Any]]:
        """Return what tells a network not to continue what it is given."""
        return {self.pools.pads: np.zeros(8, np.int64)} if self.pools.added else {}

    def _size(self, height: int, width: int) -> tuple[int, int]:
        return self.multiple * math.ceil(height / self.multiple), self.multiple * math.ceil(width / self.multiple)

    def _window(self, average: Average, turn: Turn, tile: Tile, size: tuple[int, int]) -> Window:
        """Return the features that belong to a tile, which ends at a multiple, of a picture of that size."""
        place = turn.tile(tile, *size)
        height, width = size[::-1] if turn.transpose else size
        spans = [
            average.span(place.top, place.top + place.height, height),
            average.span(place.left, place.left + place.width, width),
        ]
        before = self.margin - self.pools.added
        origins = [int((edge - before) / average.ratio) for edge in (place.top, place.left)]
        start, end = ([span[side] - origin for span, origin in zip(spans, origins, strict=True)] for side in (0, 1))
        return Window(np.array(start, np.int64), np.array(end, np.int64))


def share(pixels: int, stage: int, stages: int) -> int:
    """Return how many of some pixels count for one stage of several; those of all stages add up to all."""
    return pixels * (stage + 1) // stages - pixels * stage // stages


def _ask(average: Average, window: Window) -> dict[str, NDArray[np.int64]]:
    return {f"{average.name}.{START}": window.start, f"{average.name}.{END}": window.end}


def _mean(seen: list[tuple[int, NDArray[np.float32]]]) -> NDArray[np.float32]:
    """Average over tiles, in double precision and in their order: the result does not depend on who was first."""
    total = sum(count for count, _ in seen)
    result = sum(count * mean.astype(np.float64) for count, mean in seen if count) / total
    return np.asarray(result, np.float32)
