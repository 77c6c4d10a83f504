"""Tiles that come one by one from several threads, done together: a GPU is as quick with eight as with one."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Tile: TypeAlias = NDArray[np.float32]
"""(1, C, H, W)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A tile and the promise of its result."""

    tile: Tile
    result: Future[Tile] = field(default_factory=Future)


class Gathering:
    """Let whoever finds the device free do all tiles that wait, of one size, while those that come meanwhile gather.

    Args:
        together: Does some tiles of one size: one result for each, in their order. Never called by two threads at once.
        most: Tiles at once.
    """

    def __init__(self, together: Callable[[Sequence[Tile]], Sequence[Tile]], most: int) -> None:
        self._together, self._most = together, most
        self._device, self._changing = threading.Lock(), threading.Lock()
        self._waiting: list[Asked] = []

    def run(self, tile: Tile) -> Tile:
        """Return what becomes of a tile.

        Raises:
            Exception: What doing the tiles raised, for each of them.
        """
        asked = Asked(tile)
        with self._changing:
            self._waiting.append(asked)
        while not asked.result.done():
            with self._device:
                if not asked.result.done():
                    self._do(self._next())
        return asked.result.result()

    def _next(self) -> list[Asked]:
        """Take the first that waits, and others of its size."""
        with self._changing:
            shape = self._waiting[0].tile.shape
            alike = [asked for asked in self._waiting if asked.tile.shape == shape][: self._most]
            self._waiting = [asked for asked in self._waiting if all(asked is not other for other in alike)]
        return alike

    def _do(self, batch: Sequence[Asked]) -> None:
        try:
            results = self._together([asked.tile for asked in batch])
        except Exception as error:
            for asked in batch:
                asked.result.set_exception(error)
            return
        for asked, result in zip(batch, results, strict=True):
            asked.result.set_result(result)
