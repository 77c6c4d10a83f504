"""Tiles that come one by one from several threads, done together: a GPU is as quick with eight as with one."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Planes: TypeAlias = NDArray[np.float32]
"""(1, C, H, W)."""


@dataclass(eq=False, slots=True)
class Asked:
    """A tile, and what has become of it."""

    given: Planes
    result: Planes | None = None
    error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        """Say whether there is a result or an error."""
        return self.result is not None or self.error is not None


class Gathering:
    """Let whoever finds the device free do all tiles that wait, of one size, while those that come meanwhile gather.

    Args:
        together: Does some tiles of one size: one result for each, in their order. Never called by two threads at once.
        most: Tiles at once.
    """

    def __init__(self, together: Callable[[Sequence[Planes]], Sequence[Planes]], most: int) -> None:
        self._together, self._most = together, most
        self._changed = threading.Condition()
        self._waiting: list[Asked] = []
        self._is_busy = False

    def run(self, given: Planes) -> Planes:
        """Return what becomes of a tile.

        Raises:
            BaseException: What doing the tiles raised, for each of them.
        """
        asked = Asked(given)
        with self._changed:
            self._waiting.append(asked)
            while True:
                self._changed.wait_for(lambda: asked.is_done or not self._is_busy)
                if asked.is_done:
                    break
                self._is_busy, batch = True, self._next()
                self._changed.release()
                try:
                    self._do(batch)
                finally:
                    self._changed.acquire()
                    self._is_busy = False
                    self._changed.notify_all()
        if asked.error is not None:
            raise asked.error
        assert asked.result is not None
        return asked.result

    def _next(self) -> list[Asked]:
        """Take the first that waits, and others of its size."""
        shape = self._waiting[0].given.shape
        batch = [asked for asked in self._waiting if asked.given.shape == shape][: self._most]
        self._waiting = [asked for asked in self._waiting if asked not in batch]
        return batch

    def _do(self, batch: Sequence[Asked]) -> None:
        try:
            for asked, result in zip(batch, self._together([asked.given for asked in batch]), strict=True):
                asked.result = result
        except BaseException as error:
            for asked in batch:
                asked.result, asked.error = None, error
