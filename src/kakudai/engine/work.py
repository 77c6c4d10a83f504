"""What is done to one picture: a plan is carried out, pass by pass, and its progress is counted."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from kakudai.engine.block import ROWS, Crew
from kakudai.engine.ensemble import Turn
from kakudai.engine.loaded import Loaded, Run
from kakudai.engine.memory import SMALLEST_TILE
from kakudai.engine.plan import Plan
from kakudai.engine.recall import Recall
from kakudai.engine.tools import Tools
from kakudai.errors import OutOfMemory
from kakudai.image.picture import Pixels
from kakudai.image.resize import Resampling, resize_rows
from kakudai.image.spool import MEMORY, Room, strips, together
from kakudai.models import Model


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all pictures of one upscaler share.

    Args:
        tile: Side of the tiles in input pixels; 0 is the whole picture, None leaves it to the engine.
        turns: The result is the mean over these.
        pool: Runs the tiles.
        room: Where pictures lie between two networks.
        crew: Who runs the networks of colours whose results depend on a halo alone; this process if None.
    """

    tile: int | None
    turns: tuple[Turn, ...]
    pool: ThreadPoolExecutor
    room: Room = MEMORY
    crew: Crew | None = None


class Work:
    """One picture: which networks run on it, with which tiles, for how long.

    Args:
        shop: Where it is done.
        tools: The networks it is done with.
        plans: What is done to its colours, and, where it has any, to its alpha.
        size: (height, width) of the picture.
        progress: Called with (pixels done, pixels in all), counted in the input pixels of the passes.
        recall: What it shares with the frame before it, where the picture is one of an animation.
    """

    def __init__(
        self,
        shop: Workshop,
        tools: Tools,
        plans: list[Plan],
        size: tuple[int, int],
        *,
        progress: Callable[[int, int], None] | None,
        recall: Recall | None = None,
    ) -> None:
        self._recall, self._number = recall, 0
        self.tile, self.seconds = 0, 0.0
        self._shop, self._tools, self._progress = shop, tools, progress
        self._counting = threading.Lock()
        self._done, pixels, scale = 0, size[0] * size[1], tools.scale
        self._total = sum(
            pixels * (sum(scale ** (2 * k) for k in range(plan.passes)) + (plan.denoising == "before"))
            for plan in plans
        )

    def carry_out(self, plan: Plan, image: Pixels, *, light: bool = True) -> Iterator[Pixels]:
        """Carry out a plan, from top to bottom: (H, W, 1 | 3) -> (rows, width, 1 | 3) of the same dtype.

        Between passes, and before the last resize, 8-bit pictures are kept in 16 bits, so that they are rounded once.
        A result that is smaller than the picture is made of means of light. What networks have enlarged too far is
        brought back in the values that they work in: in light, sharp edges get dark rims, which costs 2 dB at 1.6x.

        Args:
            light: The pixels are light, which is averaged as such where a picture is shrunk; alpha is none.
        """
        dtype, before = image.dtype, image.shape[:2]
        between = np.dtype(np.uint16) if dtype.kind == "u" else dtype
        steps = self._tools.steps(plan)
        scale = math.prod(loaded.model.scale for loaded in steps)
        reached = (image.shape[0] * scale, image.shape[1] * scale)
        for number, loaded in enumerate(steps, 1):
            last = number == len(steps) and reached == plan.size
            bands = self._pass(loaded, image, dtype if last else between, self._shop.crew if light else None)
            if last:
                yield from bands
                return
            factor = loaded.model.scale
            shape = (image.shape[0] * factor, image.shape[1] * factor, image.shape[2])
            image = together(bands, self._shop.room.array(shape, between))
        if reached == plan.size:
            yield from strips(image)
            return
        shrinks = plan.size != before and plan.size[0] <= before[0] and plan.size[1] <= before[1]
        way = Resampling("lanczos3", linear_light=shrinks and light)
        yield from resize_rows(image, plan.size, way, dtype)

    def _pass(self, loaded: Loaded, image: Pixels, dtype: DTypeLike, crew: Crew | None) -> Iterator[Pixels]:
        """Run a network once, with smaller and smaller tiles until they fit into memory."""
        if crew is not None and loaded.model.halo is not None and isinstance(loaded.model, Model) and not self._recall:
            yield from self._by_crew(loaded, image, dtype, crew)
            return
        run = Run(self._shop.turns, self._shop.pool, self._advance)
        tile = loaded.first_tile(image.shape[0], image.shape[1], self._shop.tile)
        before, rows, started = self._done, 0, time.perf_counter()
        self._number += 1
        while True:
            self.tile = self.tile or tile
            try:
                if self._recall:
                    bands = iter([self._recall.run(self._number, loaded, image, tile, dtype, run=run)])
                else:
                    bands = loaded.bands(image, tile, dtype, run, start=rows)
                for band in bands:
                    rows += len(band) // loaded.model.scale
                    self.seconds += time.perf_counter() - started
                    yield band
                    started = time.perf_counter()
            except MemoryError as error:
                if tile <= SMALLEST_TILE:
                    raise OutOfMemory(
                        f"no memory for a tile of {tile} pixels: {error}",
                        "close other programs, or use a smaller model",
                    ) from error
                tile, self._done = max(SMALLEST_TILE, tile // 2), before + rows * image.shape[1]
                self.tile = tile
            else:
                self.seconds += time.perf_counter() - started
                return

    def _by_crew(self, loaded: Loaded, image: Pixels, dtype: DTypeLike, crew: Crew) -> Iterator[Pixels]:
        """Have a network run by others, who find tiles that fit into their memory themselves."""
        run, started = Run(self._shop.turns, self._shop.pool, self._advance), time.perf_counter()
        self.tile = self.tile or self._shop.tile or ROWS
        try:
            for band in crew.bands(loaded, image, self._shop.tile, dtype, run=run):
                self.seconds += time.perf_counter() - started
                yield band
                started = time.perf_counter()
        except MemoryError as error:
            hint = "close other programs, or enlarge parts of it"
            raise OutOfMemory(f"no memory for rows of the result: {error}", hint) from error
        self.seconds += time.perf_counter() - started

    def _advance(self, pixels: int) -> None:
        with self._counting:
            self._done += pixels
            if self._progress:
                self._progress(self._done, self._total)
