"""A part of a picture that is enlarged elsewhere: it carries everything that its result depends on.

Blocks are for many machines, and large: one is tiled again by whoever enlarges it. Their pixels are those of the
picture, or of what lies between two networks, as integers: a quarter or half of what the network is given.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from kakudai.engine.ensemble import Turn
from kakudai.engine.loaded import Loaded, Run
from kakudai.engine.machine import Machine, Numbers
from kakudai.engine.memory import SMALLEST_TILE
from kakudai.engine.passes import to_pixels
from kakudai.engine.runtimes import usable_processors
from kakudai.engine.tiles import Tile, cut, extract, rows_of_band
from kakudai.errors import OutOfMemory, WrongResult
from kakudai.image.picture import Pixels
from kakudai.models import Model

ROWS = 256
"""Height of a block, less in very wide pictures: they come out from top to bottom, and writers wait for whole rows."""

RESULT_BYTES = 8 << 20
"""Of a block, about: small beside any machine's memory, and long beside the time that sending it takes."""


class Crew(Protocol):
    """Runs networks over pictures with the help of others."""

    def bands(self, loaded: Loaded, image: Pixels, tile: int | None, dtype: DTypeLike, *, run: Run) -> Iterator[Pixels]:
        """Enlarge a picture once, with a network whose results depend on a halo alone; see `Loaded.bands`.

        It is asked for one picture at a time.

        Args:
            tile: What the user asked for; None leaves it to whoever enlarges.
        """
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """Pixels, and what to do with them.

    Args:
        pixels: (H, W, 1 | 3) with the margin that the network needs on all sides.
        core: What of them is to be enlarged.
        place: The same in the picture.
        tile: Side of the tiles that it is done in; None leaves it to whoever enlarges it.
        dtype: Name of the result's.
        turns: The result is the mean over these.
    """

    pixels: Pixels
    core: Tile
    place: Tile
    tile: int | None
    dtype: str
    turns: tuple[Turn, ...]


def rows_of_blocks(loaded: Loaded, image: Pixels, dtype: DTypeLike) -> Iterator[list[Tile]]:
    """Cut a picture into the places of blocks, row by row.

    Args:
        loaded: What enlarges them.
        image: The picture.
        dtype: Of the result.
    """
    height, width, channels = image.shape
    pixel = loaded.model.scale**2 * channels * np.dtype(dtype).itemsize
    rows = rows_of_band(height, width, ROWS, pixel)
    side = max(ROWS, RESULT_BYTES // (rows * pixel))
    for _, row in groupby(cut(height, width, side, loaded.model.multiple, rows=rows), key=lambda place: place.top):
        yield list(row)


def cut_out(loaded: Loaded, image: Pixels, place: Tile, tile: int | None, dtype: DTypeLike, *, run: Run) -> Block:
    """Cut a block out of a picture; see `Block`."""
    margin = loaded.tiled(run).margin
    pixels = np.ascontiguousarray(extract(image, place, margin, loaded.model.multiple, loaded.border))
    core = Tile(margin, margin, place.height, place.width)
    return Block(pixels, core, place, tile, np.dtype(dtype).name, run.turns)


def enlarge_block(loaded: Loaded, block: Block, pool: ThreadPoolExecutor) -> Pixels:
    """Enlarge a block: (height, width) of its core -> (scale height, scale width, 1 | 3).

    Its pixels are those that the whole picture would have there, to the last bit.

    Raises:
        WrongResult: A tile is not the enlarged picture, also when it is done again.
        OutOfMemory: Not even the smallest tile fits into memory.
    """
    tile = loaded.first_tile(block.core.height, block.core.width, block.tile)
    while True:
        try:
            return _tiled(loaded, block, tile, pool)
        except MemoryError as error:
            if tile <= SMALLEST_TILE:
                hint = "close other programs, or use a smaller model"
                raise OutOfMemory(f"no memory for a tile of {tile} pixels: {error}", hint) from error
            tile = max(SMALLEST_TILE, tile // 2)
        except WrongResult as error:
            place = block.place
            said = f"in the block at ({place.left}, {place.top}): {error.message}"
            raise WrongResult(said, error.hint) from error


def _tiled(loaded: Loaded, block: Block, tile: int, pool: ThreadPoolExecutor) -> Pixels:
    once = loaded.tiled(Run(block.turns, pool, lambda _: None))
    core, s = block.core, loaded.model.scale
    output = np.empty((core.height * s, core.width * s, block.pixels.shape[2]), block.dtype)

    def fill(part: Tile) -> None:
        inside = Tile(core.top + part.top, core.left + part.left, part.height, part.width)
        rows = output[part.top * s : (part.top + part.height) * s]
        result = once.core(block.pixels, inside)[: output.shape[2]]
        to_pixels(result, output.dtype, rows[:, part.left * s : (part.left + part.width) * s])

    jobs = [pool.submit(fill, part) for part in cut(core.height, core.width, tile, loaded.model.multiple)]
    try:
        for job in jobs:
            job.result()
    finally:
        wait([job for job in jobs if not job.cancel()])
    return output


@dataclass(frozen=True, slots=True)
class Which:
    """Says which network enlarges a block, in a few bytes.

    Args:
        digest: Of its file.
        numbers: What it computes with.
        strength: See `Loaded`.
    """

    digest: str
    numbers: Numbers
    strength: float | None

    @classmethod
    def of(cls, loaded: Loaded) -> "Which":
        """Return what says this network.

        Raises:
            TypeError: It is a module in memory.
        """
        if not isinstance(loaded.model, Model):
            raise TypeError("a module in memory cannot be told from another")
        return cls(hashlib.blake2b(loaded.model.data, digest_size=16).hexdigest(), loaded.numbers, loaded.strength)


class BlockWorker:
    """Enlarges blocks with networks that it knows or is sent, each loaded once. Several threads may use one object.

    Args:
        machine: How they are run, but for the numbers that they compute with.
        known: Networks that are loaded already.
    """

    def __init__(self, machine: Machine, known: Iterable[Loaded] = ()) -> None:
        self._machine = machine
        models = [loaded for loaded in known if isinstance(loaded.model, Model)]
        self._loaded = {(Which.of(loaded).digest, loaded.numbers): loaded for loaded in models}
        self._pool = ThreadPoolExecutor(machine.threads or usable_processors(), "kakudai-tile")
        self._turn = threading.Lock()

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(cancel_futures=True)

    def enlarge(self, block: Block, which: Which, fetch: Callable[[], Model]) -> Pixels:
        """Enlarge a block, see `enlarge_block`; blocks of other threads wait, for one keeps all processors busy.

        Args:
            block: The block.
            which: The network.
            fetch: Gets the network, if it is not loaded.

        Raises:
            KakudaiError: The network cannot be loaded, or what `enlarge_block` raises.
        """
        with self._turn:
            key = (which.digest, which.numbers)
            if key not in self._loaded:
                self._loaded[key] = Loaded.open(fetch(), replace(self._machine, precision=which.numbers))
            loaded = replace(self._loaded[key], strength=which.strength)
            return enlarge_block(loaded, block, self._pool)
